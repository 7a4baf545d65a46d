"""The agent templates: expanded, their scripts really run, jobs cancelled in every way that an agent cancels."""

from __future__ import annotations

import shutil
import signal
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from deliver import pyz
from reflect_ci.inputs import RUNNER, Input, for_command
from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, PATIENCE, ROOT
from tests.platforms.azure.agent import HARSH, Agent, JobSeen
from tests.platforms.azure.expander import ExpansionError, expand_pipeline
from tests.platforms.azure.pipeline import Build
from tests.platforms.azure.support import SUITES, agents, build_sample, environ, template_parameters

NEVER = {"suites": {"checkout": {"status": "never"}, "login": {"status": "never"}}}


def pipeline(tmp: Path, template: str, root: Path = ROOT, **parameters: object) -> list[dict[str, Any]]:
    """Expand a pipeline of one template and return its steps."""
    file = tmp / "azure-pipelines.yml"
    repository = {"repository": "reflect", "type": "github", "name": "reflect-ci/catalog", "endpoint": "github"}
    steps = [{"template": f"tasks/azure-devops/templates/{template}@reflect", "parameters": parameters}]
    file.write_text(yaml.safe_dump({"resources": {"repositories": [repository]}, "steps": steps}))
    document = expand_pipeline(file, repositories={"reflect": root})
    found: list[dict[str, Any]] = document["steps"]
    return found


def run(tmp: Path, sim: Simulator, template: str = "reflect-run.steps.yml", **parameters: object) -> JobSeen:
    """Run one template on an agent."""
    steps = pipeline(tmp, template, ROOT, apiUrl=sim.url, runner="installed", **parameters)
    return agents(tmp)(tmp / "agent").run(steps)


def when_started(agent: Agent, sim: Simulator) -> Agent:
    """Have the job cancelled once the service saw a start."""
    agent.cancel = lambda: sim.wait_for(lambda service: bool(service.started), seconds=PATIENCE)
    return agent


def nothing_runs(sim: Simulator) -> bool:
    """Tell whether nothing is left running on the service, after some patience."""
    return sim.wait_for(lambda service: not service.running(), seconds=30)


# --- inputs ---------------------------------------------------------------------------------------------------------


def distinctive(row: Input) -> tuple[object, str]:
    """Return a value other than the default for an input, and what the runner must be given for it."""
    if row.kind == "flag":
        return row.default != "true", "false" if row.default == "true" else "true"
    if row.kind == "count":
        return 7, "7"
    if row.choices:
        return row.choices[1], row.choices[1]
    return f"value-of-{row.name}", f"value-of-{row.name}"


def environments(tmp: Path, template: str, command: str, **more: object) -> dict[str, dict[str, Any]]:
    """Expand a template with every input of its command given; return the environments of its steps by their title."""
    rows = [row for row in (*for_command(command), RUNNER) if not row.secret and row.name != "api-key-file"]
    declared = template_parameters(f"tasks/azure-devops/templates/{template}@reflect")
    given = {row.camel: distinctive(row)[0] for row in rows if row.camel in declared}
    file = tmp / "pipeline.yml"
    repository = {"repository": "reflect", "type": "github", "name": "reflect-ci/catalog", "endpoint": "github"}
    kind = "jobs" if ".jobs." in template else "steps"
    reference = {"template": f"tasks/azure-devops/templates/{template}@reflect", "parameters": {**given, **more}}
    extra = [{"job": "Start", "steps": []}] if "startJob" in declared else []
    file.write_text(yaml.safe_dump({"resources": {"repositories": [repository]}, kind: [*extra, reference]}))
    document = expand_pipeline(file, repositories={"reflect": ROOT})
    steps = document["steps"] if kind == "steps" else [step for job in document["jobs"] for step in job["steps"]]
    return {step["displayName"]: step["env"] for step in steps if "env" in step}


TITLE = {"displayName": "T"}


