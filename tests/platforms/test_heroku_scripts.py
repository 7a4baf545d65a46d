"""Heroku's scripts: what guards the release phase, whom postdeploy tests, and what CI waits for before it tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, Case, execute, path_with_runner
from tests.platforms.heroku.dyno import FOLDER, SAMPLES, Platform, dyno, environ, release, row, slug

IDS = ("regression-tests", "checkout-suite", "smoke-tests")
APP = "/apps/shop-staging"
WEB = {"name": "shop-staging", "web_url": "https://shop-staging-0a1b2c.herokuapp.com/"}


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A simulated service with the samples' suites."""
    with Simulator({"suites": {name: {"tests": 2} for name in IDS}}) as service:
        yield service


def play(app: Path, command: list[Any], sim: Simulator, tmp: Path, **config: str) -> tuple[int, str]:
    """Run a command with these config vars; return its exit code and output."""
    given = {"REFLECT_API_KEY": KEY, "REFLECT_API_URL": sim.url, "REFLECT_SUITES": "regression-tests", **config}
    code, log = execute(command, Case(), sim, env=environ(tmp, given), cwd=app, log=tmp / "heroku.log")
    assert KEY not in log
    return code, log


def phase(sim: Simulator, tmp: Path, **config: str) -> tuple[int, str]:
    """Run the sample Procfile's release phase."""
    app = slug(tmp)
    return play(app, list(release(app)), sim, tmp, **{"DEPLOY_ENV": "staging", **config})


def hosts(sim: Simulator) -> list[dict[str, str]]:
    """Return the host overrides of the only start."""
    (started,) = sim.started
    return list(started.body["overrides"]["hostnames"])


# --- the release phase ---------------------------------------------------------------------------------------------


def test_environment_that_is_not_named(sim: Simulator, tmp_path: Path) -> None:
    """Without DEPLOY_ENV the release is held back, with the command that sets it; nothing is called."""
    code, log = phase(sim, tmp_path, DEPLOY_ENV="")
    assert code == 2
    assert "heroku config:set DEPLOY_ENV" in log
    assert sim.calls == []


def test_other_environment(sim: Simulator, tmp_path: Path) -> None:
    """An environment that is not the named one is skipped, and the log says why."""
    code, log = phase(sim, tmp_path, DEPLOY_ENV="review")
    assert code == 0
    assert "skipped: DEPLOY_ENV is review" in log
    assert sim.calls == []


def test_named_environments(sim: Simulator, tmp_path: Path) -> None:
    """REFLECT_DEPLOY_ENV names the environments that are tested, several too."""
    code, log = phase(sim, tmp_path, DEPLOY_ENV="production", REFLECT_DEPLOY_ENV="staging production")
    assert code == 0, log
    assert len(sim.started) == 1


@pytest.mark.parametrize(
    ("description", "starts"),
    [
        ("Deploy 0123456", True), ("Promote shop-staging v41 0123456", True), ("", True), ("Something new", True),
        ("Set LOG_LEVEL, DEBUG config vars", False), ("Remove DEBUG config vars", False),
        ("Attach DATABASE (@ref:postgresql-flat-1)", False), ("Update REDIS by heroku-redis add-on", False),
        ("Rollback to v40", False),
    ],
)  # fmt: skip
def test_release_without_new_code(description: str, starts: bool, sim: Simulator, tmp_path: Path) -> None:
    """Config vars, add-ons and rollbacks start no suite; a description that is unknown or missing does."""
    code, log = phase(sim, tmp_path, HEROKU_SLUG_DESCRIPTION=description)
    assert code == 0, log
    assert len(sim.started) == starts, log
    assert starts or "skipped" in log


@pytest.mark.parametrize(
    "value",
    [
        "www.example.com=shop.herokuapp.com",
        "a=b\nwww.example.com=https://shop-0a1b.herokuapp.com/x",
        '{"a": "shop.herokuapp.com"}',
    ],
)
def test_own_host_is_refused(value: str, sim: Simulator, tmp_path: Path) -> None:
    """A release phase that would test the app itself tests the old release: refused before anything is called."""
    code, log = phase(
        sim,
        tmp_path,
        REFLECT_HOSTS=value,
        HEROKU_APP_NAME="shop",
        HEROKU_APP_DEFAULT_DOMAIN_NAME="shop-0a1b.herokuapp.com",
    )
    assert code == 2
    assert "the old release" in log
    assert sim.calls == []


