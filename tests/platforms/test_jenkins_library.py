"""What the library promises beyond the conformance list, on the engine of tests/platforms/jenkins."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deliver import pyz
from deliver.jenkins import BuildError, main
from deliver.jenkins import build as build_library
from reflect_ci.exits import EXITS
from reflect_ci.inputs import BY_NAME, INPUTS, RUNNER, for_command
from reflect_ci.simulate import Simulator
from tests.platforms.jenkins.engine import LIBRARY, agent_environment
from tests.platforms.jenkins.jobs import KEY, abort_when_started, build

STEPS = {"run": "reflectRun", "wait": "reflectWait", "cancel": "reflectCancel"}


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A simulated service."""
    with Simulator() as service:
        yield service


def test_result_is_a_plain_map(sim: Simulator, tmp_path: Path) -> None:
    """The step returns verdict, exit code, message, report folder and executions, as values that survive a restart."""
    built = build("def r = reflectRun(suites: ['passes', 'retried'])\necho 'next'\nreturn r", sim, tmp_path)
    assert built.result == "SUCCESS", built.log
    assert built.returned["verdict"] == "passed"
    assert built.returned["exitCode"] == 0
    assert built.returned["reportDir"] == "reflect-report/passes_retried"
    assert {row["suite"]: (row["id"], row["status"]) for row in built.returned["executions"]} == {
        started.suite: (started.id, "passed") for started in sim.started
    }
    assert all(row["url"].startswith("https://") for row in built.returned["executions"])
    # The controller was restarted at every step on the way.
    assert built.restarts >= 10


def test_unstable_instead_of_failed(sim: Simulator, tmp_path: Path) -> None:
    """With failBuild: false a failing suite makes the build unstable, and the build goes on with the result."""
    built = build("def r = reflectRun(suites: 'fails', failBuild: false)\necho 'went on'\nreturn r", sim, tmp_path)
    assert built.result == "UNSTABLE", built.log
    assert built.returned["verdict"] == "failed"
    assert built.returned["exitCode"] == 1
    assert "went on" in built.log


def test_failure_names_what_failed(sim: Simulator, tmp_path: Path) -> None:
    """The line with which the build fails has the verdict, the exit code and the failed execution's address."""
    built = build("reflectRun suites: ['fails', 'passes']\necho 'went on'", sim, tmp_path)
    assert built.result == "FAILURE"
    line = built.log[built.log.index("ERROR: ") :]
    assert "reflectRun: failed (exit code 1)" in line
    assert next(row.id for row in sim.started if row.suite == "fails") in line
    assert "went on" not in built.log


def test_tests_are_published(sim: Simulator, tmp_path: Path) -> None:
    """junit.xml is published, when the build fails as well; junit: false leaves it."""
    built = build("reflectRun suites: 'fails'", sim, tmp_path)
    assert built.calls("junit") == [{"testResults": "reflect-report/fails/junit.xml", "allowEmptyResults": "true"}]
    assert "Recording test results: " in built.log
    assert build("reflectRun suites: 'fails', junit: false", sim, tmp_path).calls("junit") == []


def test_without_the_junit_plugin(sim: Simulator, tmp_path: Path) -> None:
    """Where the JUnit plugin is missing the build is green all the same, and the log says what to install."""
    built = build("reflectRun suites: 'passes'", sim, tmp_path, plugins=[])
    assert built.result == "SUCCESS"
    assert "the JUnit plugin is not installed" in built.log


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ("suite: 'passes'", "'suite' is not an input. Did you mean 'suites'?"),
        ("suites: 'passes', report_dir: 'x'", "Did you mean 'reportDir'?"),
        ("suites: 'passes', colour: 'red'", "'colour' is not an input. It takes: "),
        ("suites: 'passes', failBuild: 'never'", "failBuild is 'never'. Write true or false."),
        ("suites: 'passes', apiKey: 'abc'", "apiKey is not accepted"),
        ("suites: 'passes', executions: 'passes/1'", "'executions' is not an input."),
    ],
)
def test_bad_call_is_refused(sim: Simulator, tmp_path: Path, call: str, sentence: str) -> None:
    """A key that is no input fails the build before anything is called, with what was probably meant."""
    built = build(f"reflectRun {call}", sim, tmp_path)
    assert built.result == "FAILURE"
    assert sentence in built.log
    assert sim.calls == []


