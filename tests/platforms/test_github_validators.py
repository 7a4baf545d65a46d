"""GitHub's files are clean for every validator there is, and each validator refuses what it is there for."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conformance.frame import ROOT, path_with_runner
from tests.platforms.github import act

BROKEN = Path(__file__).parent / "github" / "broken"
ACTIONS = sorted((ROOT / "tasks" / "github").glob("*/action.yml"))
WORKFLOWS = sorted(
    [*(ROOT / ".github" / "workflows").glob("*.yml"), *(ROOT / "tasks" / "github" / "samples").glob("*.yml")]
)
OWN = re.compile(r"uses: reflect-ci/catalog/((?:tasks|\.github)/[\w./-]+)@\S+(?: # v\S+)?")


def tool(arguments: list[str | Path], cwd: Path) -> tuple[int, str]:
    """Run a validator without the machine's settings; return its exit code and output."""
    environ = {"PATH": path_with_runner(), "HOME": str(cwd), "LANG": "C.UTF-8"}
    run = subprocess.run(
        [str(word) for word in arguments],
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    return run.returncode, run.stdout + run.stderr


def actionlint(workflow: Path, tmp: Path) -> tuple[int, str]:
    """Run actionlint where the catalog's own actions are local ones: only then does it check their inputs and outputs."""
    act.catalog(tmp)
    (tmp / ".git").mkdir(exist_ok=True)
    copy = tmp / ".github" / "workflows" / workflow.name
    copy.write_text(OWN.sub(r"uses: ./\1", workflow.read_text()))
    return tool(["actionlint", "-shellcheck", "shellcheck", copy], tmp)


def jactionlint(path: Path, tmp: Path) -> tuple[int, str]:
    """Run jactionlint's checks of correctness."""
    return tool(["jactionlint", "--profile", "correctness", "--shellcheck", "shellcheck", path], tmp)


def zizmor(path: Path, tmp: Path) -> tuple[int, str]:
    """Run zizmor without a network."""
    copy = tmp / ("action" if path.name == "action.yml" else ".github/workflows") / path.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, copy)
    return tool(["zizmor", "--offline", "--no-config", "--quiet", copy], tmp)


def schema(path: Path, tmp: Path) -> tuple[int, str]:
    """Check a file against the published schema of its kind."""
    kind = "github-actions" if path.name == "action.yml" else "github-workflows"
    return tool(["check-jsonschema", "--builtin-schema", f"vendor.{kind}", path], tmp)


Validator = Callable[[Path, Path], tuple[int, str]]


def ids(value: object) -> str:
    """Name a parameter by its file or function."""
    return str(value.relative_to(ROOT)) if isinstance(value, Path) else getattr(value, "__name__", str(value))


@pytest.mark.parametrize("path", WORKFLOWS, ids=ids)
@pytest.mark.parametrize("validator", [actionlint, jactionlint, zizmor, schema], ids=ids)
def test_workflow_is_clean(validator: Validator, path: Path, tmp_path: Path) -> None:
    """A workflow that users copy or call has no finding."""
    code, output = validator(path, tmp_path)
    assert code == 0, output


@pytest.mark.parametrize("path", ACTIONS, ids=ids)
@pytest.mark.parametrize("validator", [jactionlint, zizmor, schema], ids=ids)
def test_action_is_clean(validator: Validator, path: Path, tmp_path: Path) -> None:
    """An action has no finding."""
    code, output = validator(path, tmp_path)
    assert code == 0, output


@pytest.mark.parametrize(
    ("validator", "name", "sentences"),
    [
        (actionlint, "actionlint.yml", ["time-out", "nobody"]),
        (actionlint, "shellcheck.yml", ["SC2086"]),
        (jactionlint, "jactionlint.yml", ["deploy"]),
        (zizmor, "zizmor.yml", ["template-injection", "dangerous-triggers"]),
        (schema, "schema.yml", ["step"]),
        (schema, "action.yml", ["runs"]),
    ],
    ids=ids,
)
def test_broken_is_refused(validator: Validator, name: str, sentences: list[str], tmp_path: Path) -> None:
    """Each validator refuses the example that is broken for it, and says why."""
    code, output = validator(BROKEN / name, tmp_path)
    assert code != 0
    for sentence in sentences:
        assert sentence in output


def test_pin_holds_what_it_names() -> None:
    """All workflows pin one commit of the catalog; where the history has it, it holds the actions with the inputs in use."""
    pins = {
        (match["owner"], match["ref"])
        for path in WORKFLOWS
        for match in act.USES.finditer(path.read_text())
        if match["owner"] == act.CATALOG
    }
    assert len(pins) == 1
    ((_, commit),) = pins
    git = ["git", "-c", "safe.directory=*", "-C", str(ROOT)]
    if tool([*git, "cat-file", "-e", f"{commit}^{{commit}}"], ROOT)[0] != 0:
        return  # an export, or a shallow clone: there is no history to look into
    for path in WORKFLOWS:
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            for step in job.get("steps", []):
                match = re.match(r"reflect-ci/catalog/(tasks/github/[\w-]+)@", step.get("uses", ""))
                if match:
                    code, text = tool([*git, "show", f"{commit}:{match[1]}/action.yml"], ROOT)
                    assert code == 0, text
                    assert set(step.get("with", {})) <= set(yaml.safe_load(text)["inputs"]), path
    code, text = tool([*git, "show", f"{commit}:tasks/shell/reflect-run.sh"], ROOT)
    assert code == 0, text
