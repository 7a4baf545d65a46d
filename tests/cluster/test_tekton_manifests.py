"""The API server and Tekton's webhooks on the manifests: every file accepted strictly, broken ones refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .catalog import TEKTON, give_image, kustomized
from .namespace import Namespace
from .session import Cluster

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("tekton-manifests")]

STRICT = ("--dry-run=server", "--validate=strict")
TASK = TEKTON / "task" / "reflect-run" / "reflect-run.yaml"
PIPELINE = TEKTON / "pipeline" / "deploy-and-test" / "deploy-and-test.yaml"
ACTION = TEKTON / "stepaction" / "reflect-run" / "reflect-run.yaml"


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[Namespace]:
    """Give a namespace without a simulated service: nothing runs here."""
    give_image(cluster)
    with cluster.fresh_namespace("manifests", simulator=False) as namespace:
        yield namespace


def test_the_kustomization_is_accepted(place: Namespace) -> None:
    """Everything that `kubectl apply -k` gives is accepted without an unknown field."""
    done = place.apply(TEKTON, *STRICT)
    assert done.stdout.count("created") == 5, done.stdout
    assert "Warning" not in done.stderr, done.stderr


@pytest.mark.parametrize("sample", ["github-deployment", "heroku-release", "azure-callback"])
def test_a_trigger_is_accepted(place: Namespace, sample: str) -> None:
    """A trigger, by the kustomization that its sample shows, is accepted without an unknown field."""
    done = place.apply(kustomized(place, sample), *STRICT)
    for kind in ("eventlistener", "triggertemplate", "triggerbinding", "clusterrolebinding"):
        assert f"{kind}." in done.stdout, done.stdout


@pytest.mark.parametrize("sample", sorted(path.name for path in (TEKTON / "samples").glob("*.yaml")))
def test_a_sample_is_accepted(place: Namespace, sample: str) -> None:
    """A sample is accepted without an unknown field."""
    done = place.kubectl("create", *STRICT, "--filename", str(TEKTON / "samples" / sample))
    assert "created" in done.stdout


@pytest.mark.parametrize(
    ("path", "old", "new", "sentence"),
    [
        (TASK, "      workingDir:", "      workingdir:", 'unknown field "spec.steps[0].workingdir"'),
        (TASK, "computeResources:", "resources:", 'unknown field "spec.steps[0].resources"'),
        (TASK, "$(params.hosts)", "$(params.host)", "non-existent variable"),
        (TASK, "type: string", "type: text", "type"),
        (PIPELINE, "name: reflect-run", "name: Reflect Run", "taskRef"),
        (PIPELINE, "$(params.hosts)", "$(params.host)", "non-existent variable"),
        (PIPELINE, "      runAfter:\n        - deploy\n", "      runAfter:\n        - deployment\n", "deployment"),
        (ACTION, "  command:\n    - reflect-ci\n  args:\n    - run\n", "  script: reflect-ci run $(params.suites)\n", "param substitution in scripts is not allowed"),
    ],
    ids=["misspelt-field", "old-field", "undeclared-param", "unknown-type", "bad-name", "undeclared-in-pipeline", "unknown-task", "interpolated-script"],
)  # fmt: skip
def test_a_broken_manifest_is_refused(place: Namespace, path: Path, old: str, new: str, sentence: str) -> None:
    """A manifest broken on purpose is refused, and the message names the place."""
    text = path.read_text()
    assert old in text
    done = place.kubectl("apply", *STRICT, "--filename", "-", input=text.replace(old, new, 1), check=False)
    assert done.returncode != 0
    assert sentence in done.stderr, done.stderr