def test_missing_credential_is_explained(sim: Simulator, tmp_path: Path) -> None:
    """Without the credential the build fails with the credential's id and what to create."""
    built = build("reflectRun suites: 'passes', credentialsId: 'other-key'", sim, tmp_path)
    assert built.result == "FAILURE"
    assert "Jenkins has no 'Secret text' credential 'other-key'" in built.log
    assert sim.calls == []


def test_key_from_a_block_of_ones_own(sim: Simulator, tmp_path: Path) -> None:
    """With credentialsId: '' the key is the one that is in REFLECT_API_KEY already."""
    body = """withCredentials([string(credentialsId: 'mine', variable: 'REFLECT_API_KEY')]) {
      reflectRun suites: 'passes', credentialsId: ''
    }"""
    built = build(body, sim, tmp_path, credentials={"mine": KEY})
    assert built.result == "SUCCESS", built.log
    assert {call.headers["x-api-key"] for call in sim.calls} == {KEY}


def test_key_from_a_file(sim: Simulator, tmp_path: Path) -> None:
    """With apiKeyFile no credential is asked for."""
    (tmp_path / "key").write_text(KEY + "\n")
    built = build(f"reflectRun suites: 'passes', apiKeyFile: '{tmp_path}/key'", sim, tmp_path, credentials={})
    assert built.result == "SUCCESS", built.log


def test_values_arrive_to_the_letter(sim: Simulator, tmp_path: Path) -> None:
    """Maps, lists, GStrings and values full of dollar signs, quotes and line breaks reach the service unchanged."""
    body = r"""
    def n = 7
    reflectRun suites: ["pass${'es'}"],
        hosts: ['www.example.com': "pr-${n}.example.com"],
        variables: [PRICE: '$5 $$ ${REFLECT_API_KEY}', NUMBER: n, TWO: 'a\nb', QUOTE: '"\''],
        cookies: [[name: 'a', value: 'b', domain: 'example.com', path: '/']],
        headers: ['X-One': '1'],
        tunnel: 'office'
    """
    built = build(body, sim, tmp_path)
    assert built.result == "SUCCESS", built.log
    sent = sim.started[0].body
    assert sent is not None
    assert sent["variables"] == {"PRICE": "$5 $$ ${REFLECT_API_KEY}", "NUMBER": "7", "TWO": "a\nb", "QUOTE": "\"'"}
    assert sent["overrides"]["hostnames"] == [{"original": "www.example.com", "replacement": "pr-7.example.com"}]
    assert sent["overrides"]["cookies"][0]["name"] == "a"
    assert sent["overrides"]["headers"] == [{"key": "X-One", "value": "1"}]
    assert sent["overrides"]["agent"] == {"name": "office"}


def test_parallel_calls_in_one_workspace(sim: Simulator, tmp_path: Path) -> None:
    """Calls that run in parallel in one workspace run at the same time, and keep their verdicts and reports apart."""
    # The first call ends only because the second branch cancels what it runs, so they do run at the same time.
    body = """
    return parallel(
        one: { reflectRun(suites: 'never-ends', timeout: '10m', failBuild: false) },
        two: {
            def result = reflectRun(suites: 'fails', failBuild: false)
            while (!fileExists('reflect-report/never-ends/executions.json')) { sleep 1 }
            reflectCancel(fromFile: 'reflect-report/never-ends/executions.json')
            return result
        },
        three: { reflectRun(suites: ['passes', 'retried']) })
    """
    built = build(body, sim, tmp_path)
    assert built.result == "UNSTABLE", built.log
    assert {name: row["verdict"] for name, row in built.returned.items()} == {
        "one": "canceled",
        "two": "failed",
        "three": "passed",
    }
    assert len({row["reportDir"] for row in built.returned.values()}) == 3


