"""The webhook triggers on the cluster: who gets past the listener, what is started and how often, and Azure's callback."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.platforms.azure.events import Events
from tests.platforms.azure.server import build
from tests.platforms.azure.support import SAMPLES, expanded

from .builder.progress import attempt
from .catalog import forget_cluster_role_bindings, install, kustomized
from .namespace import Namespace
from .session import Cluster

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("tekton-triggers")]

TOKEN = "eyJhbGciOiJub25lIn0.TheJobsOwnTokenThatMustNotLeak.sig"
SHA = "0123456789abcdef0123456789abcdef01234567"


def post(namespace: Namespace, listener: str, body: str, headers: Mapping[str, str]) -> int:
    """Send a request to a listener's Service from inside of the cluster's node; return the status."""
    address = namespace.get("service", f"el-{listener}")["spec"]["clusterIP"]
    words = [
        "docker",
        "exec",
        "--interactive",
        f"{namespace.cluster.name}-control-plane",
        "curl",
        "--silent",
        "--max-time",
        "60",
    ]
    words += ["--output", "/dev/null", "--write-out", "%{http_code}", "--data-binary", "@-"]
    for name, value in {"Content-Type": "application/json", **headers}.items():
        words += ["--header", f"{name}: {value}"]
    done = attempt([*words, f"http://{address}:8080/"], input=body, seconds=90)
    return int(done.stdout or 0)


def listening(namespace: Namespace, listener: str) -> None:
    """Wait until a listener answers at all."""
    namespace.kubectl("wait", f"eventlistener/{listener}", "--for=condition=Ready", "--timeout=180s", seconds=200)
    assert namespace.wait_for(lambda: post(namespace, listener, "{}", {}) in (200, 202), seconds=120), (
        f"{listener} does not answer"
    )


def with_api_url(text: str, url: str) -> str:
    """Add the simulated service's address to the runs of a trigger, as an overlay of a user's would."""
    documents = [json.loads(part) for part in text.split("\n---\n")]
    for document in documents:
        for template in document["spec"].get("resourcetemplates", []) if document["kind"] == "TriggerTemplate" else []:
            if "params" in template.get("spec", {}):
                template["spec"]["params"].append({"name": "api-url", "value": url})
    return "\n---\n".join(json.dumps(document, ensure_ascii=False) for document in documents)


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[Namespace]:
    """Give a namespace with the catalog and the listeners of GitHub and Heroku."""
    with cluster.fresh_namespace("triggers") as namespace:
        install(namespace)
        url = namespace.simulator.url
        namespace.secret("reflect-github-webhook", {"secret": "github-secret"})
        namespace.secret("reflect-heroku-webhook", {"authorization": "heroku-secret"})
        github = kustomized(namespace, "github-deployment", ('["smoke-tests", "checkout"]', '["passes", "takes-2"]'))
        heroku = kustomized(
            namespace, "heroku-release",
            ("smoke-tests checkout", "passes retried"),
            ("https://staging.shop.example.com/releases/v$(extensions.version)", f"{url.removesuffix('/v1')}/_simulate/started?v$(extensions.version)"),
        )  # fmt: skip
        namespace.apply(with_api_url(github, url))
        namespace.apply(with_api_url(heroku, url))
        try:
            listening(namespace, "reflect-github")
            listening(namespace, "reflect-heroku")
            yield namespace
        finally:
            forget_cluster_role_bindings(namespace, "reflect-github", "reflect-heroku")


def names(namespace: Namespace, kind: str) -> list[str]:
    """Return the names of all objects of a kind."""
    return namespace.kubectl("get", kind, "--output=jsonpath={.items[*].metadata.name}").stdout.split()


# --- GitHub --------------------------------------------------------------------------------------------------------


def deployment(number: int, **changes: Any) -> dict[str, Any]:
    """Return a deployment_status event as GitHub sends it, reduced to what is read; changes by dotted path."""
    event: dict[str, Any] = {
        "action": "created",
        "deployment_status": {
            "id": number,
            "state": "success",
            "environment_url": "http://reflect-simulator/_simulate/started",
        },
        "deployment": {"id": number, "sha": SHA, "environment": "production"},
        "repository": {"name": "shop", "owner": {"login": "acme"}},
    }
    for path, value in changes.items():
        part = event
        *above, last = path.split("__")
        for step in above:
            part = part[step]
        part[last] = value
    return event


def github(
    namespace: Namespace, event: dict[str, Any], secret: str = "github-secret", kind: str = "deployment_status"
) -> int:
    """Send an event, signed as GitHub signs."""
    body = json.dumps(event)
    signature = "sha256=" + hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
    return post(namespace, "reflect-github", body, {"X-GitHub-Event": kind, "X-Hub-Signature-256": signature})


def test_a_successful_deployment_starts_the_pipeline_once(place: Namespace) -> None:
    """The event starts deploy-and-test with host and commit of the deployment; delivered twice, it starts nothing more."""
    event = deployment(2147483650)
    assert [github(place, event), github(place, event)] == [202, 202]
    assert place.wait_for(lambda: "reflect-github-2147483650" in names(place, "pipelineruns"))
    end = place.finished("pipelinerun", "reflect-github-2147483650")
    assert end.condition[0] == "True", end.message
    assert end.results["verdicts"] == "passes=passed takes-2=passed"
    (body,) = [each["body"] for each in place.simulator.started() if each["suite"] == "takes-2"]
    assert body["overrides"]["hostnames"] == [{"original": "shop.example.com", "replacement": "reflect-simulator"}]
    assert body["gitHub"] == {"owner": "acme", "repo": "shop", "sha": SHA}
    assert [name for name in names(place, "pipelineruns") if name.startswith("reflect-github")] == [
        "reflect-github-2147483650"
    ]


REFUSED: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "wrong-signature": ({}, {"secret": "another-secret"}),
    "other-event": ({}, {"kind": "push"}),
    "wrong-environment": ({"deployment__environment": "preview"}, {}),
    "wrong-state": ({"deployment_status__state": "failure"}, {}),
    "in-progress": ({"deployment_status__state": "in_progress"}, {}),
    "no-environment-url": ({"deployment_status__environment_url": ""}, {}),
    "hostile-url": (
        {"deployment_status__environment_url": 'https://x.example.com/"}],"serviceAccountName":"admin","x":[{"a":"'},
        {},
    ),
    "hostile-sha": ({"deployment__sha": "$(touch pwned)"}, {}),
    "hostile-repository": ({"repository__name": {"a": "b"}}, {}),
}


def test_no_other_event_starts_anything(place: Namespace) -> None:
    """A wrong signature, event, environment, state or malformed text starts nothing, and no sender learns why."""
    before = names(place, "pipelineruns")
    statuses = {
        name: github(place, deployment(9000 + number, **changes), **options)
        for number, (name, (changes, options)) in enumerate(REFUSED.items())
    }
    assert set(statuses.values()) == {202}
    # The right one that follows proves that the listener had time for those before it.
    assert github(place, deployment(9999, deployment__environment="staging")) == 202
    assert place.wait_for(lambda: "reflect-github-9999" in names(place, "pipelineruns"))
    assert set(names(place, "pipelineruns")) - set(before) == {"reflect-github-9999"}


# --- Heroku --------------------------------------------------------------------------------------------------------


def release(version: int, status: str = "succeeded", app: str = "shop-staging", action: str = "update") -> str:
    """Return an api:release notification as Heroku sends it, reduced to what is read."""
    data = {"app": {"id": str(uuid.uuid4()), "name": app}, "status": status, "version": version, "current": True}
    return json.dumps({"action": action, "resource": "release", "data": data})


def heroku(namespace: Namespace, body: str, authorization: str = "heroku-secret") -> int:
    """Send a notification with the webhook's Authorization header."""
    return post(namespace, "reflect-heroku", body, {"Authorization": authorization} if authorization else {})


