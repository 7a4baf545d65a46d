"""The Tekton manifests without a cluster: what a validator says, what the README promises, what is refused when broken."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from catalog.rule import all_rules, findings
from catalog.tree import ROOT, Tree
from reflect_ci.ci import detect, native
from reflect_ci.cli import main
from reflect_ci.simulate import Simulator

TEKTON = ROOT / "tasks" / "tekton"
TASK = "task/reflect-run/reflect-run.yaml"
LINT = ROOT / "scripts" / "tools" / "node_modules" / ".bin" / "tekton-lint"
RESOLVER = """      taskRef:
        resolver: cluster
        params:
          - name: kind
            value: task
          - name: name
            value: $(params.deploy-task)
          - name: namespace
            value: $(context.pipelineRun.namespace)
"""
# What tekton-lint 1.1.0 does not know; the cluster's own validation, which does, accepts all of it.
UNKNOWN_TO_LINT = (
    r"Invalid name for \w+ '\$\(tt\.params\.run\)'",  # a name that the trigger fills in
    r"references Pipeline 'deploy-and-test', but provides no workspace",  # the workspaces are optional
    r"Pipeline 'deploy-and-test' references task 'reflect-run' \(as 'test'\), but parameter 'suites' is not supplied",  # the matrix gives it
    r"'\$\(tasks\.test\.results\.verdicts\[\*\]\)' - 'verdicts\[\*\]' is not a result",  # all results of a matrix
    r"Invalid name for 'suites\[\*\]'",
)


def lint(folder: Path, copies: Path) -> list[str]:
    """Return the findings of tekton-lint on every manifest below a folder that are none of its own gaps."""
    files = []
    for path in sorted(folder.rglob("*.yaml")):
        if "kustom" in str(path.relative_to(folder)) or path.name == "images.yaml":
            continue
        text = path.read_text()
        if (
            RESOLVER in text
        ):  # tekton-lint 1.1.0 stumbles over a Task that a resolver finds; it gets one by name instead
            path = copies / path.name
            path.write_text(text.replace(RESOLVER, "      taskRef:\n        name: reflect-report\n"))
        files.append(str(path))
    done = subprocess.run(
        [str(LINT), "--format", "json", *files],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder)},
        timeout=300,
        check=False,
    )
    problems = json.loads(done.stdout)
    assert isinstance(problems, list), done.stderr
    texts = [f"{Path(problem['path']).name}: {problem['rule']}: {problem['message']}" for problem in problems]
    return [text for text in texts if not any(re.search(known, text) for known in UNKNOWN_TO_LINT)]


def test_tekton_lint_finds_nothing(tmp_path: Path) -> None:
    """The manifests and samples pass tekton-lint, but for what it does not know."""
    assert lint(TEKTON, tmp_path) == []


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (TASK, "$(params.suites)", "$(params.suite)"),
        ("pipeline/deploy-and-test/deploy-and-test.yaml", "$(params.hosts)", "$(params.host)"),
        ("triggers/github-deployment/github-deployment.yaml", "$(tt.params.sha)", "$(tt.params.commit)"),
    ],
    ids=["task", "pipeline", "trigger"],
)
def test_tekton_lint_would_find_something(tmp_path: Path, file: str, old: str, new: str) -> None:
    """The same call finds a param that does not exist, so its silence means something."""
    shutil.copytree(TEKTON, tmp_path / "catalog")
    path = tmp_path / "catalog" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert any(path.name in text for text in lint(tmp_path / "catalog", tmp_path))


def sub(old: str, new: str) -> Callable[[str], str]:
    """Return a change that must find its place."""

    def change(text: str) -> str:
        assert old in text, old
        return text.replace(old, new, 1)

    return change


BROKEN = {
    "misspelt-field": (TASK, sub("      workingDir:", "      workingdir:"), "tekton-fields"),
    "undeclared-param": (TASK, sub("$(params.hosts)", "$(params.host)"), "tekton-params"),
    "missing-label": (TASK, sub("app.kubernetes.io/version", "app.kubernetes.io/release"), "tekton-metadata"),
    "interpolated-script": (
        TASK,
        sub("      command:\n        - reflect-ci\n      args:\n        - run\n", "      script: reflect-ci run $(params.suites)\n"),
        "no-interpolation",
    ),
    "plain-param-key": (
        TASK,
        sub("    - name: secret-name", "    - name: api-key\n      type: string\n      description: The key.\n    - name: secret-name"),
        "tekton-key",
    ),
    "literal-key": (
        TASK,
        sub("          valueFrom:\n            secretKeyRef:\n              name: $(params.secret-name)\n              key: $(params.secret-key)\n              optional: true", "          value: k3y0123456789abcdef"),
        "key-not-literal",
    ),
    "latest": (TASK, sub("reflect-ci:0.1.0", "reflect-ci:latest"), "images-pinned"),
    "input-gone": (TASK, sub("    - name: tunnel\n", "    - name: tunel\n"), "inputs-equal-table"),
    "root-user": (TASK, sub("runAsNonRoot: true", "runAsNonRoot: false"), "tekton-security"),
    "shell": (TASK, sub("        - reflect-ci\n      args:", "        - /bin/sh\n      args:"), "tekton-no-shell"),
    "step-differs": ("stepaction/reflect-run/reflect-run.yaml", sub("$(params.hosts)", "$(params.tunnel)"), "tekton-step-equal"),
    "unsigned-webhook": (
        "triggers/github-deployment/github-deployment.yaml",
        sub("            - name: secretRef\n              value:\n                secretName: reflect-github-webhook\n                secretKey: secret\n", ""),
        "tekton-webhook",
    ),
    "token-in-log": ("triggers/azure-callback/azure-callback.yaml", sub("K_LOGGING_CONFIG", "LOGGING_CONFIG"), "tekton-webhook"),
    "other-image": ("task/reflect-cancel/reflect-cancel.yaml", sub("reflect-ci:0.1.0", "reflect-ci:0.0.9"), "tekton-kustomization"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_manifest_is_refused_by_its_rule(name: str, tmp_path: Path) -> None:
    """Each manifest that is broken on purpose is refused, by the rule that is there for it."""
    file, change, rule_id = BROKEN[name]
    shutil.copytree(TEKTON, tmp_path / "tasks" / "tekton")
    rules = [rule for rule in all_rules() if rule.id == rule_id]
    assert [finding.message for _, finding in findings(Tree(tmp_path), rules)] == []
    path = tmp_path / "tasks" / "tekton" / file
    path.write_text(change(path.read_text()))
    found = [finding for _, finding in findings(Tree(tmp_path), rules)]
    assert found
    assert path in {finding.path for finding in found}


def documents(path: Path) -> list[dict[str, object]]:
    """Return the objects of a file."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def test_the_pipeline_hands_on_every_param_of_the_task_but_the_named_ones() -> None:
    """An input of the Task is an input of the Pipeline too, with the same default, and reaches the Task under its name."""
    (task,), (pipeline,) = (
        documents(TEKTON / path) for path in (TASK, "pipeline/deploy-and-test/deploy-and-test.yaml")
    )
    left_out = {"suites", "report-dir", "concurrency", "missing-key", "wait"}
    wanted = {param["name"]: param.get("default") for param in task["spec"]["params"] if param["name"] not in left_out}  # type: ignore[index]
    given = {param["name"]: param.get("default") for param in pipeline["spec"]["params"]}  # type: ignore[index]
    assert {name: default for name, default in given.items() if name not in ("suites", "deploy-task")} == wanted
    test = next(each for each in pipeline["spec"]["tasks"] if each["name"] == "test")  # type: ignore[index]
    assert {param["name"]: param["value"] for param in test["params"]} == {name: f"$(params.{name})" for name in wanted}