@pytest.mark.parametrize(
    ("template", "command", "more", "step", "reader"),
    [
        ("reflect-run.steps.yml", "run", {}, "T", "run"),
        ("reflect-run.steps.yml", "run", {}, "T (cancel)", "cancel"),
        ("reflect-run.steps.yml", "run", {"meanwhile": [{"bash": "true"}]}, "T (verdict)", "wait"),
        ("reflect-run.steps.yml", "run", {"meanwhile": [{"bash": "true"}]}, "T (verdict) (cancel)", "cancel"),
        ("reflect-run.jobs.yml", "run", {}, "T", "run"),
        ("reflect-run.jobs.yml", "run", {}, "T (cancel)", "cancel"),
        ("reflect-wait.steps.yml", "wait", {}, "T", "wait"),
        ("reflect-wait.steps.yml", "wait", {}, "T (cancel)", "cancel"),
        ("reflect-cancel.steps.yml", "cancel", {}, "T", "cancel"),
        ("reflect-collect.jobs.yml", "wait", {"startJob": "Start"}, "T", "wait"),
        ("reflect-collect.jobs.yml", "wait", {"startJob": "Start"}, "T (cancel)", "cancel"),
        ("reflect-collect.jobs.yml", "wait", {"startJob": "Start"}, "Cancel Reflect suites", "cancel"),
    ],
)
def test_every_input_reaches_the_runner(
    template: str, command: str, more: dict[str, object], step: str, reader: str, tmp_path: Path
) -> None:
    """Each parameter of a template arrives, through every template that it is handed on by, as the runner's variable."""
    found = environments(tmp_path, template, command, **TITLE, **more)[step]
    given = {row.name for row in for_command(command)} | {"runner"}
    for row in (*for_command(reader), RUNNER):
        if row.name in given and row.name not in ("api-key", "api-key-file", "executions", "from-file", "report-dir"):
            assert str(found[row.env]) == distinctive(row)[1], row.name
    if reader != "cancel":
        assert found["REFLECT_REPORT_DIR"] == "$(Agent.TempDirectory)/value-of-report-dir"
    if reader != "run":
        # Either what another step handed on, or the file that the starting step of this job wrote.
        assert found["REFLECT_EXECUTIONS"] in ("", "value-of-executions", "$(ReflectExecutions)")
        assert found["REFLECT_FROM_FILE"] in (
            "",
            "value-of-from-file",
            "$(Agent.TempDirectory)/value-of-report-dir/executions.json",
        )
        assert found["REFLECT_EXECUTIONS"] or found["REFLECT_FROM_FILE"]


@pytest.mark.parametrize("template", ["reflect-run.steps.yml", "reflect-run.jobs.yml"])
def test_key_variable_and_key_file_reach_every_step(template: str, tmp_path: Path) -> None:
    """Another variable's name, or a key file, is used by the starting, the waiting and the cancelling step."""
    more: dict[str, object] = {"meanwhile": [{"bash": "true"}]}
    named = environments(tmp_path, template, "run", apiKeyVariable="Other", **more)
    assert {found["REFLECT_API_KEY"] for found in named.values()} == {"$(Other)"}
    filed = environments(tmp_path, template, "run", apiKeyFile="/keys/reflect", **more)
    assert {found["REFLECT_API_KEY_FILE"] for found in filed.values()} == {"/keys/reflect"}
    assert len(filed) == 3


# --- outputs, reports, masks ------------------------------------------------------------------------------------------


def test_the_job_has_outputs_summary_and_published_tests(tmp_path: Path) -> None:
    """A later step reads id, page and verdict; the build's page gets the summary and the tests."""
    with Simulator() as sim:
        seen = run(tmp_path, sim, suites="passes")
    assert seen.green
    assert seen.outputs["verdict"] == "passed"
    assert seen.outputs["executionId"] == sim.started[0].id
    assert sim.started[0].id in seen.outputs["executionUrl"]
    commands = {command: (properties, text) for command, properties, text in seen.commands}
    assert Path(commands["task.uploadsummary"][1]).is_file()
    assert commands["results.publish"][0]["type"] == "JUnit"
    assert Path(commands["results.publish"][0]["resultfiles"]).is_file()


def test_the_key_is_masked_by_the_platforms_own_command(tmp_path: Path) -> None:
    """The agent is told to mask the key, for whatever prints it later; no line and no output holds it."""
    with Simulator() as sim:
        seen = run(tmp_path, sim, suites="echo-key")
    assert KEY in seen.secrets
    assert KEY not in seen.text
    assert KEY not in "".join(seen.outputs.values())


def test_the_key_reaches_only_the_step_that_maps_it(tmp_path: Path) -> None:
    """The agent itself puts no secret into a script's environment, so the template has to, and does it by env alone."""
    for step in pipeline(tmp_path, "reflect-run.steps.yml", suites="passes"):
        assert step["env"]["REFLECT_API_KEY"] == "$(ReflectApiKey)"
        assert "ReflectApiKey" not in step["bash"]