def test_start_then_wait(sim: Simulator, tmp_path: Path) -> None:
    """What reflectRun returned with wait: false goes into reflectWait as it is."""
    body = """
    def started = reflectRun(suites: ['passes', 'fails'], wait: false)
    def result = reflectWait(executions: started.executions, failBuild: false)
    return [started: started.verdict, ended: result.verdict, rows: result.executions.size()]
    """
    built = build(body, sim, tmp_path)
    assert built.returned == {"started": "started", "ended": "failed", "rows": 2}, built.log


def test_report_of_an_earlier_build_is_not_taken(sim: Simulator, tmp_path: Path) -> None:
    """A result.json that an earlier build left in the workspace is gone before the runner starts."""
    folder = tmp_path / "workspace" / "reflect-report" / "passes"
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps({"verdict": "passed", "message": "old", "executions": []}))
    built = build("reflectRun suites: 'passes', runner: '/nowhere/reflect-ci.pyz'", sim, tmp_path)
    assert built.result == "FAILURE"
    assert "old" not in built.log
    assert "reflectRun: usage (exit code 2)" in built.log


def test_abort_cancels(sim: Simulator, tmp_path: Path) -> None:
    """An aborted build is ABORTED, cancels each of its executions once and leaves none running."""
    built = abort_when_started("reflectRun suites: ['never-ends', 'takes-12']", sim, tmp_path, count=2)
    assert built.result == "ABORTED", built.log
    assert sim.wait_for(lambda service: not service.running())
    assert len([call for call in sim.calls if call.method == "PATCH"]) == 2


def test_abort_where_the_process_is_killed(sim: Simulator, tmp_path: Path) -> None:
    """Where the runner is killed without a signal, as on Windows, the library cancels what executions.json names."""
    built = abort_when_started("reflectRun suites: 'never-ends'", sim, tmp_path, unix=False)
    assert built.result == "ABORTED", built.log
    assert "reflectRun: canceling what was started" in built.log
    assert sim.wait_for(lambda service: not service.running())


def test_abort_that_reaches_no_process(sim: Simulator, tmp_path: Path) -> None:
    """Where the signal does not arrive, as in a docker agent without `ps`, the library cancels after Jenkins gave up."""
    built = abort_when_started("reflectRun suites: 'never-ends'", sim, tmp_path, signals=False)
    assert built.result == "ABORTED", built.log
    assert "process did not stop" in built.log
    assert sim.wait_for(lambda service: not service.running())


def test_abort_when_the_service_refuses_to_cancel(sim: Simulator, tmp_path: Path) -> None:
    """A cancellation that the service refuses leaves the build ABORTED, and the log says what is left."""
    built = abort_when_started("reflectRun suites: 'cancel-500'", sim, tmp_path, unix=False)
    assert built.result == "ABORTED", built.log
    assert "not everything could be canceled" in built.log
    assert sim.started[0].id in built.log


def test_skipped_is_not_called_passed(sim: Simulator, tmp_path: Path) -> None:
    """Without the key a skipped run is green but its verdict is no pass, so nothing is promoted on it."""
    body = "return reflectRun(suites: 'passes', missingKey: 'skip')"
    built = build(body, sim, tmp_path, credentials={})
    assert built.result == "SUCCESS", built.log
    assert built.returned["verdict"] == "skipped"


def test_green_without_a_report_is_not_called_passed(sim: Simulator, tmp_path: Path) -> None:
    """When no report could be written the build follows the exit code, but the verdict is no pass."""
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "file").touch()
    built = build("return reflectRun(suites: 'passes', reportDir: 'file/reports')", sim, tmp_path)
    assert built.result != "SUCCESS" or built.returned["verdict"] == "unreported", built.log