def test_the_readme_names_every_result() -> None:
    """The section Outputs names each result of the Task, and the Task writes no other."""
    (task,) = documents(TEKTON / TASK)
    outputs = (TEKTON / "README.md").read_text().partition("## Outputs")[2].partition("\n## ")[0]
    names = {result["name"] for result in task["spec"]["results"]}  # type: ignore[index]
    assert names
    assert all(f"`{name}`" in outputs for name in names)


def test_every_yaml_of_the_readme_is_yaml() -> None:
    """Whatever the README gives to copy parses, and refers to params that exist."""
    (task,) = documents(TEKTON / TASK)
    known = {param["name"] for param in task["spec"]["params"]} | {"deploy-task", "apiKey", "suite"}  # type: ignore[index]
    blocks = re.findall(r"(?ms)^```yaml\n(.*?)^```", (TEKTON / "README.md").read_text())
    assert len(blocks) >= 4
    for block in blocks:
        assert yaml.safe_load(block)
        for name in re.findall(r"(?m)^\s+- name: ([a-zA-Z-]+)(?:  ?#.*)?\n\s+value:", block):
            assert name in known, name


def run_into(folder: Path, sim: Simulator, suites: str, results_dir: str) -> int:
    """Run the runner as the Task's step does, with its results going to the folder."""
    environ = {
        "PATH": os.defpath,
        "TEKTON_RESULTS_DIR": results_dir,
        "REFLECT_API_URL": sim.url,
        "REFLECT_SUITES": suites,
        "REFLECT_REPORT_DIR": str(folder / "reports"),
        "REFLECT_API_KEY": "k" * 40,
    }
    return main(["run"], environ)