def test_other_host_is_tested(sim: Simulator, tmp_path: Path) -> None:
    """The app's own host as the recorded one, with another in its place, is what a gate is for."""
    value = "shop.herokuapp.com=shop-staging.herokuapp.com"
    code, log = phase(sim, tmp_path, REFLECT_HOSTS=value, HEROKU_APP_NAME="shop")
    assert code == 0, log
    assert hosts(sim)[0]["replacement"] == "shop-staging.herokuapp.com"


@pytest.mark.parametrize("limit", ["55m", "3300s", "3300", "54m59s", "008m", "90s", "0055m"])
def test_limit_below_herokus(limit: str, sim: Simulator, tmp_path: Path) -> None:
    """A deadline below Heroku's hour is taken."""
    code, log = phase(sim, tmp_path, REFLECT_TIMEOUT=limit)
    assert code == 0, log


@pytest.mark.parametrize("limit", ["56m", "1h", "1H5m", "3601s", "7200", "99999m", "123456789012345678901m"])
def test_limit_above_herokus(limit: str, sim: Simulator, tmp_path: Path) -> None:
    """A deadline that Heroku would not wait for is refused: nobody would cancel the suites."""
    code, log = phase(sim, tmp_path, REFLECT_TIMEOUT=limit)
    assert code == 2, log
    assert "one hour" in log
    assert sim.calls == []


@pytest.mark.parametrize("limit", ["soon", "m", "-5m"])
def test_limit_that_is_none(limit: str, sim: Simulator, tmp_path: Path) -> None:
    """What is no length of time is refused by the runner, with its sentence."""
    code, log = phase(sim, tmp_path, REFLECT_TIMEOUT=limit)
    assert code == 2, log
    assert "length of time" in log


def test_dyno_without_python(sim: Simulator, tmp_path: Path) -> None:
    """A dyno without Python says so, is red, and calls nothing."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "dirname"):
        (tools / name).symlink_to(shutil.which(name, path="/usr/bin:/bin") or "")
    code, log = phase(sim, tmp_path, PATH=str(tools), REFLECT_RUNNER="reflect/reflect-ci.pyz")
    assert code == 2, log
    assert "no Python 3.9 or later" in log
    assert sim.calls == []


# --- review apps ---------------------------------------------------------------------------------------------------


def postdeploy(sim: Simulator, tmp: Path, **config: str) -> tuple[int, str]:
    """Run app.json's postdeploy script with its own env values, as Heroku does."""
    review = json.loads((SAMPLES / "app.json").read_text())["environments"]["review"]
    values = {name: entry["value"] for name, entry in review["env"].items() if "value" in entry}
    return play(slug(tmp), ["/bin/sh", "-c", review["scripts"]["postdeploy"]], sim, tmp, **{**values, **config})


def test_review_app(sim: Simulator, tmp_path: Path) -> None:
    """The "app.json" sample tests the new app's own host, once that answers."""
    root = sim.url.removesuffix("/v1")
    code, log = postdeploy(sim, tmp_path, REFLECT_APP_HOST=f"{root}/_simulate/started")
    assert code == 0, log
    assert hosts(sim) == [{"original": "www.example.com", "replacement": root.removeprefix("http://")}]


def test_review_app_that_does_not_answer(sim: Simulator, tmp_path: Path) -> None:
    """An app that never answers is red, and no suite was started."""
    code, log = postdeploy(sim, tmp_path, REFLECT_APP_HOST="http://127.0.0.1:9/", REFLECT_TIMEOUT="2s")
    assert code == 6, log
    assert sim.started == []