def test_a_key_file_takes_the_place_of_the_variable(tmp_path: Path) -> None:
    """With a key file nothing refers to the secret variable, which then need not exist."""
    key = tmp_path / "key"
    key.write_text(KEY + "\n")
    with Simulator() as sim:
        steps = pipeline(
            tmp_path, "reflect-run.steps.yml", apiUrl=sim.url, runner="installed", suites="passes", apiKeyFile=str(key)
        )
        seen = agents(tmp_path, secrets={})(tmp_path / "agent").run(steps)
    assert seen.green, seen.text
    assert all("REFLECT_API_KEY" not in step["env"] for step in steps)


# --- cancellation -----------------------------------------------------------------------------------------------------


def test_a_cancelled_job_cancels_its_suites(tmp_path: Path) -> None:
    """The runner gets the agent's SIGINT and cancels; the step after it has nothing left to do and is no error."""
    with Simulator() as sim:
        steps = pipeline(tmp_path, "reflect-run.steps.yml", apiUrl=sim.url, runner="installed", suites="never-ends")
        seen = when_started(agents(tmp_path)(tmp_path / "agent"), sim).run(steps)
        assert nothing_runs(sim), seen.text
    assert seen.status == "Canceled"
    assert [step.result for step in seen.steps] == ["canceled", "succeeded"], seen.text


def test_a_job_whose_script_is_killed_at_once_cancels_its_suites_all_the_same(tmp_path: Path) -> None:
    """Where the script gets no signal that it could act on, the cancel step does the work, from the saved ids."""
    with Simulator(NEVER) as sim:
        steps = pipeline(tmp_path, "reflect-run.steps.yml", apiUrl=sim.url, runner="installed", suites="checkout login")
        agent = agents(tmp_path)(tmp_path / "agent")
        saved = agent.temp / "reflect-report" / "executions.json"

        def both_saved() -> object:
            # The ids are saved after each start.
            return sim.wait_for(lambda _: saved.is_file() and saved.read_text().count('"id"') >= 2, seconds=PATIENCE)

        agent.cancel = both_saved
        agent.signals = HARSH
        seen = agent.run(steps)
        assert nothing_runs(sim), seen.text
    assert seen.status == "Canceled"
    assert len([call for call in sim.calls if call.method == "PATCH"]) == 2


def test_a_job_cancelled_before_the_start_starts_nothing(tmp_path: Path) -> None:
    """Nothing is started after the cancellation, whatever the caller's condition says, and cancelling nothing is no error."""
    with Simulator() as sim:
        steps = pipeline(
            tmp_path, "reflect-run.steps.yml", apiUrl=sim.url, runner="installed", suites="passes", condition="always()"
        )
        agent = agents(tmp_path)(tmp_path / "agent")
        agent.cancel_before = "reflectRun"
        seen = agent.run(steps)
    assert [step.result for step in seen.steps] == ["skipped", "succeeded"], seen.text
    assert sim.calls == []
    assert "nothing to cancel" in seen.text


def cancelled_while_fetching(root: Path, tmp: Path) -> list[str]:
    """Cancel a job while its script still looks for a Python that can run the runner; return what was called."""
    marker, shims = tmp / "fetching", tmp / "shims"
    shims.mkdir()
    shim = shims / "python3"
    # A slow Python stands for a slow package index.
    shim.write_text(f'#!/bin/sh\necho >"{marker}"\nsleep 2\nexec "{sys.executable}" "$@"\n')
    shim.chmod(0o755)
    runner = tmp / "reflect-ci.pyz"
    with zipfile.ZipFile(runner, "w") as archive:
        for name, content in pyz.runner():
            archive.writestr(name, content)
    with Simulator() as sim:
        steps = pipeline(tmp, "reflect-run.steps.yml", root, apiUrl=sim.url, runner=str(runner), suites="takes-2")
        agent = agents(tmp)(tmp / "agent")
        agent.environ = {**agent.environ, "PATH": f"{shims}:{agent.environ['PATH']}"}

        def fetching() -> None:
            assert sim.wait_for(lambda _: marker.exists(), seconds=PATIENCE)

        agent.cancel = fetching
        # More patience than the agent has, so that a slow machine makes no difference.
        agent.signals = ((signal.SIGINT, PATIENCE), (signal.SIGKILL, 5.0))
        assert agent.run(steps).status == "Canceled"
        return [f"{call.method} {call.path}" for call in sim.calls]


