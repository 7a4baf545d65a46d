"""`reflect-ci azure-callback`: tells an agentless Azure job that waits how its suites ended. Used by the Tekton trigger.

`complete` posts TaskCompleted to the plan's events endpoint and then deletes the Secret that held the job's token.
`guard` runs `reflect-ci run` and posts "failed" itself when it is told to stop, because a cancelled PipelineRun runs no
`finally`. Everything comes from AZURE_* variables; only the configured plan URLs are ever called.
"""

from __future__ import annotations

import argparse
import base64
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Callable
from urllib.parse import urlsplit

from reflect_ci.errors import Stop, usage
from reflect_ci.exits import AUTH, INTERRUPTED, PASSED, SERVICE, TERMINATED, Exit

GUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
HUB = re.compile(r"[A-Za-z]{1,40}")
SECRET = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PATIENCE = 600.0  # Azure being away for longer than this is not made better by waiting on
STOPPED_PATIENCE = 20.0  # a cancelled pod is killed 30 s after its SIGTERM
ONE_REQUEST = 15.0


@dataclass(frozen=True)
class Job:
    """One waiting agentless job, and the token with which it may be completed."""

    plan_url: str
    project_id: str
    hub_name: str
    plan_id: str
    job_id: str
    task_instance_id: str
    token: str

    @property
    def events_url(self) -> str:
        """Where the job's plan takes events."""
        return (
            f"{self.plan_url}{self.project_id}/_apis/distributedtask/hubs/{self.hub_name}"
            f"/plans/{self.plan_id}/events?api-version=2.0-preview.1"
        )

    @property
    def authorization(self) -> str:
        """The header that Azure DevOps takes a job's token in: Basic, with an empty user name."""
        return "Basic " + base64.b64encode(f":{self.token}".encode()).decode()


def read_job(environ: Mapping[str, str]) -> Job:
    """Return the job that the environment describes; raise Stop when something is missing, malformed or not allowed."""
    ids = {}
    for name in ("AZURE_PROJECT_ID", "AZURE_PLAN_ID", "AZURE_JOB_ID", "AZURE_TASK_INSTANCE_ID"):
        ids[name] = environ.get(name, "")
        if not GUID.fullmatch(ids[name]):
            raise usage(f"{name} is not an id as Azure DevOps writes them (a GUID).")
    hub = environ.get("AZURE_HUB_NAME", "")
    if not HUB.fullmatch(hub):
        raise usage("AZURE_HUB_NAME is not the name of a hub: the job's body must hold $(system.HostType).")
    token = environ.get("AZURE_TOKEN", "")
    if not token:
        raise usage("AZURE_TOKEN is empty: the Secret with the job's token is gone, so the job cannot be completed.")
    return Job(
        allowed_plan(environ.get("AZURE_PLAN_URL", ""), environ.get("AZURE_PLAN_URLS", "")),
        ids["AZURE_PROJECT_ID"],
        hub,
        ids["AZURE_PLAN_ID"],
        ids["AZURE_JOB_ID"],
        ids["AZURE_TASK_INSTANCE_ID"],
        token,
    )


def allowed_plan(url: str, allowed: str) -> str:
    """Return the plan URL with a slash at its end if it is one of the allowed ones (or lies below one)."""
    url = url if url.endswith("/") else url + "/"
    parts = urlsplit(url)
    for prefix in allowed.split():
        want = urlsplit(prefix if prefix.endswith("/") else prefix + "/")
        same_place = (parts.scheme, parts.netloc) == (want.scheme, want.netloc)
        if (
            same_place
            and parts.path.startswith(want.path)
            and ".." not in parts.path
            and not (parts.query or parts.fragment)
        ):
            return url
    raise usage("AZURE_PLAN_URL is none of the plan URLs that this trigger is configured for (AZURE_PLAN_URLS).")


