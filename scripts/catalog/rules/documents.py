"""Rules on READMEs and samples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from catalog.rule import Finding, rule
from catalog.tree import Tree

SECTIONS = (
    "Install", "Use", "Inputs", "Outputs", "On failure", "Time limits", "Permissions", "Samples",
    "From the vendor's snippet",
)  # fmt: skip


def _headings(text: str) -> list[str]:
    """Return the second-level headings that stand outside of code."""
    prose = re.sub(r"(?ms)^(```|~~~).*?^\1", "", text)
    return re.findall(r"(?m)^## +(.+?) *$", prose)


def _section(text: str, title: str) -> str:
    """Return the text below a second-level heading."""
    match = re.search(rf"(?ms)^## +{re.escape(title)} *\n(.*?)(?=^## |\Z)", text)
    return match[1] if match else ""


@rule("readme-sections")
def readme_sections(tree: Tree) -> Iterator[Finding]:
    """Every platform has a README.md with the same sections in the same order, none of them empty."""
    for platform in tree.platforms:
        path = tree.folder(platform) / "README.md"
        if not path.is_file():
            yield Finding(path, "missing")
            continue
        text = tree.text(path) or ""
        found = _headings(text)
        if found != list(SECTIONS):
            yield Finding(path, f"the sections are {', '.join(found) or 'none'}; write {', '.join(SECTIONS)}")
        for title in found:
            if not _section(text, title).strip():
                yield Finding(path, f"the section {title} is empty")


@rule("samples-listed")
def samples_listed(tree: Tree) -> Iterator[Finding]:
    """Every platform has samples/, and the README's section Samples names each of them."""
    for platform in tree.platforms:
        folder = tree.folder(platform) / "samples"
        samples = list(tree.files(str(folder.relative_to(tree.root))))
        if not samples:
            yield Finding(folder, "no samples: add at least one file that a test executes")
            continue
        readme = tree.folder(platform) / "README.md"
        text = _section(tree.text(readme) or "", "Samples") if readme.is_file() else ""
        for path in samples:
            inside = path.relative_to(folder)
            # A sample may be a folder of files; then its folder is named.
            if path.name not in text and f"{inside.parts[0]}/" not in text:
                yield Finding(readme, f"the section Samples does not name samples/{inside}")


@rule("links-resolve")
def links_resolve(tree: Tree) -> Iterator[Finding]:
    """A relative link in a README leads to a file that exists."""
    for path in tree.files("tasks", suffixes=(".md",)):
        for number, line in tree.lines(path):
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", line):
                if re.match(r"[a-z]+:", target):
                    continue
                if not (path.parent / target).exists() and not Path(tree.root / target.lstrip("/")).exists():
                    yield Finding(path, f"the link to {target} leads nowhere", number)
