"""Rules on the Tekton triggers, and on the kustomization."""

from __future__ import annotations

import re
from collections.abc import Iterator

from catalog.manifests import FOLDER, Manifest, manifests, packages, text_of
from catalog.rule import Finding, rule
from catalog.tree import Tree


@rule("tekton-webhook")
def tekton_webhook(tree: Tree) -> Iterator[Finding]:
    """A webhook proves who sent it before anything else, and its run has a fixed name, so that it starts once."""
    for each in manifests(tree, "EventListener"):
        for trigger in each.spec.get("triggers") or []:
            text = text_of(trigger.get("interceptors"))
            signed = '"secretRef"' in text
            compared = "compareSecret(" in text and re.search(r"header\.canonical\('[\w-]+'\) != ''", text)
            if not (signed or compared):
                yield each.finding(
                    f"trigger {trigger.get('name')}: nobody checks a signature or a shared secret (a missing header included)"
                )
        if "token" in _bound(tree, each) and not re.search(r"level\W+error", _logging(tree, each)):
            yield each.finding("a bound token is logged: set K_LOGGING_CONFIG, from a Secret, to the level error")
    for each in manifests(tree, "TriggerTemplate"):
        for template in each.spec.get("resourcetemplates") or []:
            metadata = template.get("metadata") or {}
            if "generateName" in metadata or "$(tt.params." not in str(metadata.get("name", "")):
                yield each.finding(
                    f"the {template.get('kind')} has no name made from the event, so a repeated delivery runs it twice"
                )
            if "$(tt.params.token)" in text_of(template) and template.get("kind") != "Secret":
                yield each.finding(f"the token gets into a {template.get('kind')}: only a Secret may hold it")


def _logging(tree: Tree, listener: Manifest) -> str:
    """Return the logging configuration that a listener takes from a Secret, '' when it has none of its own."""
    template = listener.spec.get("resources", {}).get("kubernetesResource", {}).get("spec", {}).get("template", {})
    for container in template.get("spec", {}).get("containers", []):
        for item in container.get("env", []):
            if item.get("name") == "K_LOGGING_CONFIG":
                place = (item.get("valueFrom") or {}).get("secretKeyRef") or {}
                for secret in manifests(tree, "Secret"):
                    if secret.name == place.get("name"):
                        return str(secret.object.get("stringData", {}).get(place.get("key"), ""))
    return ""


def _bound(tree: Tree, listener: Manifest) -> set[str]:
    """Return the names of the params that the listener's bindings give."""
    names: set[str] = set()
    for trigger in listener.spec.get("triggers") or []:
        for binding in trigger.get("bindings") or []:
            names.add(str(binding.get("name", "")))
            for each in manifests(tree, "TriggerBinding"):
                if each.name == binding.get("ref"):
                    names |= {str(param.get("name")) for param in each.spec.get("params") or []}
    return names


@rule("tekton-kustomization")
def tekton_kustomization(tree: Tree) -> Iterator[Finding]:
    """The kustomization lists every published manifest, and sets the image that all of them name."""
    path = tree.root / FOLDER / "kustomization.yaml"
    if not path.is_file():
        if next(packages(tree), None):
            yield Finding(path, "missing")
        return
    kustomization = tree.documents(path)[0]
    listed = {path.parent / name for name in kustomization.get("resources") or []}
    images = {f"{image['name']}:{image['newTag']}" for image in kustomization.get("images") or [] if "newTag" in image}
    for each in packages(tree):
        if each.path not in listed:
            yield each.finding("kustomization.yaml does not list it")
    for each in manifests(tree, "Task", "StepAction"):
        for step in each.steps:
            if step.get("image") not in images and "ref" not in step:
                yield each.finding(f"the image {step.get('image')} is none that kustomization.yaml sets")
