"""What `reflect-ci init` writes: for each platform files of the catalog, where they go, and what is filled into them.

The sources are the catalog's own files under tasks/, so what is written is what the tests run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional

Style = Callable[[Sequence[str]], str]


def words(values: Sequence[str]) -> str:
    """One YAML value, separated by spaces."""
    text = " ".join(values)
    return text if re.fullmatch(r"[\w][\w.=:/ -]*", text) and ": " not in text else json.dumps(text)


def shell(values: Sequence[str]) -> str:
    """One word of a POSIX shell."""
    text = " ".join(values)
    return text if re.fullmatch(r"[\w.=:/-]+", text) else "'" + text.replace("'", "'\\''") + "'"


def groovy(values: Sequence[str]) -> str:
    """A Groovy list of plain strings."""
    return "[" + ", ".join(f"'{value}'" for value in values) + "]"


def groovy_map(values: Sequence[str]) -> str:
    """A Groovy map of original=replacement."""
    return "[" + ", ".join("'{}': '{}'".format(*value.split("=", 1)) for value in values) + "]"


def items(values: Sequence[str]) -> str:
    """Items of a YAML sequence, four spaces in, without the first dash."""
    return "\n    - ".join(words([value]) for value in values)


@dataclass(frozen=True)
class Slot:
    """A text of the source that a value replaces. given: with {} for the value; absent: what stands there without one."""

    old: str
    given: str
    absent: str
    style: Style = words


@dataclass(frozen=True)
class File:
    """One file: source below tasks/ (or below the repository with a leading /), destination in the user's repository."""

    source: str
    destination: str
    suites: Optional[Slot] = None
    hosts: Optional[Slot] = None
    drop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """A platform's files and what is left to do by hand."""

    title: str
    files: tuple[File, ...]
    next: tuple[str, ...] = field(default=())


def _suites(old: str, given: str, style: Style = words) -> Slot:
    return Slot(old, given, old, style)


_API_KEY_YAML = "          api-key: ${{"
_BITBUCKET_CALL = "            - sh ci/reflect-run.sh\n"
_TRAVIS_CALL = "  - sh ci/reflect-run.sh\n"
SHELL = File("shell/reflect-run.sh", "ci/reflect-run.sh")