def test_time_limit_around_the_job(sim: Simulator, tmp_path: Path) -> None:
    """A time limit of the job itself cancels the executions as an abort does."""
    body = "timeout(time: 4, unit: 'SECONDS') { reflectRun suites: 'never-ends' }"
    built = build(body, sim, tmp_path)
    assert built.result == "ABORTED", built.log
    assert sim.wait_for(lambda service: not service.running())


def test_windows_agent(sim: Simulator, tmp_path: Path) -> None:
    """On a Windows agent the same call goes through powershell, and sh is not touched."""
    built = build("return reflectRun(suites: 'passes')", sim, tmp_path, unix=False)
    assert built.result == "SUCCESS", built.log
    assert built.calls("sh") == []
    assert len(built.calls("powershell")) == 1


def test_container_image(sim: Simulator, tmp_path: Path) -> None:
    """With `image` the runner is called by docker; the variables are named and no value is on the command line."""
    tools = tmp_path / "tools"
    tools.mkdir()
    # Writes its arguments down, then does what the container would do: the runner with its command.
    docker = tools / "docker"
    docker.write_text(
        f'#!/bin/sh\nprintf \'%s\\n\' "$@" > {tmp_path}/argv\nfor last; do :; done\nexec reflect-ci "$last"\n'
    )
    docker.chmod(0o755)
    agent = agent_environment(tmp_path, tools) | {"REFLECT_API_URL": sim.url}
    body = "return reflectRun(suites: 'passes', variables: [A: 'secret value'], image: 'registry.example.com/reflect-ci:0.1.0')"
    built = build(body, sim, tmp_path, agent=agent)
    assert built.result == "SUCCESS", built.log
    argv = (tmp_path / "argv").read_text().splitlines()
    assert argv[0] == "run"
    assert argv[-2:] == ["registry.example.com/reflect-ci:0.1.0", "run"]
    given = {name for option, name in zip(argv, argv[1:], strict=False) if option == "--env"}
    assert {"REFLECT_API_KEY", "REFLECT_SUITES", "REFLECT_VARIABLES", "REFLECT_REPORT_DIR", "BUILD_URL"} <= given
    assert not {"REFLECT_RUNNER", "REFLECT_IMAGE", "REFLECT_JENKINS_COMMAND"} & given
    assert not any("=" in name for name in given)
    assert KEY not in "".join(argv)
    assert "secret value" not in "".join(argv)


@pytest.fixture(scope="module")
def runner_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runner's real self-contained file."""
    path = tmp_path_factory.mktemp("runner") / "reflect-ci.pyz"
    pyz.build(path)
    return path


def test_library_brings_the_runner(sim: Simulator, tmp_path: Path, runner_file: Path) -> None:
    """The built library copies its file to the agent, runs it with nothing installed, and removes it again."""
    library = build_library(runner_file, tmp_path / "library")
    # A bare Python: no environment of its own, so neither the runner nor what it needs is there.
    agent = {"PATH": f"{sys.base_prefix}/bin:/usr/bin:/bin", "HOME": str(tmp_path), "REFLECT_API_URL": sim.url}
    built = build("return reflectRun(suites: 'passes')", sim, tmp_path, agent=agent, library=library)
    assert built.result == "SUCCESS", built.log
    written = [call["file"] for call in built.calls("writeFile")]
    assert len(written) == 1
    assert written[0].startswith(f"{tmp_path}/workspace@tmp/")
    assert not Path(written[0]).parent.exists()
    assert "installing" not in built.log


def test_library_is_built_without_links(tmp_path: Path, runner_file: Path) -> None:
    """A symbolic link in the sources, which Jenkins refuses, or a runner that is no zip file is an error."""
    (tmp_path / "source" / "vars").mkdir(parents=True)
    (tmp_path / "source" / "vars" / "a.groovy").symlink_to(LIBRARY / "README.md")
    with pytest.raises(BuildError, match="symbolic links"):
        build_library(runner_file, tmp_path / "out", tmp_path / "source")
    (tmp_path / "text").write_text("no zip")
    with pytest.raises(BuildError, match="is not the runner's file"):
        build_library(tmp_path / "text", tmp_path / "out")