def complete(job: Job, succeeded: bool, patience: float, say: Callable[[str], None]) -> Exit:
    """Post TaskCompleted until Azure takes it; return PASSED when it did. Repeating it does no harm."""
    import requests

    body = {
        "name": "TaskCompleted",
        "taskId": job.task_instance_id,
        "jobId": job.job_id,
        "result": "succeeded" if succeeded else "failed",
    }
    ends, wait = time.monotonic() + patience, 1.0
    while True:
        try:
            response = requests.post(
                job.events_url,
                json=body,
                headers={"Authorization": job.authorization},
                allow_redirects=False,
                timeout=ONE_REQUEST,
            )
            status, why = response.status_code, f"answered {response.status_code}"
        except requests.exceptions.RequestException as error:
            status, why = 0, f"could not be reached ({type(error).__name__})"
        if 200 <= status < 300 and status != 203:  # 203 is Azure's sign-in page
            say(f"Azure job {job.job_id} completed: {body['result']}.")
            return PASSED
        if status in (203, 302, 401, 403):
            say(f"Azure DevOps refused the job's token ({status}): the job has ended already, or its time is up.")
            return AUTH
        if 300 <= status < 500 and status not in (404, 408, 409, 425, 429):
            say(
                f"Azure DevOps does not take the event (it {why}): check the fields of the job's body against the README."
            )
            return SERVICE
        if time.monotonic() + wait > ends:
            say(f"Gave up: Azure DevOps {why} for {patience:.0f} s. The job stays open until its own time limit.")
            return SERVICE
        say(f"Azure DevOps {why}; once more in {wait:.0f} s.")
        time.sleep(wait)
        wait = min(30.0, wait * 2)


def delete_secret(name: str, environ: Mapping[str, str], say: Callable[[str], None], account: Path = ACCOUNT) -> bool:
    """Delete the Secret with the job's token through the Kubernetes API; return whether it is gone."""
    import requests

    if not SECRET.fullmatch(name):
        say("AZURE_TOKEN_SECRET is not the name of a Secret; nothing was deleted.")
        return False
    try:
        space, token = (account / "namespace").read_text().strip(), (account / "token").read_text().strip()
        host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
        host = f"[{host}]" if ":" in host else host
        with requests.Session() as session:
            session.trust_env = False  # the cluster's API is never behind the company's proxy
            response = session.delete(
                f"https://{host}:{port}/api/v1/namespaces/{space}/secrets/{name}",
                headers={"Authorization": f"Bearer {token}"},
                verify=str(account / "ca.crt"),
                allow_redirects=False,
                timeout=ONE_REQUEST,
            )
        gone = response.status_code in (200, 202, 404)
        why = f"answered {response.status_code}"
    except (OSError, KeyError, requests.exceptions.RequestException) as error:
        gone, why = False, f"could not be reached ({type(error).__name__})"
    say(
        f"Secret {name} deleted."
        if gone
        else f"Secret {name} is still there: the Kubernetes API {why}. Delete it by hand."
    )
    return gone


def guard(job: Job, environ: Mapping[str, str], say: Callable[[str], None]) -> int:
    """Run `reflect-ci run`, which cancels on SIGTERM and SIGINT; then complete the job as failed. Other ends are `finally`'s."""
    from reflect_ci.cli import main

    code = main(["run"], {name: value for name, value in environ.items() if not name.startswith("AZURE_")})
    if code in (INTERRUPTED.code, TERMINATED.code):
        complete(job, False, STOPPED_PATIENCE, say)
    return code


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the one word that says what to do."""
    parser.add_argument("action", choices=("complete", "guard"), help="post TaskCompleted, or run suites under a guard")


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Run `complete` or `guard`; return the exit code."""

    def say(text: str) -> None:
        print(text, flush=True)

    try:
        job = read_job(environ)
        if args.action == "guard":
            return guard(job, environ, say)
        ended = complete(job, environ.get("AZURE_RESULT") == "Succeeded", PATIENCE, say)
        secret = environ.get("AZURE_TOKEN_SECRET", "")
        if secret and not delete_secret(secret, environ, say) and ended is PASSED:
            ended = SERVICE
        return ended.code
    except Stop as stop:
        print(stop.message, file=sys.stderr, flush=True)
        return stop.exit.code
