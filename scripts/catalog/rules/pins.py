"""Rules on what the files take from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from catalog.rule import Finding, rule
from catalog.tree import Tree, nodes

SHA = re.compile(r"[0-9a-f]{40}")
# This catalog's own files are taken by its release tag, as its users take them.
OWN = re.compile(r"reflect-ci/catalog(/[\w./-]+)?@v\d+\.\d+\.\d+")
REFERENCE = re.compile(r"\$|<<|\[\[|\{\{")
FROM = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*(\S+)", re.IGNORECASE)


def unpinned_image(image: str) -> str:
    """Return what is wrong with an image's reference, '' when nothing is."""
    if REFERENCE.search(image) or "@sha256:" in image or image == "scratch":
        return ""
    tag = image.rsplit("/", 1)[-1].partition(":")[2]
    if not tag:
        return f"the image {image} has no tag: name a version"
    if tag == "latest":
        return f"the image {image} is whatever is newest: name a version"
    return ""


@rule("actions-pinned")
def actions_pinned(tree: Tree) -> Iterator[Finding]:
    """Whatever a workflow `uses:` is pinned by the 40 digits of a commit, this catalog's own files by a release tag."""
    for path in tree.files(suffixes=(".yml", ".yaml", ".md")):
        for number, line in tree.lines(path):
            match = re.match(r"\s*(?:-\s+)?uses:\s*['\"]?([^'\"\s#]+)", line)
            if not match or match[1].startswith(("./", "docker://", "../")):
                continue
            name, _, ref = match[1].partition("@")
            if not SHA.fullmatch(ref) and not OWN.fullmatch(match[1]):
                yield Finding(path, f"{name} is pinned by {ref or 'nothing'}: write the commit's 40 digits", number)


@rule("images-pinned")
def images_pinned(tree: Tree) -> Iterator[Finding]:
    """Every container image names a version: never `latest`, never none."""
    for path in tree.files(suffixes=(".yml", ".yaml")):
        for document in tree.documents(path):
            for key, value in nodes(document):
                if key == "image" and isinstance(value, str) and (wrong := unpinned_image(value)):
                    yield Finding(path, wrong)
    for path in tree.files():
        if path.name == "Dockerfile" or path.suffix == ".dockerfile" or path.name == "Layerfile":
            stages: set[str] = set()
            for number, line in tree.lines(path):
                match = FROM.match(line)
                if not match:
                    continue
                if match[1] not in stages and (wrong := unpinned_image(match[1])):
                    yield Finding(path, wrong, number)
                stage = re.search(r"\s[Aa][Ss]\s+(\S+)", line)
                if stage:
                    stages.add(stage[1])


@rule("no-machine-of-ours")
def no_machine_of_ours(tree: Tree) -> Iterator[Finding]:
    """No file names a path of the machine that it was written on, nor a registry that it was resolved from."""
    wrong = re.compile(
        r"/work/(?:main|shared)\b|/tmp/(?:briefs|pytest-of)\b|(?<![\w.$}/~])/(?:root|home/[a-z]\w*)/(?!\.)|\"resolved\":\s*\"http"
    )
    examples = tree.root / "tests" / "catalog"  # of what is refused
    for path in tree.files("tasks", ".github", ".ci", "schemas", "scripts", "tests"):
        if path.name == "pins.py" or path.is_relative_to(examples):  # this file holds the pattern itself
            continue
        for number, line in tree.lines(path):
            if match := wrong.search(line):
                yield Finding(path, f"{match.group()} is of no use elsewhere", number)