def test_a_job_cancelled_while_the_runner_is_fetched_starts_nothing(tmp_path: Path) -> None:
    """bash does not go on to start suites after the agent's SIGINT came during the fetch."""
    (tmp_path / "good").mkdir()
    (tmp_path / "bad").mkdir()
    assert cancelled_while_fetching(ROOT, tmp_path / "good") == []
    # And the test would notice: without the trap the suite is started (and cancelled later).
    root = mutated(tmp_path, "reflect-run.steps.yml", "    trap 'exit 130' INT\n", "")
    assert "POST /suites/takes-2/executions" in cancelled_while_fetching(root, tmp_path / "bad")


MEANWHILE = [{"bash": "echo meanwhile", "displayName": "Meanwhile"}]


def test_meanwhile_steps_run_between_start_and_verdict(tmp_path: Path) -> None:
    """The suites are started first, the verdict is taken last, each suite runs once."""
    with Simulator() as sim:
        seen = run(tmp_path, sim, suites="fails", meanwhile=MEANWHILE)
    assert [(step.title, step.result) for step in seen.steps] == [
        ("Reflect suites", "succeeded"),
        ("Meanwhile", "succeeded"),
        ("Reflect suites (verdict)", "failed"),
        ("Reflect suites (verdict) (cancel)", "skipped"),
    ]
    assert [started.suite for started in sim.started] == ["fails"]
    # Published once, where the verdict is known.
    assert [command for command, _, _ in seen.commands].count("results.publish") == 1


def test_a_job_cancelled_between_start_and_verdict_cancels_its_suites(tmp_path: Path) -> None:
    """A build cancelled while other steps run does not wait for the suites any more, it cancels them."""
    with Simulator() as sim:
        steps = pipeline(
            tmp_path,
            "reflect-run.steps.yml",
            apiUrl=sim.url,
            runner="installed",
            suites="never-ends",
            meanwhile=MEANWHILE,
        )
        agent = agents(tmp_path)(tmp_path / "agent")
        agent.cancel_before = "Meanwhile"
        seen = agent.run(steps)
        assert nothing_runs(sim), seen.text
    assert [step.result for step in seen.steps] == ["succeeded", "skipped", "skipped", "succeeded"]


def test_the_verdict_is_taken_when_a_step_in_between_failed(tmp_path: Path) -> None:
    """A failing step in between does not leave the suites running unseen."""
    with Simulator() as sim:
        seen = run(tmp_path, sim, suites="takes-2", meanwhile=[{"bash": "exit 3", "displayName": "Meanwhile"}])
    assert [step.result for step in seen.steps] == ["succeeded", "failed", "succeeded", "skipped"], seen.text
    assert not seen.green


def test_a_skipped_start_needs_no_verdict(tmp_path: Path) -> None:
    """Without a key, and with missingKey: skip, the whole arrangement is skipped and green."""
    with Simulator() as sim:
        steps = pipeline(
            tmp_path,
            "reflect-run.steps.yml",
            apiUrl=sim.url,
            runner="installed",
            suites="passes",
            missingKey="skip",
            meanwhile=MEANWHILE,
        )
        seen = agents(tmp_path, secrets={})(tmp_path / "agent").run(steps)
    assert seen.green, seen.text
    assert [step.result for step in seen.steps] == ["succeeded", "succeeded", "skipped", "skipped"]
    assert sim.calls == []


def test_a_condition_that_does_not_hold_skips_everything(tmp_path: Path) -> None:
    """Where the caller's condition skips the start, no verdict is expected."""
    with Simulator() as sim:
        seen = run(
            tmp_path,
            sim,
            suites="passes",
            condition="eq(variables['Build.SourceBranch'], 'refs/heads/x')",
            meanwhile=MEANWHILE,
        )
    assert [step.result for step in seen.steps] == ["skipped", "succeeded", "skipped", "skipped"]
    assert seen.green


