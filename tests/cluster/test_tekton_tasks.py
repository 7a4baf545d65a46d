"""The Tasks, the StepAction and the Pipeline on the cluster: condition, reason, results, and what reached the service.

Everything is applied at once and then looked at one by one, since a TaskRun takes seconds and they run side by side.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .builder.progress import run
from .catalog import KEY, TEKTON, Volume, exit_code, install, params, pipelinerun, taskrun
from .namespace import Finished, Namespace
from .session import Cluster

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("tekton-tasks")]

SHA = "0123456789abcdef0123456789abcdef01234567"
HOSTILE = '"; touch pwned; $(id)'
FAILED, SUCCEEDED = ("False", "Failed"), ("True", "Succeeded")
# name of the TaskRun: its params, and how it must end: condition, exit code, verdict, and which suites were started.
CASES: dict[str, tuple[dict[str, str], tuple[str, str], int, str, list[str]]] = {
    "passed": ({"suites": "passes"}, SUCCEEDED, 0, "passed", ["passes"]),
    "failed": ({"suites": "fails"}, FAILED, 1, "failed", ["fails"]),
    "mixed-rows": ({"suites": "mixed"}, FAILED, 1, "failed", ["mixed"]),
    "canceled": ({"suites": "canceled"}, FAILED, 7, "canceled", ["canceled"]),
    "empty": ({"suites": "empty"}, FAILED, 8, "empty", ["empty"]),
    "wrong-key": ({"suites": "never-ends", "secret-name": "wrong-key"}, FAILED, 3, "auth", []),
    "unknown-suite": ({"suites": "no-such-suite"}, FAILED, 4, "not-found", []),
    "throttled": ({"suites": "throttled"}, SUCCEEDED, 0, "passed", ["throttled"]),
    "unavailable": ({"suites": "unavailable-poll"}, SUCCEEDED, 0, "passed", ["unavailable-poll"]),
    "cut-before": ({"suites": "cut-before"}, FAILED, 9, "unknown-start", []),
    "cut-after": ({"suites": "cut-after"}, SUCCEEDED, 0, "passed", ["cut-after"]),
    "deadline": ({"suites": "never-ends", "timeout": "4s"}, FAILED, 6, "timed-out", ["never-ends"]),
    "several": ({"suites": "takes-2 retried"}, SUCCEEDED, 0, "passed", ["retried", "takes-2"]),
    "hostile": ({"suites": HOSTILE}, FAILED, 2, "usage", []),
    "no-secret": ({"suites": "takes-12", "secret-name": "no-such-secret"}, FAILED, 2, "usage", []),
    "overridden": (
        {
            "suites": "many",
            "hosts": "www.example.com=https://staging.example.com/start",
            "variables": 'LOCALE=de\nQUOTED=a"b\'c\nKEPT=x$(REFLECT_API_KEY)y',
            "commit": f"acme/shop@{SHA}",
        },
        SUCCEEDED, 0, "passed", ["many"],
    ),
}  # fmt: skip
SUITES = ["passes", "fails", "canceled", "empty", "retried", "mixed"]


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[Namespace]:
    """Give a `restricted` namespace in which every case has been applied at once."""
    with cluster.fresh_namespace("tasks") as namespace:
        install(namespace)
        namespace.secret("wrong-key", {"api-key": "wrong-key"})
        Volume(namespace).make()
        url = namespace.simulator.url
        runs = [taskrun(name, "reflect-run", {"api-url": url, **values}) for name, (values, *_) in CASES.items()]
        as_file = {
            "api-url": url,
            "suites": "late",
            "secret-name": "none",
            "api-key-file": "/workspace/credentials/api-key",
        }
        runs.append(
            taskrun(
                "as-file",
                "reflect-run",
                as_file,
                workspaces=[{"name": "credentials", "secret": {"secretName": "reflect-api-key"}}],
            )
        )
        runs.append(
            taskrun(
                "reported",
                "reflect-run",
                {"api-url": url, "suites": "start-503-created"},
                workspaces=[Volume(namespace).workspace],
            )
        )
        namespace.apply(runs)
        yield namespace


def log_of(namespace: Namespace, name: str) -> str:
    """Return a TaskRun's log, in which the key must not be."""
    log = namespace.logs(name)
    assert KEY not in log
    return log