@pytest.mark.parametrize("as_step", [False, True], ids=["task", "stepaction"])
def test_every_declared_result_is_written(tmp_path: Path, as_step: bool) -> None:
    """The Task declares exactly what the runner writes; a StepAction can name the file of a result, not their folder."""
    (task,) = documents(TEKTON / TASK)
    folder = tmp_path / "results"
    folder.mkdir()
    with Simulator() as sim:
        assert run_into(tmp_path, sim, "passes fails", str(folder / "verdict" / ".." if as_step else folder)) == 1
    written = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(written) == {result["name"] for result in task["spec"]["results"]}  # type: ignore[index]
    assert written["verdict"] == "failed"
    assert written["verdicts"] == "fails=failed passes=passed"
    assert sorted(each.partition("/")[0] for each in written["executions"].split()) == ["fails", "passes"]
    assert not any(text.endswith("\n") for text in written.values())


def test_refused_input_still_gives_each_suite_a_verdict(tmp_path: Path) -> None:
    """A fan-out without a key says `usage` for every suite, not that they are lost."""
    with Simulator() as sim:
        environ = {
            "PATH": os.defpath,
            "TEKTON_RESULTS_DIR": str(tmp_path),
            "REFLECT_API_URL": sim.url,
            "REFLECT_SUITES": "a b",
        }
        environ["REFLECT_REPORT_DIR"] = str(tmp_path / "reports")
        assert main(["run"], environ) == 2
    assert (tmp_path / "verdicts").read_text() == "a=usage b=usage"


def test_results_of_many_suites_fit_in_tekton_s_four_kilobytes(tmp_path: Path) -> None:
    """All results of a TaskRun share one message of 4096 bytes: too long a list ends in counts."""
    scenarios = {"suites": {f"suite-with-quite-a-long-name-{number}": {"status": "passed"} for number in range(120)}}
    with Simulator(scenarios) as sim:
        assert run_into(tmp_path, sim, " ".join(scenarios["suites"]), str(tmp_path)) == 0
    texts = [path.read_text() for path in tmp_path.iterdir() if path.is_file()]
    assert sum(map(len, texts)) < 3600
    assert "+" in (tmp_path / "verdicts").read_text()


def test_a_pod_of_tekton_is_recognised() -> None:
    """The folder of the results is what marks Tekton, since it sets no variable of its own."""
    system = detect({"TEKTON_RESULTS_DIR": "/tekton/results"})
    assert system.name == "tekton"
    assert native(system, {}, lambda _: None) is not None


def test_cancel_takes_the_folder_that_a_fan_out_left(tmp_path: Path) -> None:
    """The clean-up of the Pipeline reads every executions.json below the shared folder, and finished ones do no harm."""
    with Simulator() as sim:
        for suite in ("never-ends", "passes"):
            environ = {
                "PATH": os.defpath,
                "REFLECT_API_URL": sim.url,
                "REFLECT_SUITES": suite,
                "REFLECT_API_KEY": "k" * 40,
            }
            environ |= {"REFLECT_REPORT_DIR": str(tmp_path / suite), "REFLECT_WAIT": "false"}
            assert main(["run"], environ) == 0
        environ = {
            "PATH": os.defpath,
            "REFLECT_API_URL": sim.url,
            "REFLECT_API_KEY": "k" * 40,
            "REFLECT_FROM_FILE": str(tmp_path),
        }
        assert main(["cancel"], environ) == 0
        assert sim.wait_for(lambda service: not service.running(), seconds=30)
        assert {started.suite: started.status for started in sim.started}["never-ends"] in ("canceled", "cancelled")


def test_a_folder_without_executions_is_nothing_to_cancel(tmp_path: Path) -> None:
    """A fan-out that started nothing leaves nothing to clean up."""
    environ = {
        "PATH": os.defpath,
        "REFLECT_API_URL": "http://127.0.0.1:9/v1",
        "REFLECT_API_KEY": "k" * 40,
        "REFLECT_FROM_FILE": str(tmp_path),
    }
    assert main(["cancel"], environ) == 0