# --- what Azure refuses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({}, "suites must be provided"),
        ({"suites": "a", "suite": "b"}, "unexpected parameter suite"),
        ({"suites": "a", "wait": "perhaps"}, "no boolean"),
        ({"suites": "a", "onTimeout": "later"}, "is none of"),
        ({"suites": "a", "concurrency": "many"}, "no number"),
        ({"suites": "a", "variables": {"A": "b"}}, "no string"),
    ],
)
def test_wrong_parameters_are_refused_when_the_pipeline_is_compiled(
    parameters: dict[str, object], says: str, tmp_path: Path
) -> None:
    """Types and allowed values are declared, so Azure refuses a mistake before a job begins."""
    with pytest.raises(ExpansionError, match=says):
        pipeline(tmp_path, "reflect-run.steps.yml", ROOT, **parameters)


# --- the samples ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["passed", "failed"])
@pytest.mark.parametrize(
    "name", ["azure-pipelines.yml", "start-and-collect.yml", "two-jobs.yml", "agent-job.yml", "extends.yml"]
)
def test_samples_have_the_colour_of_their_suites(name: str, status: str, tmp_path: Path) -> None:
    """Each sample, as it stands, is green when the suites pass and red when one fails; each suite runs once."""
    with Simulator({"suites": {**SUITES, "checkout": {"status": status}}}) as sim:
        seen = build_sample(name, sim, tmp_path)
    assert seen.green == (status == "passed"), seen.text
    suites = [started.suite for started in sim.started]
    assert sorted(suites) in (["checkout"], ["checkout", "login"])


def test_the_first_sample_sends_hosts_and_variables(tmp_path: Path) -> None:
    """Host and build number of the sample reach the service, and the step after it gets the page's address."""
    with Simulator({"suites": SUITES}) as sim:
        seen = build_sample("azure-pipelines.yml", sim, tmp_path)
    # Two suites start side by side, so their order at the service is any.
    assert {started.suite for started in sim.started} == {"checkout", "login"}
    for started in sim.started:
        assert started.body is not None
        assert started.body["overrides"] == {
            "hostnames": [{"original": "www.example.com", "replacement": "staging.example.com"}]
        }
        assert started.body["variables"] == {"BUILD": "4711"}
    assert "The page of the run is https://app.reflect.run/suites/checkout/executions/" in seen.text


@pytest.mark.parametrize(("status", "promoted"), [("passed", "Succeeded"), ("failed", "Skipped")])
def test_extends_promotes_only_what_passed(status: str, promoted: str, tmp_path: Path) -> None:
    """The stage after the suites runs only when they passed."""
    with Simulator({"suites": {**SUITES, "login": {"status": status}}}) as sim:
        seen = build_sample("extends.yml", sim, tmp_path)
    assert seen.results.get("Production.Deploy", seen.results.get("Production")) == promoted


def test_extends_cannot_be_bypassed_by_a_condition(tmp_path: Path) -> None:
    """A later stage that says always() or depends on nothing still waits for the suites."""
    sample = ROOT / "tasks" / "azure-devops" / "samples" / "extends.yml"
    file = tmp_path / "extends.yml"
    file.write_text(
        sample.read_text().replace(
            "    - stage: Production\n", "    - stage: Production\n      dependsOn: []\n      condition: always()\n"
        )
    )
    stages = expand_pipeline(file, repositories={"reflect": ROOT})["stages"]
    assert stages[-1]["dependsOn"] == "Reflect"
    assert stages[-1]["condition"] == "and(succeeded(), always())"


def extended(tmp: Path, inputs: str) -> list[dict[str, Any]]:
    """Expand the extends sample with more inputs; return the steps of its Reflect stage."""
    file = tmp / "extends.yml"
    sample = (ROOT / "tasks" / "azure-devops" / "samples" / "extends.yml").read_text()
    file.write_text(
        sample.replace("    suites: checkout login\n", f"    suites: checkout login\n    inputs: {inputs}\n")
    )
    stages = expand_pipeline(file, repositories={"reflect": ROOT})["stages"]
    (job,) = next(stage for stage in stages if stage["stage"] == "Reflect")["jobs"]
    found: list[dict[str, Any]] = job["steps"]
    return found


def test_extends_hands_any_other_input_on(tmp_path: Path) -> None:
    """Inputs that the pipeline template does not name itself reach the step, and a misspelt one is refused."""
    (step,) = [
        step for step in extended(tmp_path, "{tunnel: office, allowEmpty: true}") if step.get("name") == "reflectRun"
    ]
    assert (step["env"]["REFLECT_TUNNEL"], step["env"]["REFLECT_ALLOW_EMPTY"]) == ("office", "true")
    with pytest.raises(ExpansionError, match="unexpected parameter tunel"):
        extended(tmp_path, "{tunel: office}")