def started(namespace: Namespace, suite: str) -> list[dict[str, Any]]:
    """Return what the service started of a suite."""
    return [each for each in namespace.simulator.started() if each["suite"] == suite]


@pytest.mark.parametrize("name", CASES)
def test_a_taskrun_ends_as_it_must(place: Namespace, name: str) -> None:
    """Condition, reason, exit code and results say the same, and each suite ran once or not at all."""
    _, condition, code, verdict, suites = CASES[name]
    end = place.finished("taskrun", name)
    log = log_of(place, name)
    assert (end.condition, exit_code(end.object)) == (condition, code), log
    assert end.results["verdict"] == verdict
    assert set(end.results) >= {
        "status",
        "execution-id",
        "execution-url",
        "executions",
        "verdicts",
        "passed",
        "failed",
        "total",
    }
    assert sorted(each.partition("/")[0] for each in end.results["executions"].split()) == suites
    for suite in suites:
        assert len(started(place, suite)) == 1
    if suites:
        assert end.results["execution-id"] in {each["id"] for suite in suites for each in started(place, suite)}
        assert end.results["execution-url"].startswith("https://")
    else:
        assert end.results["execution-id"] == ""


def test_the_deadline_cancels_on_the_service(place: Namespace) -> None:
    """A suite that does not end is canceled at the deadline of the Task."""
    place.finished("taskrun", "deadline")
    (execution,) = started(place, "never-ends")
    assert execution["status"] in ("canceled", "cancelled")
    assert [
        call
        for call in place.simulator.calls()
        if call["method"] == "PATCH" and f"/{execution['id']}/" in call["path"] and "/never-ends/" in call["path"]
    ]


def test_overrides_reach_the_service(place: Namespace) -> None:
    """Host, variables and commit arrive to the letter; what looks like a reference to the key is not expanded."""
    place.finished("taskrun", "overridden")
    (execution,) = started(place, "many")
    body = execution["body"]
    assert body["overrides"]["hostnames"] == [{"original": "www.example.com", "replacement": "staging.example.com"}]
    assert body["variables"] == {"LOCALE": "de", "QUOTED": "a\"b'c", "KEPT": "x$(REFLECT_API_KEY)y"}
    assert body["gitHub"] == {"owner": "acme", "repo": "shop", "sha": SHA}


def test_counts_are_results(place: Namespace) -> None:
    """The counts of tests are those of the service."""
    results = place.finished("taskrun", "overridden").results
    assert (results["passed"], results["failed"], results["total"]) == ("40", "0", "40")


def test_a_hostile_suite_id_has_no_effect(place: Namespace) -> None:
    """It is refused with a sentence, and nobody ran it: the image has no shell that could."""
    place.finished("taskrun", "hostile")
    log = log_of(place, "hostile")
    assert "suite" in log
    assert "uid=" not in log
    assert not any("pwned" in call["path"] for call in place.simulator.calls())


def test_a_missing_secret_is_said(place: Namespace) -> None:
    """Without its Secret the TaskRun does not hang in the creation of its container: it says what to do."""
    place.finished("taskrun", "no-secret")
    assert "Secret" in log_of(place, "no-secret")


def test_the_key_comes_from_a_file_too(place: Namespace) -> None:
    """With the workspace `credentials` no environment variable holds the key."""
    end = place.finished("taskrun", "as-file")
    assert end.condition == SUCCEEDED, log_of(place, "as-file")


def test_the_key_is_in_no_object(place: Namespace) -> None:
    """No TaskRun, pod or event holds the key, and each call to the service carries it."""
    place.finished("taskrun", "passed")
    for kind in ("taskruns", "pods", "events"):
        assert KEY not in place.kubectl("get", kind, "--output", "json").stdout
    calls = [call for call in place.simulator.calls() if "/passes/" in call["path"]]
    assert calls
    # The service keeps the fingerprint of a key only.
    assert {call["headers"]["x-api-key"] for call in calls} == {"sha256:" + hashlib.sha256(KEY.encode()).hexdigest()}


