"""The library is broken on purpose, and each time one of the probes must see it. The probes hold on the library as it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from reflect_ci.simulate import Simulator
from tests.platforms.jenkins.engine import LIBRARY, agent_environment
from tests.platforms.jenkins.jobs import KEY, abort_when_started, build

Probe = Callable[[Path, Path], None]


def red_is_red(library: Path, tmp: Path) -> None:
    """A failing suite fails the build."""
    with Simulator() as sim:
        assert build("reflectRun suites: 'fails'", sim, tmp, library=library).result == "FAILURE"


def green_is_green(library: Path, tmp: Path) -> None:
    """A passing suite is green, with the controller restarted at every step, and its result is a plain map."""
    with Simulator() as sim:
        body = "def r = reflectRun(suites: 'passes')\necho 'next'\nreturn r.executions[0].suite"
        built = build(body, sim, tmp, library=library)
        assert built.result == "SUCCESS", built.log
        assert built.returned == "passes"


def key_stays_in_the_environment(library: Path, tmp: Path) -> None:
    """The key is in no argument of a step and nowhere in the log, masked or not."""
    with Simulator() as sim:
        built = build("reflectRun suites: 'passes'", sim, tmp, library=library)
        assert built.result == "SUCCESS", built.log
        assert KEY not in str(built.steps)
        assert KEY not in built.raw


def script_is_not_traced(library: Path, tmp: Path) -> None:
    """The shell's tracing, which would print what it expands, is off."""
    with Simulator() as sim:
        built = build("reflectRun suites: 'passes'", sim, tmp, library=library)
        assert not [line for line in built.raw.splitlines() if line.startswith("+ ")], built.raw


def time_is_limited(library: Path, tmp: Path) -> None:
    """Every script on the agent stands inside a time limit."""
    with Simulator() as sim:
        body = "def r = reflectRun(suites: 'passes', wait: false)\nreflectCancel executions: r.executions"
        built = build(body, sim, tmp, library=library)
        scripts = [step for step in built.steps if step["step"] == "sh"]
        assert len(scripts) == 2, built.log
        assert all(step["limited"] for step in scripts)


def abort_leaves_nothing(library: Path, tmp: Path) -> None:
    """An abort that kills the runner leaves no execution running, and the build is ABORTED."""
    with Simulator() as sim:
        built = abort_when_started("reflectRun suites: 'never-ends'", sim, tmp, unix=False, library=library)
        assert built.result == "ABORTED", built.log
        assert sim.running() == []


def parallel_calls_stay_apart(library: Path, tmp: Path) -> None:
    """Parallel calls in one workspace have a report folder each."""
    with Simulator() as sim:
        body = """def r = parallel(
            a: { reflectRun(suites: 'passes') },
            b: { reflectRun(suites: 'retried') },
            c: { reflectRun(suites: 'passes', hosts: ['a.example.com': 'b.example.com']) })
        return r.a.reportDir + ' ' + r.b.reportDir + ' ' + r.c.reportDir"""
        folders = build(body, sim, tmp, library=library).returned
        assert len(set(folders.split())) == 3, folders


def old_reports_are_gone(library: Path, tmp: Path) -> None:
    """A result.json of an earlier build is not taken for this one's."""
    with Simulator() as sim:
        folder = tmp / "workspace" / "reflect-report" / "passes"
        folder.mkdir(parents=True)
        (folder / "result.json").write_text('{"verdict": "old"}')
        built = build("reflectRun suites: 'passes', runner: '/nowhere/x.pyz'", sim, tmp, library=library)
        assert "reflectRun: old" not in built.log


def missing_credential_is_red(library: Path, tmp: Path) -> None:
    """Without the credential the build fails, although the agent happens to have a key."""
    with Simulator() as sim:
        agent = agent_environment(tmp) | {"REFLECT_API_URL": sim.url, "REFLECT_API_KEY": KEY}
        built = build("reflectRun suites: 'passes'", sim, tmp, credentials={}, agent=agent, library=library)
        assert built.result == "FAILURE", built.log
        assert sim.calls == []