@pytest.mark.parametrize(("key", "verdict", "started"), [(True, "passed", 1), (False, "skipped", 0)])
def test_the_pull_request_sample(key: bool, verdict: str, started: int, tmp_path: Path) -> None:
    """A pull request is tested at its preview's address; one from a fork, without secrets, is skipped and green."""
    with Simulator({"suites": SUITES}) as sim:
        root = sim.url.removesuffix("/v1")
        build = Build(
            home=tmp_path / "build",
            agent=agents(
                tmp_path, secrets=None if key else {}, variables={"System.PullRequest.PullRequestNumber": "12"}
            ),
        )
        seen = build_sample(
            "pull-request.yml", sim, tmp_path, build=build, waitForUrl=f"{root}/_simulate/calls?$(PreviewHost)"
        )
    assert seen.green, seen.text
    assert seen.jobs["Reflect"].outputs["verdict"] == verdict
    assert len(sim.started) == started
    if started:
        assert (sim.started[0].body or {})["overrides"]["hostnames"][0]["replacement"] == "pr-12.preview.example.com"


# --- two jobs ---------------------------------------------------------------------------------------------------------


def test_two_jobs_cancelled_in_between_leave_nothing_running(tmp_path: Path) -> None:
    """A build cancelled between the starting job and the collecting one cancels the suites, and waits for nothing."""
    with Simulator(NEVER) as sim:
        build = Build(home=tmp_path / "build", agent=agents(tmp_path), after=lambda job: job == "Start")
        seen = build_sample("two-jobs.yml", sim, tmp_path, build=build)
        assert nothing_runs(sim), seen.text
    assert seen.results == {
        "Start": "Succeeded",
        "LoadTest": "Skipped",
        "ReflectVerdict": "Skipped",
        "ReflectVerdictCancel": "Succeeded",
    }


def test_two_jobs_cancelled_while_collecting_leave_nothing_running(tmp_path: Path) -> None:
    """A build cancelled while the verdict is waited for cancels the suites."""
    with Simulator(NEVER) as sim:

        def make(home: Path) -> Agent:
            agent = agents(tmp_path)(home)
            if home.name == "ReflectVerdict":
                agent.cancel = lambda: sim.wait_for(
                    lambda service: any(call.method == "GET" and "/executions/" in call.path for call in service.calls),
                    seconds=PATIENCE,
                )
            return agent

        seen = build_sample("two-jobs.yml", sim, tmp_path, build=Build(home=tmp_path / "build", agent=make))
        assert nothing_runs(sim), seen.text
    assert seen.results["ReflectVerdict"] == "Canceled"


def test_two_jobs_collect_the_verdict_although_a_job_in_between_failed(tmp_path: Path) -> None:
    """The suites are not left unseen when another job failed."""
    with Simulator({"suites": {**SUITES, "login": {"status": "failed"}}}) as sim:
        sample = (ROOT / "tasks" / "azure-devops" / "samples" / "two-jobs.yml").read_text()
        file = tmp_path / "two.yml"
        file.write_text(sample.replace('echo "your load test"', "exit 1"))
        from tests.platforms.azure.support import expanded, pointed

        document = expanded(pointed(file, tmp_path / "pointed.yml", sim))
        seen = Build(home=tmp_path / "build", agent=agents(tmp_path)).run(document)
    assert seen.results == {
        "Start": "Succeeded",
        "LoadTest": "Failed",
        "ReflectVerdict": "Failed",
        "ReflectVerdictCancel": "Skipped",
    }


def test_two_jobs_without_a_key_are_skipped_when_that_is_chosen(tmp_path: Path) -> None:
    """Where the start was skipped for want of a key, no verdict is expected, and the build is green."""
    with Simulator({"suites": SUITES}) as sim:
        build = Build(home=tmp_path / "build", agent=agents(tmp_path, secrets={}))
        seen = build_sample("two-jobs.yml", sim, tmp_path, build=build, missingKey="skip")
    assert seen.green, seen.text
    assert seen.results["ReflectVerdict"] == "Skipped"
    assert sim.calls == []