@pytest.mark.parametrize(
    ("variables", "host"),
    [
        ({"HEROKU_APP_NAME": "shop-pr-7"}, "shop-pr-7.herokuapp.com"),
        (
            {"HEROKU_APP_NAME": "shop-pr-7", "HEROKU_APP_DEFAULT_DOMAIN_NAME": "shop-pr-7-0a.herokuapp.com"},
            "shop-pr-7-0a.herokuapp.com",
        ),
        ({"REFLECT_APP_HOST": "pr-7.example.com", "HEROKU_APP_NAME": "shop-pr-7"}, "pr-7.example.com"),
    ],
)
def test_review_apps_host(variables: dict[str, str], host: str, sim: Simulator, tmp_path: Path) -> None:
    """The host is the user's domain, else the default domain, else made of the app's name."""
    answers = sim.url.removesuffix("/v1") + "/_simulate/started"
    code, log = postdeploy(sim, tmp_path, REFLECT_WAIT_FOR_URL=answers, **variables)
    assert code == 0, log
    assert hosts(sim)[0]["replacement"] == host


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "address is not known"),
        ({"HEROKU_APP_NAME": "shop", "REFLECT_ORIGINAL_HOST": ""}, "REFLECT_ORIGINAL_HOST is not set"),
    ],
)
def test_review_app_without_a_host(variables: dict[str, str], sentence: str, sim: Simulator, tmp_path: Path) -> None:
    """Without a host the suites would test the recorded one: red, and nothing is called."""
    code, log = postdeploy(sim, tmp_path, **variables)
    assert code == 2, log
    assert sentence in log
    assert sim.calls == []


# --- CI: deploy and promote ----------------------------------------------------------------------------------------


def deployed(
    script: dict[str, list[tuple[int, Any]]], sim: Simulator, tmp: Path, **more: str
) -> tuple[int, str, Platform]:
    """Run deployed.sh against a stand-in of Heroku's API."""
    with Platform(script) as heroku:
        given = {
            "HEROKU_APP": "shop-staging", "HEROKU_API_KEY": heroku.token, "HEROKU_API_URL": heroku.url,
            "REFLECT_ORIGINAL_HOST": "www.example.com",
            **{name: value.replace("HEROKU/", f"{heroku.url}/") for name, value in more.items()},
        }  # fmt: skip
        code, log = play(slug(tmp), ["/bin/sh", "reflect/deployed.sh"], sim, tmp, **given)
        assert heroku.token not in log
        return code, log, heroku


def script(**more: list[tuple[int, Any]]) -> dict[str, list[tuple[int, Any]]]:
    """Return the API's answers of an app that runs v42, with others in their place."""
    rows: dict[str, list[tuple[int, Any]]] = {
        "releases": [(200, [row(42)])],
        "dynos": [(200, [dyno(42), dyno(42), dyno(41, "crashed", "worker")])],
        "slug": [(200, {"commit": "0123456789abcdef0123456789abcdef01234567"})],
        "app": [(200, WEB)],
        **more,
    }
    return {
        f"{APP}/releases": rows["releases"], f"{APP}/dynos": rows["dynos"], f"{APP}/slugs/s1": rows["slug"],
        f"{APP}/slugs/s0": [(200, {"commit": "ffff"})], APP: rows["app"],
    }  # fmt: skip


def test_new_release_is_tested(sim: Simulator, tmp_path: Path) -> None:
    """The suites start once every web dyno runs the newest release, and test the app's own host."""
    releases = [(200, [row(41, slug_id="s0")]), (503, "down"), (200, [row(42, "pending")]), (200, [row(42)])]
    dynos = [(200, [dyno(41), dyno(42, "starting")]), (200, [dyno(42), dyno(42, "idle")])]
    code, log, heroku = deployed(
        script(releases=releases, dynos=dynos), sim, tmp_path, HEROKU_COMMIT="0123456789ABCDEF"
    )
    assert code == 0, log
    assert hosts(sim) == [{"original": "www.example.com", "replacement": "shop-staging-0a1b2c.herokuapp.com"}]
    assert [path for path, _ in heroku.calls].count(f"{APP}/dynos") == 2
    for sentence in ("a release of 0123456789ab (the newest is v41)", "the release phase of v42", "(0 of 2)"):
        assert sentence in log


def test_release_url(sim: Simulator, tmp_path: Path) -> None:
    """REFLECT_RELEASE_URL is waited for with the release's number in it."""
    code, log, heroku = deployed(script(), sim, tmp_path, REFLECT_RELEASE_URL="HEROKU/releases/{version}")
    assert code == 0, log
    assert ("/releases/v42", "") in heroku.calls