RECIPES: dict[str, Recipe] = {
    "shell": Recipe(
        "any CI system, by a shell script",
        (
            SHELL,
            File(
                "shell/samples/push.sh",
                "ci/reflect.sh",
                _suites("REFLECT_SUITES=regression-tests", "REFLECT_SUITES={}", shell),
                Slot("exec sh", "export REFLECT_HOSTS={}\nexec sh", "exec sh", shell),
            ),
        ),
        (
            "Keep the key in your CI system's secret store as REFLECT_API_KEY.",
            "Call `sh ci/reflect.sh` after the deployment.",
        ),
    ),
    "tekton": Recipe(
        "Tekton",
        (
            File("tekton/task/reflect-run/reflect-run.yaml", "tekton/reflect-run.yaml"),
            File("tekton/task/reflect-cancel/reflect-cancel.yaml", "tekton/reflect-cancel.yaml"),
            File(
                "tekton/samples/taskrun.yaml",
                "tekton/reflect-taskrun.yaml",
                _suites("value: smoke-tests checkout", "value: {}"),
                Slot(
                    "    - name: hosts\n      value: www.example.com=staging.example.com\n",
                    "    - name: hosts\n      value: {}\n",
                    "",
                ),
                ("    - name: variables\n      value: |\n        LOCALE=de\n        USER_ROLE=editor\n",),
            ),
        ),
        (
            "Keep the key in a Secret: kubectl create secret generic reflect-api-key --from-file=api-key=/dev/stdin",
            "kubectl apply -f tekton/reflect-run.yaml -f tekton/reflect-cancel.yaml",
            "kubectl create -f tekton/reflect-taskrun.yaml",
        ),
    ),
    "azure": Recipe(
        "Azure DevOps",
        (
            File(
                "azure-devops/samples/azure-pipelines.yml",
                "azure-pipelines-reflect.yml",
                Slot("    - checkout\n    - login\n", "    - {}\n", "    - checkout\n    - login\n", items),
                Slot("    hosts:\n    - www.example.com=staging.example.com\n", "    hosts:\n    - {}\n", "", items),
                ("    variables: |\n      BUILD=$(Build.BuildId)\n",),
            ),
        ),
        (
            "Add the secret variable ReflectApiKey to the pipeline (Edit > Variables > Keep this value secret).",
            "Name your GitHub service connection as the repository's `endpoint`.",
        ),
    ),
    "jenkins": Recipe(
        "Jenkins",
        (
            File(
                "jenkins/samples/declarative.Jenkinsfile",
                "Jenkinsfile.reflect",
                _suites("suites: ['smoke', 'checkout']", "suites: {}", groovy),
                Slot(
                    "                    hosts: ['www.example.com': 'staging.example.com'],\n",
                    "                    hosts: {},\n",
                    "",
                    groovy_map,
                ),
                ("                    variables: [BUILD: env.BUILD_NUMBER],\n",),
            ),
        ),
        (
            "Add the key as a Secret text credential with the ID reflect-api-key.",
            "Register the shared library `reflect` (Manage Jenkins > System > Global Pipeline Libraries), or take the configuration-as-code sample.",
        ),
    ),
    "github": Recipe(
        "GitHub Actions",
        (
            File(
                "github/samples/push.yml",
                ".github/workflows/reflect.yml",
                _suites("suites: regression-tests", "suites: {}"),
                Slot(
                    f"regression-tests\n{_API_KEY_YAML}",
                    f"regression-tests\n          hosts: {{}}\n{_API_KEY_YAML}",
                    f"regression-tests\n{_API_KEY_YAML}",
                ),
            ),
        ),
        ("Keep the key as a secret of the repository: gh secret set REFLECT_API_KEY",),
    ),
    "gitlab": Recipe(
        "GitLab CI/CD",
        (
            File(
                "gitlab/samples/push.gitlab-ci.yml",
                ".gitlab/reflect.gitlab-ci.yml",
                _suites("suites: regression-tests", "suites: {}"),
                Slot(
                    "      suites: regression-tests\n",
                    "      suites: regression-tests\n      hosts: {}\n",
                    "      suites: regression-tests\n",
                ),
            ),
        ),
        (
            "Add REFLECT_API_KEY under Settings > CI/CD > Variables, masked.",
            "Include the file in .gitlab-ci.yml: include: [{local: .gitlab/reflect.gitlab-ci.yml}]",
        ),
    ),
    "bitbucket": Recipe(
        "Bitbucket Pipelines",
        (
            File("bitbucket/reflect-run.sh", "ci/reflect-run.sh"),
            File(
                "bitbucket/samples/push.yml",
                "bitbucket-pipelines.reflect.yml",
                _suites('REFLECT_SUITES="regression-tests"', "REFLECT_SUITES={}", shell),
                Slot(
                    _BITBUCKET_CALL, "            - export REFLECT_HOSTS={}\n" + _BITBUCKET_CALL, _BITBUCKET_CALL, shell
                ),
            ),
        ),
        (
            "Add REFLECT_API_KEY under Repository settings > Repository variables, secured.",
            "Take the step into bitbucket-pipelines.yml, and the cache under definitions.",
        ),
    ),
    "circleci": Recipe(
        "CircleCI",
        (
            File(
                "circleci/samples/push.yml",
                ".circleci/reflect.yml",
                _suites("suites: regression-tests", "suites: {}"),
                Slot(
                    "          suites: regression-tests\n",
                    "          suites: regression-tests\n          hosts: {}\n",
                    "          suites: regression-tests\n",
                ),
            ),
        ),
        (
            "Add REFLECT_API_KEY to a context named reflect (Organization Settings > Contexts).",
            "Take the orb and the job into .circleci/config.yml.",
        ),
    ),
    "travis": Recipe(
        "Travis CI",
        (
            File("travis/reflect-run.sh", "ci/reflect-run.sh"),
            File(
                "travis/samples/push.travis.yml",
                ".travis.reflect.yml",
                _suites('REFLECT_SUITES="regression-tests"', "REFLECT_SUITES={}", shell),
                Slot(_TRAVIS_CALL, "  - export REFLECT_HOSTS={}\n" + _TRAVIS_CALL, _TRAVIS_CALL, shell),
            ),
        ),
        (
            "Add REFLECT_API_KEY under More options > Settings > Environment Variables, not displayed in the log.",
            "Take the job into .travis.yml, as a stage after the deployment.",
        ),
    ),
    "codedeploy": Recipe(
        "AWS CodeDeploy (EC2 and on-premises)",
        (
            File("codedeploy/ec2/reflect-run.sh", "scripts/reflect-run.sh"),
            File(
                "codedeploy/samples/ec2/scripts/validate.sh",
                "scripts/validate.sh",
                _suites("REFLECT_SUITES=regression-tests", "REFLECT_SUITES={}", shell),
                Slot("exec sh", "export REFLECT_HOSTS={}\nexec sh", "exec sh", shell),
            ),
        ),
        (
            "Keep the key in /etc/reflect/api-key on the instances, readable for the user of `runas` only.",
            "Name the deployment groups to test in scripts/validate.sh, and the script in appspec.yml:\n"
            "    hooks: {ValidateService: [{location: scripts/validate.sh, timeout: 2400, runas: USER}]}",
            "For ECS and Lambda deployments take the Lambda function: tasks/codedeploy/README.md.",
        ),
    ),
}

# Rendered as JSON, with the project's id and name filled in.
SERVICE_CONNECTION = File("azure-devops/service-connection/reflect.json", "reflect-service-connection.json")


def source(name: str) -> str:
    """Return a catalog file's text: from the installed package, or from the repository that it is developed in."""
    from importlib import resources

    packed = resources.files("reflect_ci") / "tasks"
    for part in name.split("/"):  # one at a time: Python 3.9's joinpath takes no more
        packed = packed / part
    if packed.is_file():
        return packed.read_text(encoding="utf-8")
    return (Path(__file__).resolve().parents[2] / "tasks" / name).read_text(encoding="utf-8")


def fill(file: File, suites: Sequence[str], hosts: Sequence[str]) -> str:
    """Return the file's text with the values in their places."""
    text = source(file.source)
    for unwanted in file.drop:
        text = text.replace(unwanted, "")
    for slot, values in ((file.hosts, hosts), (file.suites, suites)):
        if slot:
            text = text.replace(slot.old, slot.given.replace("{}", slot.style(values)) if values else slot.absent)
    return text


def service_connection(api_url: str, project_id: str, project_name: str) -> str:
    """Return the configuration for `az devops service-endpoint create`. The key is no part of it."""
    values = {"{{api-url}}": api_url, "{{project-id}}": project_id, "{{project-name}}": project_name}

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(each) for name, each in value.items()}
        if isinstance(value, list):
            return [filled(each) for each in value]
        return values.get(value, value) if isinstance(value, str) else value

    return json.dumps(filled(json.loads(source(SERVICE_CONNECTION.source))), indent=2, ensure_ascii=False) + "\n"