def test_a_release_starts_the_suites_once(place: Namespace) -> None:
    """Of all that Heroku tells about a release one run comes of it, after the release's address has answered."""
    for body in (release(42, "pending", action="create"), release(42), release(42), release(42, action="create")):
        assert heroku(place, body) == 202
    assert place.wait_for(lambda: "reflect-heroku-shop-staging-v42" in names(place, "taskruns"))
    end = place.finished("taskrun", "reflect-heroku-shop-staging-v42")
    assert end.condition[0] == "True", place.logs("reflect-heroku-shop-staging-v42")
    assert end.results["verdicts"] == "passes=passed retried=passed"
    assert len([each for each in place.simulator.started() if each["suite"] == "retried"]) == 1
    (parameters,) = [each["value"] for each in end.object["spec"]["params"] if each["name"] == "wait-for-url"]
    assert parameters.endswith("?v42")


def test_no_other_notification_starts_anything(place: Namespace) -> None:
    """A wrong or missing Authorization header, another app, or a release that is not out starts nothing."""
    wrong = [
        heroku(place, release(50), "another"),
        heroku(place, release(51), ""),
        heroku(place, release(52, app="other-app")),
    ]
    wrong += [
        heroku(place, release(53, "failed")),
        heroku(place, release(54, "pending")),
        heroku(place, release(55, app='a","x":"b')),
    ]
    assert set(wrong) == {202}
    assert heroku(place, release(56)) == 202
    assert place.wait_for(lambda: "reflect-heroku-shop-staging-v56" in names(place, "taskruns"))
    versions = {name.rpartition("-v")[2] for name in names(place, "taskruns") if name.startswith("reflect-heroku")}
    assert versions <= {"42", "56"}


