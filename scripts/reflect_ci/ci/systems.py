"""The one table of CI systems: by which variable each is known, and where its facts are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Optional, Union
from urllib.parse import quote

from reflect_ci.ci import commits
from reflect_ci.model import Commit

Env = Mapping[str, str]
# Names of variables (the first that is not empty wins), or a function where names are not enough.
Source = Union[tuple[str, ...], Callable[[Env], str]]


@dataclass(frozen=True)
class System:
    """What the environment says about the CI system; name is '' outside of any.

    sha is the revision under test, wherever it is hosted; commit is that revision on GitHub, None when the repository
    is hosted elsewhere or the right commit is not known.
    """

    name: str = ""
    title: str = ""
    build_url: str = ""
    branch: str = ""
    commit: Optional[Commit] = None
    pull_request: str = ""
    sha: str = ""


@dataclass(frozen=True)
class Row:
    """One system. marker: variables of which one must be there; with `=value` it must be that value (any case)."""

    name: str
    title: str
    marker: tuple[str, ...]
    build_url: Source = ()
    branch: Source = ()
    pull_request: Source = ()
    sha: Source = ()
    repository: Callable[[Env], str] = lambda _env: ""


def _first(env: Env, *names: str) -> str:
    return next((env[name].strip() for name in names if env.get(name, "").strip()), "")


def _joined(env: Env, pattern: str) -> str:
    """Fill `{NAME}` in the pattern, each value URL-encoded; '' when one is not known."""
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        text = _first(env, match[1])
        missing = missing or not text
        return text.rstrip("/") if "://" in text else quote(text, safe="/")

    text = re.sub(r"\{(\w+)\}", value, pattern)
    return "" if missing else text


def _url(*patterns: str) -> Callable[[Env], str]:
    return lambda env: next((url for url in (_joined(env, pattern) for pattern in patterns) if url), "")


def _repository(*names: str) -> Callable[[Env], str]:
    """owner/repo from the first variable that holds a github.com address."""
    return lambda env: next((r for r in (commits.on_github(env.get(name, "")) for name in names) if r), "")


def _travis_repository(env: Env) -> str:
    # The slug alone does not say where it is hosted; the build's page does: app.travis-ci.com/<host>/<slug>/….
    url = _first(env, "TRAVIS_BUILD_WEB_URL", "TRAVIS_JOB_WEB_URL")
    elsewhere = re.search(r"travis-ci\.com/(bitbucket|gitlab|assembla)/", url)
    return "" if elsewhere else _first(env, "TRAVIS_REPO_SLUG")


def _webapp_repository(env: Env) -> str:
    # An x-access-token is what an app gets from GitHub to clone with; other hosts give other names.
    pair = _url("{REPOSITORY_OWNER}/{REPOSITORY_NAME}", "{LAYERCI_REPO_OWNER}/{LAYERCI_REPO_NAME}")(env)
    on_github = env.get("GIT_CLONE_USER", "").startswith("x-access-token:")
    return commits.on_github(_first(env, "PULL_REQUEST_URL", "LAYERCI_PULL_REQUEST")) or (pair if on_github else "")


def _azure_repository(env: Env) -> str:
    if env.get("BUILD_REPOSITORY_PROVIDER", "").lower() == "github":
        return _first(env, "BUILD_REPOSITORY_NAME")
    return ""


# Order matters where one system runs another's jobs: a GitHub job on a CodeBuild machine has the variables of both.
SYSTEMS: tuple[Row, ...] = (
    # Only this catalog's own Task sets it, so it is certain.
    Row("tekton", "Tekton", ("TEKTON_RESULTS_DIR",)),
    Row(
        "github", "GitHub Actions", ("GITHUB_ACTIONS=true",),
        build_url=_url(
            "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}/attempts/{GITHUB_RUN_ATTEMPT}",
            "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",
        ),
        branch=("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "GITHUB_REF"), pull_request=commits.github_pull_request,
        sha=commits.github_sha, repository=commits.github_repository,
    ),
    Row(
        "gitlab", "GitLab CI/CD", ("GITLAB_CI=true",),
        build_url=("CI_JOB_URL", "CI_PIPELINE_URL"),
        branch=(
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_REF_NAME",
        ),
        pull_request=("CI_MERGE_REQUEST_IID", "CI_EXTERNAL_PULL_REQUEST_IID"),
        # The first is empty except in merged-results pipelines, where CI_COMMIT_SHA is the merge.
        sha=("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_SHA", "CI_COMMIT_SHA"),
        # GitLab as the CI of a GitHub repository; this variable exists for GitHub's pull requests only.
        repository=lambda env: _first(env, "CI_EXTERNAL_PULL_REQUEST_TARGET_REPOSITORY"),
    ),
    Row(
        "azure", "Azure Pipelines", ("TF_BUILD=true",),
        build_url=_url("{SYSTEM_TEAMFOUNDATIONCOLLECTIONURI}/{SYSTEM_TEAMPROJECT}/_build/results?buildId={BUILD_BUILDID}"),
        branch=("SYSTEM_PULLREQUEST_SOURCEBRANCH", "BUILD_SOURCEBRANCH", "BUILD_SOURCEBRANCHNAME"),
        pull_request=("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", "SYSTEM_PULLREQUEST_PULLREQUESTID"),
        sha=commits.azure_sha, repository=_azure_repository,
    ),
    Row(
        "circleci", "CircleCI", ("CIRCLECI=true",),
        build_url=("CIRCLE_BUILD_URL",), branch=("CIRCLE_BRANCH", "CIRCLE_TAG"),
        pull_request=("CIRCLE_PR_NUMBER", "CIRCLE_PULL_REQUEST"), sha=("CIRCLE_SHA1",),
        # The pull request first: its address is that of the repository it goes to, also from a fork.
        repository=_repository("CIRCLE_PULL_REQUEST", "CIRCLE_REPOSITORY_URL"),
    ),
    Row(
        "bitbucket", "Bitbucket Pipelines", ("BITBUCKET_BUILD_NUMBER",),
        build_url=_url(
            "https://bitbucket.org/{BITBUCKET_REPO_FULL_NAME}/pipelines/results/{BITBUCKET_BUILD_NUMBER}",
            "{BITBUCKET_GIT_HTTP_ORIGIN}/pipelines/results/{BITBUCKET_BUILD_NUMBER}",
        ),
        branch=("BITBUCKET_BRANCH", "BITBUCKET_TAG"), pull_request=("BITBUCKET_PR_ID",), sha=("BITBUCKET_COMMIT",),
    ),
    Row(
        "travis", "Travis CI", ("TRAVIS=true",),
        build_url=("TRAVIS_JOB_WEB_URL", "TRAVIS_BUILD_WEB_URL"),
        branch=("TRAVIS_PULL_REQUEST_BRANCH", "TRAVIS_BRANCH"), pull_request=("TRAVIS_PULL_REQUEST",),
        sha=commits.travis_sha, repository=_travis_repository,
    ),
    Row(
        "buildkite", "Buildkite", ("BUILDKITE=true",),
        build_url=_url("{BUILDKITE_BUILD_URL}#{BUILDKITE_JOB_ID}", "{BUILDKITE_BUILD_URL}"),
        branch=("BUILDKITE_BRANCH",), pull_request=("BUILDKITE_PULL_REQUEST",), sha=("BUILDKITE_COMMIT",),
        repository=_repository("BUILDKITE_REPO"),
    ),
    Row(
        "codefresh", "Codefresh", ("CF_BUILD_ID",),
        build_url=("CF_BUILD_URL",), branch=("CF_BRANCH",), pull_request=("CF_PULL_REQUEST_NUMBER",),
        sha=("CF_REVISION",), repository=_repository("CF_COMMIT_URL"),
    ),
    Row(
        "teamcity", "TeamCity", ("TEAMCITY_VERSION",),
        build_url=("BUILD_URL",),
        branch=lambda env: commits.teamcity(env, "teamcity.pullRequest.source.branch", "teamcity.build.branch"),
        pull_request=lambda env: commits.teamcity(env, "teamcity.pullRequest.number"),
        sha=("BUILD_VCS_NUMBER",),
        repository=lambda env: commits.on_github(commits.teamcity(env, "vcsroot.url")),
    ),
    Row(
        "jenkins", "Jenkins", ("JENKINS_URL",),
        build_url=("BUILD_URL",), branch=commits.jenkins_branch, pull_request=("CHANGE_ID", "ghprbPullId"),
        sha=commits.jenkins_sha, repository=_repository("CHANGE_URL", "ghprbPullLink", "GIT_URL", "GIT_URL_1"),
    ),
    Row(
        "heroku", "Heroku", ("HEROKU_TEST_RUN_ID", "DYNO=release"),
        build_url=_url("https://dashboard.heroku.com/apps/{HEROKU_APP_NAME}/activity"),
        branch=("HEROKU_TEST_RUN_BRANCH", "HEROKU_BRANCH"), pull_request=("HEROKU_PR_NUMBER",),
        sha=("HEROKU_TEST_RUN_COMMIT_VERSION", "HEROKU_BUILD_COMMIT", "HEROKU_SLUG_COMMIT"),
    ),
    Row(
        # Its variables were called LAYERCI_… before the product had its present name.
        "webapp-io", "webapp.io", ("WEBAPPIO=true", "LAYERCI=true"),
        branch=("GIT_BRANCH", "LAYERCI_BRANCH"), pull_request=("PULL_REQUEST_URL", "LAYERCI_PULL_REQUEST"),
        sha=("GIT_COMMIT",),
        repository=_webapp_repository,
    ),
    Row("coherence", "Coherence", ("COHERENCE_ENVIRONMENT_NAME",)),
    Row(
        "codebuild", "AWS CodeBuild", ("CODEBUILD_BUILD_ID",),
        build_url=_url(
            "{CODEBUILD_PUBLIC_BUILD_URL}",
            "https://{AWS_REGION}.console.aws.amazon.com/codesuite/codebuild/projects/{CODEBUILD_PROJECT}/build/{CODEBUILD_BUILD_ID}",
        ),
        branch=("CODEBUILD_WEBHOOK_HEAD_REF",),
        pull_request=commits.codebuild_pull_request, sha=("CODEBUILD_RESOLVED_SOURCE_VERSION",),
        repository=_repository("CODEBUILD_SOURCE_REPO_URL"),
    ),
)  # fmt: skip


def _matches(env: Env, marker: str) -> bool:
    name, _, value = marker.partition("=")
    # DYNO is `release.1234`, so what stands after a dot does not count.
    return bool(env.get(name)) if not value else env.get(name, "").lower().split(".")[0] == value


def _read(env: Env, source: Source) -> str:
    return source(env) if callable(source) else _first(env, *source)


def detect(environ: Env) -> System:
    """Return the CI system that these variables belong to; outside of any, one whose name is ''."""
    row = next((row for row in SYSTEMS if any(_matches(environ, marker) for marker in row.marker)), None)
    if row is None:
        return System()
    sha = commits.sha(_read(environ, row.sha))
    url = _read(environ, row.build_url)
    return System(
        name=row.name,
        title=row.title,
        build_url=url if url.startswith(("https://", "http://")) else "",
        branch=re.sub(r"^refs/(heads|tags)/", "", _read(environ, row.branch)),
        commit=commits.commit(row.repository(environ), sha),
        pull_request=commits.number(_read(environ, row.pull_request)),
        sha=sha,
    )