def test_reports_go_to_the_workspace(place: Namespace, tmp_path: Path) -> None:
    """The workspace holds every report in a folder named after the TaskRun."""
    assert place.finished("taskrun", "reported").condition == SUCCEEDED
    folder = Volume(place).copy("reported", tmp_path / "reports")
    assert folder is not None
    assert {path.name for path in folder.iterdir()} >= {
        "junit.xml",
        "result.json",
        "summary.md",
        "report.html",
        "executions.json",
    }
    assert json.loads((folder / "result.json").read_text())["verdict"] == "passed"
    assert not any(KEY in path.read_text() for path in folder.iterdir())


def test_pods_are_restricted(place: Namespace) -> None:
    """The pods run without rights in a namespace that admits no others."""
    place.finished("taskrun", "passed")
    pod = place.get("pod", place.get("taskrun", "passed")["status"]["podName"])
    (step,) = (container for container in pod["spec"]["containers"] if container["name"] == "step-run")
    context = step["securityContext"]
    assert context["runAsNonRoot"] and context["readOnlyRootFilesystem"]
    assert context["capabilities"] == {"drop": ["ALL"]}
    labels = place.get("namespace", place.name)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


# --- ended from outside --------------------------------------------------------------------------------------------


def stopped(namespace: Namespace, kind: str, name: str, suite: str, status: str) -> Finished:
    """Set a run's spec.status once the service started its suite, and wait for its end."""
    assert namespace.wait_for(lambda: started(namespace, suite)), namespace.kubectl(
        "get", "pods,taskruns", check=False
    ).stdout
    namespace.kubectl("patch", kind, name, "--type=merge", "--patch", json.dumps({"spec": {"status": status}}))
    return namespace.finished(kind, name)


@pytest.fixture(scope="module")
def outside(cluster: Cluster) -> Iterator[Namespace]:
    """Give a namespace whose service has suites that never end, one for each way to be stopped."""
    with cluster.fresh_namespace("outside") as namespace:
        install(namespace)
        yield namespace


def test_a_taskrun_that_is_cancelled_cancels_on_the_service(outside: Namespace) -> None:
    """Cancelling the TaskRun cancels the remote execution."""
    outside.apply(taskrun("cancelled", "reflect-run", {"suites": "never-ends", "api-url": outside.simulator.url}))
    end = stopped(outside, "taskrun", "cancelled", "never-ends", "TaskRunCancelled")
    assert end.condition == ("False", "TaskRunCancelled")
    assert outside.simulator.wait_for(lambda service: not service.running()), "left running"
    assert any(call["method"] == "PATCH" and call["status"] == 200 for call in outside.simulator.calls())


def test_a_taskrun_that_times_out_cancels_on_the_service(outside: Namespace) -> None:
    """Tekton's own timeout cancels the remote execution too."""
    outside.simulator.reset()
    outside.apply(
        taskrun("timed-out", "reflect-run", {"suites": "never-ends", "api-url": outside.simulator.url}, timeout="20s")
    )
    end = outside.finished("taskrun", "timed-out")
    assert end.condition == ("False", "TaskRunTimeout")
    assert started(outside, "never-ends"), "it had no time to start anything"
    assert outside.simulator.wait_for(lambda service: not service.running()), "left running"


def test_a_pipelinerun_that_is_cancelled_cancels_on_the_service(outside: Namespace) -> None:
    """Cancelling the PipelineRun stops the fan-out and cancels each remote execution."""
    outside.simulator.reset()
    outside.apply(
        pipelinerun(
            "cancelled", "deploy-and-test", {"suites": ["never-ends", "never-ends"], "api-url": outside.simulator.url}
        )
    )
    assert outside.wait_for(lambda: len(started(outside, "never-ends")) == 2)
    end = stopped(outside, "pipelinerun", "cancelled", "never-ends", "Cancelled")
    assert end.condition == ("False", "Cancelled")
    assert outside.simulator.wait_for(lambda service: not service.running()), "left running"


def test_the_cancel_task_cancels_by_id(outside: Namespace) -> None:
    """reflect-cancel takes the result `executions` of reflect-run; one that had ended is no error."""
    outside.simulator.reset()
    url = outside.simulator.url
    outside.apply(taskrun("starts", "reflect-run", {"suites": "never-ends passes", "wait": "false", "api-url": url}))
    executions = outside.finished("taskrun", "starts").results["executions"]
    assert outside.simulator.wait_for(lambda service: len(service.running()) == 1)
    outside.apply(taskrun("cancels", "reflect-cancel", {"executions": executions, "api-url": url}))
    assert outside.finished("taskrun", "cancels").condition == SUCCEEDED, log_of(outside, "cancels")
    assert outside.simulator.running() == []