def wrong_key_is_red(library: Path, tmp: Path) -> None:
    """A name that is no input fails the build before anything is called."""
    with Simulator() as sim:
        assert build("reflectRun suites: 'passes', colour: 'red'", sim, tmp, library=library).result == "FAILURE"
        assert sim.calls == []


PROBES: tuple[Probe, ...] = (
    red_is_red, green_is_green, key_stays_in_the_environment, script_is_not_traced, time_is_limited, abort_leaves_nothing,
    parallel_calls_stay_apart, old_reports_are_gone, missing_credential_is_red, wrong_key_is_red,
)  # fmt: skip

STEP, AGENT, INPUTS, REPORT = (f"src/reflectci/{name}.groovy" for name in ("Step", "Agent", "Inputs", "Report"))
SCRIPT = "resources/reflectci/agent.sh"
# What is broken: the file, the text, what it becomes, and the probe that must see it.
MUTATIONS: dict[str, tuple[str, str, str, Probe]] = {
    "secret in double quotes": (
        AGENT,
        "script: steps.libraryResource('reflectci/agent.sh'))",
        r'script: "#!/bin/sh\nREFLECT_API_KEY=\"${steps.env.REFLECT_API_KEY}\"\n" + steps.libraryResource(\'reflectci/agent.sh\'))'.replace(r"\'", "'"),
        key_stays_in_the_environment,
    ),
    "key echoed": (STEP, "                code = body()\n            }\n        } catch", '                steps.echo("key ${steps.env.REFLECT_API_KEY}")\n                code = body()\n            }\n        } catch', key_stays_in_the_environment),
    "no interpreter line": (SCRIPT, "#!/bin/sh\n", "", script_is_not_traced),
    "no time limit": (STEP, "        steps.timeout(time: seconds, unit: 'SECONDS') {\n            code = body()\n        }\n", "        code = body()\n", time_is_limited),
    "local that is not serializable": (STEP, "        Inputs inputs = new Inputs(config, folders)\n", "        Inputs inputs = new Inputs(config, folders)\n        def lock = new Object()\n        steps.echo('taken')\n", green_is_green),
    "lazy map of the JSON parser returned": (REPORT, "        return [\n            verdict:", "        return [\n            json: json,\n            verdict:", green_is_green),
    "method with a step is @NonCPS": (STEP, "    Map call(Map config) {", "    @NonCPS\n    Map call(Map config) {", green_is_green),
    "exit code ignored": (STEP, "        if (code != 0) {", "        if (code < 0) {", red_is_red),
    "verdict made unstable always": (STEP, "            if (inputs.failBuild) {", "            if (!inputs.failBuild) {", red_is_red),
    "abort swallowed": (STEP, "            throw stopped\n", "            return 0\n", abort_leaves_nothing),
    "nothing canceled on an abort": (STEP, "            agent.cancelRest()\n", "", abort_leaves_nothing),
    "one report folder for all": (INPUTS, "        int count = (taken[folder] ?: 0) + 1", "        int count = 1", parallel_calls_stay_apart),
    "old report kept": (SCRIPT, '    rm -f -- "$REFLECT_REPORT_DIR/result.json"\n', "", old_reports_are_gone),
    "missing credential accepted": (STEP, "            if (inputs.given.missingKey != 'skip') {", "            if (false) {", missing_credential_is_red),
    "unknown names accepted": (INPUTS, "            if (!known.contains(key)) {", "            if (false) {", wrong_key_is_red),
}  # fmt: skip


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.__name__)
def test_library_holds(probe: Probe, tmp_path: Path) -> None:
    """The probe holds on the library as it is."""
    probe(LIBRARY, tmp_path)


@pytest.mark.parametrize("name", MUTATIONS)
def test_mutation_is_caught(name: str, tmp_path: Path) -> None:
    """A library that is broken in this way does not pass its probe."""
    file, old, new, probe = MUTATIONS[name]
    library = tmp_path / "library"
    shutil.copytree(LIBRARY, library, ignore=shutil.ignore_patterns("samples", "casc", "README.md"))
    text = (library / file).read_text(encoding="utf-8")
    assert text.count(old) == 1, f"the text to break is not in {file} exactly once"
    (library / file).write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(AssertionError):
        probe(library, tmp_path)