# --- Azure ---------------------------------------------------------------------------------------------------------


class Azure:
    """The listener of the Azure trigger, and the stand-in of the plan's events endpoint."""

    def __init__(self, namespace: Namespace, events: Events, plan_url: str) -> None:
        self.namespace, self.events, self.plan_url = namespace, events, plan_url

    def job(self, suites: str, secret: str = "azure-secret", **changes: Any) -> str:
        """Let a job wait, as InvokeRESTAPI@1 in Callback mode does; return its id."""
        job = str(uuid.uuid4())
        body = {
            "suites": suites,
            "planUrl": self.plan_url,
            "projectId": str(uuid.uuid4()),
            "hubName": "build",
            "planId": str(uuid.uuid4()),
        }
        body |= {
            "jobId": job,
            "timelineId": str(uuid.uuid4()),
            "taskInstanceId": str(uuid.uuid4()),
            "attempt": "1",
            "authToken": TOKEN,
            **changes,
        }
        assert (
            post(self.namespace, "reflect-azure", json.dumps(body), {"X-Reflect-Secret": secret} if secret else {})
            == 202
        )
        return job

    def run_of(self, job: str) -> str:
        """Return the name of the job's PipelineRun, which must come."""
        assert self.namespace.wait_for(lambda: self._runs(job)), f"no PipelineRun of {job}"
        return self._runs(job)[0]

    def _runs(self, job: str) -> list[str]:
        return [name for name in names(self.namespace, "pipelineruns") if f"-{job[:8]}-" in name]

    def result(self, job: str, seconds: float = 300) -> str:
        """Return what the job was completed with, exactly once."""
        assert self.namespace.wait_for(lambda: self.events.completed(job), seconds), f"job {job} still waits"
        (result,) = self.events.completed(job)
        return result


@pytest.fixture(scope="module")
def azure(cluster: Cluster) -> Iterator[Azure]:
    """Give the Azure trigger in a namespace of its own, configured for the stand-in's plan URL."""
    with contextlib.ExitStack() as stack:
        namespace = stack.enter_context(cluster.fresh_namespace("azure"))
        events = stack.enter_context(Events())
        plan_url = stack.enter_context(cluster.reachable(events.url))
        install(namespace)
        namespace.secret("reflect-azure-webhook", {"secret": "azure-secret"})
        text = kustomized(
            namespace,
            "azure-callback",
            ("https://dev.azure.com/contoso/ ", f"https://dev.azure.com/contoso/ {plan_url} "),
        )
        namespace.apply(with_api_url(text, namespace.simulator.url))
        stack.callback(forget_cluster_role_bindings, namespace, "reflect-azure")
        listening(namespace, "reflect-azure")
        yield Azure(namespace, events, plan_url)


def no_token(azure: Azure) -> None:
    """Assert that the token is in no object but a waiting job's Secret, in no log and in no event."""
    for kind in ("pipelineruns", "taskruns", "pods", "events", "configmaps"):
        assert TOKEN not in azure.namespace.kubectl("get", kind, "--output", "json").stdout, kind
    for pod in names(azure.namespace, "pods"):
        assert TOKEN not in azure.namespace.kubectl("logs", pod, "--all-containers", check=False).stdout, pod


@pytest.mark.parametrize(
    ("suites", "result"), [("passes retried", "succeeded"), ("passes fails", "failed"), ("no-such-suite", "failed")]
)
def test_a_waiting_job_is_completed_with_the_verdict(azure: Azure, suites: str, result: str) -> None:
    """The job is completed once with the suites' verdict, its token is nowhere, and the Secret is gone."""
    job = azure.job(suites)
    assert azure.result(job) == result
    name = azure.run_of(job)
    azure.namespace.finished("pipelinerun", name)
    assert name not in names(azure.namespace, "secrets")
    no_token(azure)