@pytest.mark.parametrize(
    ("more", "variables", "code", "sentence"),
    [
        ({"releases": [(200, [row(42, "failed")])]}, {}, 1, "release v42 failed"),
        ({"dynos": [(200, [])]}, {"HEROKU_RELEASE_TIMEOUT": "1"}, 6, "the web dynos on v42 (0 of 0)"),
        ({"dynos": [(200, [dyno(42), dyno(41)])]}, {"HEROKU_RELEASE_TIMEOUT": "1"}, 6, "(1 of 2)"),
        ({"dynos": [(200, [dyno(42, "crashed")])]}, {"HEROKU_RELEASE_TIMEOUT": "1"}, 6, "(0 of 1)"),
        ({"releases": [(200, [])]}, {"HEROKU_RELEASE_TIMEOUT": "1"}, 6, "a first release"),
        ({}, {"HEROKU_COMMIT": "abc", "HEROKU_RELEASE_TIMEOUT": "1"}, 6, "a release of abc"),
        ({}, {"HEROKU_API_KEY": "another"}, 3, "refuses the token"),
        ({}, {"HEROKU_API_KEY": ""}, 2, "HEROKU_API_KEY is not set"),
        ({}, {"HEROKU_API_KEY": "$HEROKU_API_KEY"}, 2, "HEROKU_API_KEY is no usable value"),
        ({}, {"HEROKU_APP": "../account"}, 2, "HEROKU_APP is no usable value"),
        ({}, {"HEROKU_APP": "no-such-app"}, 4, "no such app"),
        ({}, {"HEROKU_RELEASE_TIMEOUT": "soon"}, 2, "no number"),
        ({}, {"REFLECT_ORIGINAL_HOST": ""}, 2, "REFLECT_ORIGINAL_HOST is not set"),
        ({}, {"REFLECT_RELEASE_URL": "https://x.example.com"}, 2, "no {version}"),
        ({"releases": [(200, "<html>")]}, {"HEROKU_RELEASE_TIMEOUT": "1"}, 6, "an answer of Heroku"),
        ({"releases": [(200, [{"id": "x"}])]}, {}, 5, "not as it is documented"),
        ({"releases": [(302, "")]}, {}, 5, "answers 302"),
    ],
)  # fmt: skip
def test_nothing_is_tested(
    more: Any, variables: dict[str, str], code: int, sentence: str, sim: Simulator, tmp_path: Path
) -> None:
    """Whatever keeps the release from running is red with its own code and sentence, and no suite is started."""
    got, log, heroku = deployed(script(**more), sim, tmp_path, **variables)
    assert got == code, log
    assert sentence in log
    assert sim.calls == []
    assert "Traceback" not in log
    assert not [path for path, _ in heroku.calls if "elsewhere" in path]


def test_runner_does_not_get_herokus_token(sim: Simulator, tmp_path: Path) -> None:
    """Heroku's token ends with the wait: the runner's environment has none."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "reflect-ci").write_text(f'#!/bin/sh\nenv >"{tmp_path}/seen"\n')
    (tools / "reflect-ci").chmod(0o755)
    code, log, heroku = deployed(script(), sim, tmp_path, PATH=f"{tools}{os.pathsep}{path_with_runner()}")
    assert code == 0, log
    seen = (tmp_path / "seen").read_text()
    assert "REFLECT_HOSTS=www.example.com=shop-staging" in seen
    assert heroku.token not in seen


def tools_of_ci(tmp: Path) -> str:
    """Return a PATH with stand-ins of `git push` and of Heroku's CLI, which write down how they were called."""
    tools = tmp / "bin"
    tools.mkdir()
    git = f'#!/bin/sh\ncase $1 in rev-parse) echo 0123456789abcdef0123456789abcdef01234567;; *) echo "git $*" >>"{tmp}/calls";; esac\n'
    for name, text in {"git": git, "heroku": f'#!/bin/sh\necho "heroku $*" >>"{tmp}/calls"\n'}.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    return f"{tools}{os.pathsep}{path_with_runner()}"