# --- the Pipeline and the samples ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pipelines(cluster: Cluster) -> Iterator[Namespace]:
    """Give a namespace in which the Pipelines and samples have been applied at once."""
    with cluster.fresh_namespace("pipelines") as namespace:
        install(namespace)
        Volume(namespace).make()
        url = namespace.simulator.url
        for sample in (
            "pipeline.yaml",
            "step-in-your-task.yaml",
            "taskrun.yaml",
            "taskrun-key-as-file.yaml",
            "pipelinerun.yaml",
        ):
            for document in yaml.safe_load_all(adapted((TEKTON / "samples" / sample).read_text(), url)):
                add_api_url(document, url)
                if "generateName" in document["metadata"]:
                    document["metadata"] = {"name": document["metadata"]["generateName"] + sample.partition(".")[0]}
                if document["spec"].get("pipelineRef") == {"name": "deploy-and-test"}:
                    document["spec"]["workspaces"] = [Volume(namespace).workspace]
                namespace.apply(document)
        suites = [SUITES[number % len(SUITES)] for number in range(30)]
        namespace.apply(pipelinerun("thirty", "deploy-and-test", {"suites": suites, "api-url": url}))
        yield namespace


def adapted(text: str, url: str) -> str:
    """Return a sample with suites of the simulated service for its own, and an address that answers for its host."""
    for old, new in {"smoke-tests": "passes", "checkout": "many", "search": "late"}.items():
        text = re.sub(rf"(?m)^(\s+(?:value:.*\b|- )){old}$", rf"\g<1>{new}", text)
    text = text.replace("smoke-tests many", "passes many")
    return text.replace("https://staging.example.com/\n", url.replace("/v1", "/_simulate/started\n"))


def add_api_url(document: dict[str, Any], url: str) -> None:
    """Point the steps and tasks that call Reflect to the simulated service."""
    spec = document["spec"]
    if (spec.get("taskRef") or spec.get("pipelineRef") or {}).get("name") in ("reflect-run", "deploy-and-test"):
        spec["params"] += params({"api-url": url})
    for part in (*spec.get("tasks", []), *spec.get("finally", []), *spec.get("steps", [])):
        reference = part.get("taskRef") or part.get("ref") or {}
        if str(reference.get("name", "")).startswith("reflect-"):
            part.setdefault("params", []).extend(params({"api-url": url}))


def test_thirty_suites_at_once_each_get_their_verdict(pipelines: Namespace) -> None:
    """The fan-out runs a TaskRun a suite; the PipelineRun fails, and tells each suite's verdict."""
    end = pipelines.finished("pipelinerun", "thirty", 600)
    assert end.condition == FAILED, end.message
    words = {
        "passes": "passed",
        "fails": "failed",
        "canceled": "canceled",
        "empty": "empty",
        "retried": "passed",
        "mixed": "failed",
    }
    expected = sorted(f"{suite}={words[suite]}" for suite in SUITES for _ in range(5))
    assert sorted(end.results["verdicts"].split()) == expected
    assert end.results["verdict"] == "canceled"
    names = {
        child["displayName"] for child in end.object["status"]["childReferences"] if child["pipelineTaskName"] == "test"
    }
    assert names == {f"Reflect suite {suite}" for suite in SUITES}
    counts = {suite: len(started(pipelines, suite)) for suite in ("fails", "canceled", "empty", "retried", "mixed")}
    assert counts == dict.fromkeys(counts, 5)


def test_the_deployment_comes_first(pipelines: Namespace, tmp_path: Path) -> None:
    """The Task that deploys is run before the suites, and the fan-out shares the volume for its reports."""
    end = pipelines.finished("pipelinerun", "deploy-and-test-pipelinerun")
    assert end.condition[0] == "True", end.message
    assert end.results["verdicts"] == "late=passed many=passed passes=passed"
    runs = {
        child["pipelineTaskName"]: pipelines.get("taskrun", child["name"])
        for child in end.object["status"]["childReferences"]
    }
    assert runs["deploy"]["status"]["completionTime"] <= runs["test"]["status"]["startTime"]
    folder = Volume(pipelines).copy("deploy-and-test-pipelinerun", tmp_path / "reports")
    assert folder is not None
    assert len(list(folder.rglob("result.json"))) == 3