@pytest.mark.parametrize(("suites", "result"), [("passes late", "succeeded"), ("passes fails", "failed")])
def test_the_job_templates_own_request_is_understood(azure: Azure, suites: str, result: str) -> None:
    """What the server sends for the job of tasks/azure-devops is what the listener takes, and it completes that job."""
    job = str(uuid.uuid4())
    known = {
        f"System.{name}": str(uuid.uuid4()) for name in ("TeamProjectId", "PlanId", "TimelineId", "TaskInstanceId")
    }
    known |= {"System.CollectionUri": azure.plan_url, "System.HostType": "build", "System.JobId": job}
    known |= {"System.JobAttempt": "1", "System.AccessToken": TOKEN, "ReflectCallbackSecret": "azure-secret"}
    sample = json.dumps(expanded(SAMPLES / "agentless-callback.yml")).replace("checkout login", suites)
    (step,) = json.loads(sample)["jobs"][0]["steps"]
    request = build(step["inputs"], {"Reflect callback": "https://listener.example.com"}, known)
    assert request.waits
    assert post(azure.namespace, "reflect-azure", request.body, request.headers) == 202
    assert azure.result(job) == result


def test_azure_being_away_loses_no_job(azure: Azure) -> None:
    """500, 503 and a cut connection are repeated until Azure takes the event."""
    azure.events.faults.extend([500, 0, 503])
    assert azure.result(azure.job("passes")) == "succeeded"


def test_an_event_that_comes_twice_runs_once(azure: Azure) -> None:
    """The same attempt of the same job runs once; its next attempt runs again."""
    ids = {name: str(uuid.uuid4()) for name in ("planId", "taskInstanceId", "jobId")}
    azure.job("takes-2", **ids)
    azure.job("takes-2", **ids)
    assert azure.result(ids["jobId"]) == "succeeded"
    azure.job("takes-2", **ids, attempt="2")
    runs = [name for name in names(azure.namespace, "pipelineruns") if f"-{ids['jobId'][:8]}-" in name]
    assert azure.namespace.wait_for(
        lambda: len([n for n in names(azure.namespace, "pipelineruns") if f"-{ids['jobId'][:8]}-" in n]) == 2
    ), runs


def test_no_stranger_starts_anything(azure: Azure) -> None:
    """A wrong or missing secret, another plan URL, and ids or texts that are none start nothing."""
    strangers = [
        azure.job("passes", secret="another"),
        azure.job("passes", secret=""),
        azure.job("passes", planUrl="https://evil.example/contoso/"),
        azure.job("passes", planUrl="https://dev.azure.com/contoso-evil/"),
        azure.job("passes", planUrl="https://dev.azure.com/contoso/@evil"),
        azure.job("passes", planId="../../x"),
        azure.job("passes", hubName="build/../x"),
        azure.job('passes","x":"'),
        azure.job("passes", authToken={"a": "b"}),
    ]
    known = azure.job("passes")
    assert azure.result(known) == "succeeded"
    assert [
        job for job in strangers if any(f"-{job[:8]}-" in name for name in names(azure.namespace, "pipelineruns"))
    ] == []
    assert [job for job in strangers if azure.events.completed(job)] == []


@pytest.mark.parametrize("status", ["Cancelled", "CancelledRunFinally"])
def test_a_cancelled_run_completes_its_job_as_failed(azure: Azure, status: str) -> None:
    """Cancelling the PipelineRun, with `finally` or without, completes the job as failed and cancels on the service."""
    job = azure.job("never-ends")
    name = azure.run_of(job)
    before = len(azure.namespace.simulator.running())
    assert azure.namespace.wait_for(lambda: len(azure.namespace.simulator.running()) > max(0, before - 1)), (
        "it did not start"
    )
    azure.namespace.kubectl(
        "patch", "pipelinerun", name, "--type=merge", "--patch", json.dumps({"spec": {"status": status}})
    )
    assert azure.result(job) == "failed"
    assert azure.namespace.simulator.wait_for(lambda service: not service.running()), "left running"


def test_thirty_waiting_jobs_outlive_the_controller(azure: Azure) -> None:
    """Thirty jobs that wait at once are all completed rightly although Tekton's controller is killed in the middle."""
    suites = {
        "passes": "succeeded",
        "fails": "failed",
        "takes-2": "succeeded",
        "retried": "succeeded",
        "empty": "failed",
    }
    jobs = {azure.job(suite): result for _ in range(6) for suite, result in suites.items()}
    assert azure.namespace.wait_for(lambda: any(azure.events.completed(job) for job in jobs), 300)
    killed = [
        "--namespace=tekton-pipelines",
        "delete",
        "pod",
        "--selector=app=tekton-pipelines-controller",
        "--grace-period=0",
        "--force",
    ]
    azure.namespace.cluster.kubectl(*killed)
    waiting = [job for job in jobs if not azure.events.completed(job)]
    assert waiting, "all were completed before the controller was killed"
    assert {job: azure.result(job, 600) for job in jobs} == jobs