# --- what the tests above would not notice ----------------------------------------------------------------------------


def mutated(tmp: Path, file: str, old: str, new: str) -> Path:
    """Return a copy of the catalog's templates with one place changed."""
    root = tmp / "catalog"
    shutil.copytree(ROOT / "tasks" / "azure-devops" / "templates", root / "tasks" / "azure-devops" / "templates")
    path = root / "tasks" / "azure-devops" / "templates" / file
    text = path.read_text()
    assert old in text, f"{old!r} is not in {file}"
    path.write_text(text.replace(old, new))
    return root


def left_running_when_killed(root: Path, tmp: Path) -> bool:
    """Tell whether a suite is left running after the script was killed."""
    with Simulator() as sim:
        steps = pipeline(
            tmp, "reflect-run.steps.yml", root=root, apiUrl=sim.url, runner="installed", suites="never-ends"
        )
        agent = agents(tmp)(tmp / "agent")
        saved = agent.temp / "reflect-report" / "executions.json"
        agent.cancel = lambda: sim.wait_for(lambda _: saved.is_file() and '"id"' in saved.read_text(), seconds=PATIENCE)
        agent.signals = HARSH
        agent.run(steps)
        return bool(sim.running())


def started_after_cancellation(root: Path, tmp: Path) -> bool:
    """Tell whether a suite was started in a cancelled job."""
    with Simulator() as sim:
        steps = pipeline(
            tmp,
            "reflect-run.steps.yml",
            root=root,
            apiUrl=sim.url,
            runner="installed",
            suites="passes",
            condition="always()",
        )
        agent = agents(tmp)(tmp / "agent")
        agent.cancel_before = "reflectRun"
        agent.run(steps)
        return bool(sim.started)


def left_running_between(root: Path, tmp: Path) -> bool:
    """Tell whether a suite is left running after a cancellation between start and verdict."""
    with Simulator() as sim:
        steps = pipeline(
            tmp,
            "reflect-run.steps.yml",
            root=root,
            apiUrl=sim.url,
            runner="installed",
            suites="never-ends",
            meanwhile=MEANWHILE,
        )
        agent = agents(tmp)(tmp / "agent")
        agent.cancel_before = "Meanwhile"
        agent.run(steps)
        return bool(sim.running())


def key_missing(root: Path, tmp: Path) -> bool:
    """Tell whether the job is red although it has the secret."""
    with Simulator() as sim:
        steps = pipeline(tmp, "reflect-run.steps.yml", root=root, apiUrl=sim.url, runner="installed", suites="passes")
        return not agents(tmp)(tmp / "agent").run(steps).green


@pytest.mark.parametrize(
    ("symptom", "file", "old", "new"),
    [
        pytest.param(
            left_running_when_killed,
            "reflect-cancel.steps.yml",
            "default: canceled()",
            "default: failed()",
            id="cancel step without canceled()",
        ),
        pytest.param(
            started_after_cancellation,
            "reflect-run.steps.yml",
            "and(not(canceled()), ${{ parameters.condition }})",
            "${{ parameters.condition }}",
            id="start without not(canceled())",
        ),
        pytest.param(
            left_running_between,
            "reflect-wait.steps.yml",
            "    displayName: ${{ parameters.displayName }} (cancel)",
            "    displayName: x\n    condition: failed()",
            id="collection without a cancel step",
        ),
        pytest.param(
            key_missing,
            "reflect-run.steps.yml",
            "      REFLECT_API_KEY: $(${{ parameters.apiKeyVariable }})",
            "      OTHER: x",
            id="secret not mapped",
        ),
    ],
)
def test_a_template_without_its_safeguard_shows_the_symptom(
    symptom: Callable[[Path, Path], bool], file: str, old: str, new: str, tmp_path: Path
) -> None:
    """Each safeguard is needed: with it the symptom is absent, without it there."""
    (tmp_path / "good").mkdir()
    (tmp_path / "bad").mkdir()
    assert not symptom(ROOT, tmp_path / "good")
    assert symptom(mutated(tmp_path, file, old, new), tmp_path / "bad")


def test_the_environment_of_these_tests_is_explicit(tmp_path: Path) -> None:
    """No variable of the machine that runs the tests reaches a pipeline."""
    assert set(environ(tmp_path)) == {"PATH", "HOME", "TMPDIR", "LANG"}