def test_the_sample_pipeline_runs(pipelines: Namespace) -> None:
    """The sample of a Pipeline of one's own passes; nothing failed, so nothing is cleaned up."""
    end = pipelines.finished("pipelinerun", "release-pipeline")
    assert end.condition == ("True", "Completed"), end.message
    assert [skipped["name"] for skipped in end.object["status"]["skippedTasks"]] == ["clean-up"]


@pytest.mark.parametrize(
    ("name", "verdicts"),
    [("reflect-taskrun", "many=passed passes=passed"), ("reflect-taskrun-key-as-file", "passes=passed")],
)
def test_the_sample_taskruns_run(pipelines: Namespace, name: str, verdicts: str) -> None:
    """The samples of a TaskRun pass."""
    end = pipelines.finished("taskrun", name)
    assert end.condition == SUCCEEDED, log_of(pipelines, name)
    assert end.results["verdicts"] == verdicts


def test_the_stepaction_hands_its_results_to_its_task(pipelines: Namespace) -> None:
    """The StepAction in a Task of one's own: its step results become the Task's."""
    end = pipelines.finished("taskrun", "release-check-step-in-your-task")
    assert end.condition == SUCCEEDED, log_of(pipelines, "release-check-step-in-your-task")
    assert end.results["verdict"] == "passed"
    assert end.results["execution-url"].startswith("https://")


def test_clean_up_cancels_what_a_killed_runner_left(pipelines: Namespace) -> None:
    """When the runner is killed without a chance to cancel, `finally` cancels what executions.json names."""
    url = pipelines.simulator.url
    pipelines.apply(
        pipelinerun(
            "lost",
            "deploy-and-test",
            {"suites": ["never-ends"], "api-url": url},
            workspaces=[Volume(pipelines).workspace],
        )
    )
    assert pipelines.wait_for(lambda: started(pipelines, "never-ends"))
    # Saved before the first poll, so a poll means that it is saved.
    assert pipelines.wait_for(
        lambda: [
            call
            for call in pipelines.simulator.calls()
            if call["method"] == "GET" and "/never-ends/executions/" in call["path"]
        ]
    )
    kill_runner(pipelines, "tekton.dev/pipelineRun=lost,tekton.dev/pipelineTask=test")
    end = pipelines.finished("pipelinerun", "lost")
    assert end.condition == FAILED
    assert "verdict" not in end.results
    assert {child["pipelineTaskName"] for child in end.object["status"]["childReferences"]} >= {"test", "clean-up"}
    (status,) = [each["status"] for each in started(pipelines, "never-ends")]
    assert status in ("canceled", "cancelled")


def kill_runner(namespace: Namespace, selector: str) -> None:
    """Kill the runner of a pod by SIGKILL, as a node that runs out of memory does: the child of Tekton's entrypoint."""
    found = namespace.kubectl(
        "get", "pods", f"--selector={selector}", "--output=jsonpath={.items[0].status.containerStatuses[0].containerID}"
    ).stdout
    container = found.removeprefix("containerd://")
    node = ["docker", "exec", f"{namespace.cluster.name}-control-plane"]
    tasks = run([*node, "ctr", "--namespace", "k8s.io", "tasks", "ls"])
    (entrypoint,) = [line.split()[1] for line in tasks.splitlines() if line.startswith(container)]
    (runner,) = run([*node, "pgrep", "-P", entrypoint]).split()
    run([*node, "kill", "-KILL", runner])


def test_an_evicted_pod_cancels_on_the_service(outside: Namespace) -> None:
    """A pod that is told to go (drained node, eviction) cancels its execution, and the TaskRun fails without a second start."""
    outside.simulator.reset()
    outside.apply(taskrun("evicted", "reflect-run", {"suites": "never-ends", "api-url": outside.simulator.url}))
    assert outside.wait_for(lambda: len(started(outside, "never-ends")) == 1)
    outside.kubectl("delete", "pod", "--selector=tekton.dev/taskRun=evicted", "--wait=false")
    assert outside.finished("taskrun", "evicted").condition == FAILED
    assert len(started(outside, "never-ends")) == 1
    assert outside.simulator.running() == []