def test_library_command(tmp_path: Path, runner_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """build-jenkins-library prints the folder, can be called again, and does not touch a folder that is something else."""
    arguments = ["--runner", str(runner_file), "--output", str(tmp_path / "library")]
    assert main(arguments) == 0
    assert main(arguments) == 0
    assert (tmp_path / "library" / "vars" / "reflectRun.groovy").is_file()
    assert "runner sha256: " in capsys.readouterr().out
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    assert main(["--runner", str(runner_file), "--output", str(tmp_path / "other")]) == 1
    assert "holds something else" in capsys.readouterr().err


def test_library_knows_the_input_table(sim: Simulator, tmp_path: Path) -> None:
    """The library's own tables are the runner's: inputs of each command, their variables, the words of the exit codes."""
    body = """
import reflectci.Inputs
import reflectci.Report
node {
    return [taken: Inputs.TAKEN, jenkins: Inputs.JENKINS, words: Report.WORDS,
            variables: Inputs.KINDS.keySet().collectEntries { [(it): Inputs.variableOf(it)] }]
}
"""
    returned = build(body, sim, tmp_path).returned
    for command in STEPS:
        rows = [row for row in for_command(command) if not row.secret]
        assert set(returned["taken"][command]) == {row.camel for row in (*rows, RUNNER)}, command
    assert returned["variables"] == {row.camel: row.env for row in (*INPUTS, RUNNER) if not row.secret}
    assert {int(code): word for code, word in returned["words"].items()} == {row.code: row.word for row in EXITS}


@pytest.mark.parametrize("command", STEPS)
def test_help_names_what_the_step_takes(sim: Simulator, tmp_path: Path, command: str) -> None:
    """The help that Jenkins shows names exactly the inputs that the step accepts, and each with the table's sentence."""
    built = build(f"{STEPS[command]} nonsense: 1", sim, tmp_path)
    takes = built.log.split("It takes: ")[1].split(".\n")[0].split(", ")
    lines = dict(
        line[2:].split(": ", 1)
        for line in (LIBRARY / "vars" / f"{STEPS[command]}.txt").read_text().splitlines()
        if line.startswith("- ")
    )
    assert sorted(lines) == sorted(takes)
    by_camel = {row.camel: row for row in BY_NAME.values()}
    for name, text in lines.items():
        if name in by_camel:
            assert text.startswith(by_camel[name].help), name


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 390), ("30m", 2100), ("1h30m", 5700), ("45", 345), ("", 2100), ("soon", 2100), ("999h", 86700)],
)
def test_backstop(sim: Simulator, tmp_path: Path, text: str, seconds: int) -> None:
    """Jenkins' own limit is five minutes over the runner's deadline, whatever the deadline's spelling."""
    body = f"import reflectci.Inputs\nnode {{ return Inputs.backstop('{text}') }}"
    assert build(body, sim, tmp_path).returned == seconds


def test_report_folder_of_many_suites(sim: Simulator, tmp_path: Path) -> None:
    """A long list of suites, or a hostile one, gives a folder's name that every system accepts."""
    many = ", ".join(f"'suite-number-{n}'" for n in range(40))
    body = f"""
import reflectci.Inputs
node {{
    def taken = [:]
    return [[{many}], '../../etc', ['a', 'b'], ['a', 'b'], null].collect {{ new Inputs([suites: it], taken).reportDir }}
}}
"""
    long, hostile, *rest = build(body, sim, tmp_path).returned
    assert len(long) < 90
    assert hostile == "reflect-report/__.._etc"
    assert rest == ["reflect-report/a_b", "reflect-report/a_b-2", "reflect-report"]