def ci(name: str, sim: Simulator, tmp: Path, heroku: Platform) -> subprocess.Popen[str]:
    """Start a sample of a CI job."""
    app = slug(tmp)
    shutil.copy(SAMPLES / name, app)
    given = environ(tmp, {
        "PATH": tools_of_ci(tmp), "HEROKU_API_KEY": heroku.token, "HEROKU_API_URL": heroku.url,
        "REFLECT_API_KEY": KEY, "REFLECT_API_URL": sim.url,
    })  # fmt: skip
    return subprocess.Popen(
        ["/bin/sh", name],
        cwd=app,
        env=given,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_deploy(sim: Simulator, tmp_path: Path) -> None:
    """The sample "deploy.sh" pushes, and tests the release of that very commit."""
    with Platform(script()) as heroku:
        process = ci("deploy.sh", sim, tmp_path, heroku)
        log, _ = process.communicate(timeout=180)
    assert process.returncode == 0, log
    calls = (tmp_path / "calls").read_text()
    assert "push --force https://git.heroku.com/shop-staging.git" in calls
    assert heroku.token not in calls
    assert (f"{APP}/slugs/s1", f"Bearer {heroku.token}") in heroku.calls
    assert sorted(started.suite for started in sim.started) == ["checkout-suite", "regression-tests"]


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_promote(status: str, tmp_path: Path) -> None:
    """The sample "promote.sh" promotes only what passed on staging, then tests production."""
    production = {path.replace("staging", "production"): rows for path, rows in script().items()}
    suites = {**{name: {"tests": 2} for name in IDS}, "checkout-suite": {"status": status}}
    with Simulator({"suites": suites}) as sim, Platform({**script(), **production}) as heroku:
        process = ci("promote.sh", sim, tmp_path, heroku)
        log, _ = process.communicate(timeout=180)
        assert process.returncode == (0 if status == "passed" else 1), log
        calls = tmp_path / "calls"
        assert calls.exists() == (status == "passed")
        started = sorted(started.suite for started in sim.started)
    assert started == sorted(["checkout-suite", "regression-tests", *(["smoke-tests"] if status == "passed" else [])])


def test_promote_cancelled(tmp_path: Path) -> None:
    """A cancelled job promotes nothing and leaves nothing running."""
    with Simulator({"suites": {name: {"status": "never"} for name in IDS}}) as sim, Platform(script()) as heroku:
        process = ci("promote.sh", sim, tmp_path, heroku)
        try:
            assert sim.wait_for(lambda service: len(service.started) == 2, seconds=120)
            process.send_signal(signal.SIGTERM)
            log, _ = process.communicate(timeout=120)
        finally:
            process.kill()
            process.wait()
        assert process.returncode == 143, log
        assert sim.wait_for(lambda service: not service.running(), seconds=30), log
    assert not (tmp_path / "calls").exists()


def test_credential_helper(tmp_path: Path) -> None:
    """The helper that "deploy.sh" gives git answers with the token."""
    text = (SAMPLES / "deploy.sh").read_text()
    helper = text.split("credential.helper='", 1)[1].split("'", 1)[0]
    run = subprocess.run(
        ["git", "-c", f"credential.helper={helper}", "credential", "fill"],
        input="protocol=https\nhost=git.heroku.com\n\n", capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path,
        env={"PATH": path_with_runner(), "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1", "HEROKU_API_KEY": "t0ken"},
    )  # fmt: skip
    assert "username=heroku\npassword=t0ken\n" in run.stdout


def test_every_sample_is_tested() -> None:
    """There is no sample that no test runs."""
    source = Path(__file__).read_text() + (FOLDER / "reflect" / "release.sh").read_text()
    for path in SAMPLES.iterdir():
        assert f'"{path.name}"' in source or path.name == "Procfile", path.name


@pytest.mark.parametrize(
    "path", [*sorted((FOLDER / "reflect").glob("*.sh")), *sorted(SAMPLES.glob("*.sh"))], ids=lambda path: path.name
)
def test_shell_is_clean(path: Path) -> None:
    """shellcheck has no finding in what users copy."""
    run = subprocess.run(
        ["shellcheck", path],
        env={"PATH": path_with_runner(), "HOME": "/nonexistent"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout
