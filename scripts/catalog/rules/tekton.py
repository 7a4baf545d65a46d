"""Rules on the Tekton manifests as a catalog: place, labels, fields, params."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from catalog.manifests import FOLDER, PACKAGES, PARAM, manifests, packages, text_of
from catalog.rule import Finding, rule
from catalog.tree import Tree
from reflect_ci import __version__

CATEGORIES = {
    "Automation", "Build Tools", "CLI", "Cloud", "Code Quality", "Continuous Integration", "Deployment", "Developer Tools",
    "Git", "Image Build", "Integration & Delivery", "Kubernetes", "Messaging", "Monitoring", "Networking", "Openshift",
    "Publishing", "Security", "Storage", "Testing",
}  # fmt: skip
ANNOTATIONS = (
    "tekton.dev/pipelines.minVersion", "tekton.dev/categories", "tekton.dev/tags", "tekton.dev/displayName",
    "tekton.dev/platforms", "artifacthub.io/category", "artifacthub.io/license", "artifacthub.io/changes",
)  # fmt: skip
# What may stand where; a misspelt field is silently dropped by some versions of the API server.
NAMED = {"name", "description", "type", "default", "properties", "enum"}
RESULT = {"name", "description", "type", "properties", "value"}
WORKSPACE = {"name", "description", "mountPath", "readOnly", "optional"}
STEP = {
    "name", "displayName", "image", "command", "args", "script", "workingDir", "env", "envFrom", "volumeMounts", "timeout",
    "onError", "securityContext", "computeResources", "imagePullPolicy", "params", "ref", "results", "when", "workspaces",
}  # fmt: skip
FIELDS: dict[str, dict[str, set[str]]] = {
    "Task": {
        "spec": {"description", "displayName", "params", "results", "workspaces", "steps", "stepTemplate", "sidecars", "volumes"},
        "params": NAMED, "results": RESULT, "workspaces": WORKSPACE, "steps": STEP,
    },
    "StepAction": {
        "spec": {
            "description", "params", "results", "image", "command", "args", "script", "workingDir", "env", "securityContext", "volumeMounts",
        },
        "params": NAMED, "results": RESULT,
    },
    "Pipeline": {
        "spec": {"description", "displayName", "params", "results", "workspaces", "tasks", "finally"},
        "params": NAMED, "results": RESULT, "workspaces": {"name", "description", "optional"},
        "tasks": {
            "name", "displayName", "description", "taskRef", "taskSpec", "params", "workspaces", "matrix", "when", "runAfter", "retries",
            "timeout", "onError",
        },
    },
}  # fmt: skip
FIELDS["Pipeline"]["finally"] = FIELDS["Pipeline"]["tasks"] - {"runAfter"}


@rule("tekton-metadata")
def tekton_metadata(tree: Tree) -> Iterator[Finding]:
    """A published manifest lies at KIND/NAME/NAME.yaml and has every label and annotation that Artifact Hub and catlin ask for."""
    for each in packages(tree):
        wanted = Path(each.kind.lower(), each.name, f"{each.name}.yaml")
        if each.path.relative_to(tree.root / FOLDER) != wanted:
            yield each.finding(f"its place is {FOLDER}/{wanted}")
        metadata = each.object.get("metadata", {})
        version = metadata.get("labels", {}).get("app.kubernetes.io/version")
        if version != __version__:
            yield each.finding(f'the label app.kubernetes.io/version is {version!r}; write "{__version__}"')
        annotations = metadata.get("annotations", {})
        for name in ANNOTATIONS:
            if not isinstance(annotations.get(name), str) or not annotations[name].strip():
                yield each.finding(f"the annotation {name} is missing")
        for category in str(annotations.get("tekton.dev/categories", "")).split(","):
            if category.strip() and category.strip() not in CATEGORIES:
                yield each.finding(f"there is no category {category.strip()!r}")
        for platform in str(annotations.get("tekton.dev/platforms", "")).split(","):
            if platform and not re.fullmatch(r"[a-z0-9]+/[a-z0-9]+", platform):
                yield each.finding(f"{platform!r} is no platform: write linux/amd64, without spaces")
        lines = str(each.spec.get("description", "")).split("\n")
        if len(lines) < 3 or not lines[0].strip() or lines[1].strip() or len(lines[0]) > 100:
            yield each.finding("the description is one short line, an empty one, then paragraphs")
        expected = "tekton.dev/v1beta1" if each.kind == "StepAction" else "tekton.dev/v1"
        if each.object.get("apiVersion") != expected:
            yield each.finding(f"the apiVersion is {expected}")


@rule("tekton-fields")
def tekton_fields(tree: Tree) -> Iterator[Finding]:
    """A Tekton manifest has no field that its kind does not know."""
    for each in manifests(tree, *PACKAGES):
        known = FIELDS[each.kind]
        for field in sorted(set(each.spec) - known["spec"]):
            yield each.finding(f"there is no field spec.{field}")
        for list_name, fields in known.items():
            for item in each.spec.get(list_name) or [] if list_name != "spec" else []:
                for field in sorted(set(item) - fields):
                    yield each.finding(f"there is no field {field} in spec.{list_name}")


@rule("tekton-params")
def tekton_params(tree: Tree) -> Iterator[Finding]:
    """Every param that is used is declared, every declared one is used, and each param, result and workspace is described."""
    for each in manifests(tree, *PACKAGES):
        declared = {item.get("name") for item in each.spec.get("params") or []}
        used = {match[1] or match[2] for match in PARAM.finditer(text_of(each.spec))}
        if each.kind == "Pipeline":
            # In a matrix the Task's own params may be quoted in the display name.
            used -= {
                param["name"]
                for task in each.spec.get("tasks", [])
                for param in (task.get("matrix") or {}).get("params", [])
            } - declared
        for name in sorted(used - declared):
            yield each.finding(f"$(params.{name}) is used, but not declared")
        for name in sorted(declared - used):
            yield each.finding(f"the param {name} is declared, but not used")
        for part in ("params", "results", "workspaces"):
            for item in each.spec.get(part) or []:
                if not str(item.get("description", "")).strip():
                    yield each.finding(f"{part}: {item.get('name')} has no description")
