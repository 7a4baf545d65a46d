"""Rules on the inputs of the platforms' files."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.readers import read_inputs
from catalog.rule import Finding, rule
from catalog.tables import BEGIN, END, input_table, with_table
from catalog.tree import Tree
from reflect_ci.inputs import BY_NAME


@rule("platform-known")
def platform_known(tree: Tree) -> Iterator[Finding]:
    """Every folder of tasks/ has a row in platforms.yaml with at least one file that declares inputs."""
    for folder in sorted((tree.root / "tasks").iterdir()):
        if not folder.is_dir():
            continue
        if folder.name not in tree.platforms:
            yield Finding(folder, "no row in scripts/catalog/platforms.yaml: add one")
        elif not tree.platforms[folder.name].inputs:
            yield Finding(folder, "its row in platforms.yaml names no file under `inputs`")


@rule("inputs-equal-table")
def inputs_equal_table(tree: Tree) -> Iterator[Finding]:
    """A file declares exactly the inputs of its command, in its platform's spelling and with the table's defaults."""
    for platform in tree.platforms.values():
        for file in platform.inputs:
            path = tree.folder(platform.name) / file.path
            if not path.is_file():
                yield Finding(path, "platforms.yaml names this file, but it does not exist")
                continue
            unknown = set(file.omit) - set(BY_NAME)
            if unknown:
                yield Finding(path, f"platforms.yaml omits inputs that do not exist: {', '.join(sorted(unknown))}")
            try:
                found = read_inputs(tree.documents(path), tree.text(path) or "", file.read)
            except ValueError as error:
                yield Finding(path, str(error))
                continue
            if found is None:
                continue
            wanted = {platform.spell(row): row for row in file.rows()}
            for name, row in wanted.items():
                if name not in found:
                    yield Finding(path, f"the input {name} of `{file.command}` is missing")
                elif found[name] not in (None, "", row.default):
                    yield Finding(path, f"{name} has the default {found[name]!r}; the input table has {row.default!r}")
            for name in found:
                if name not in wanted and name not in file.add:
                    yield Finding(path, f"{name} is no input of `{file.command}`, and platforms.yaml does not add it")
            for name in file.add:
                if name not in found:
                    yield Finding(path, f"platforms.yaml adds the input {name}, but the file has none")


@rule("readme-inputs")
def readme_inputs(tree: Tree) -> Iterator[Finding]:
    """The table of inputs in a platform's README is what `python -m catalog --write-tables` writes."""
    for platform in tree.platforms.values():
        path = tree.folder(platform.name) / "README.md"
        text = tree.text(path) if path.is_file() else None
        if text is None:
            continue  # the rule readme-sections says so
        if BEGIN not in text or END not in text:
            yield Finding(path, f"no place for the table: write {BEGIN} and {END} under Inputs")
        elif with_table(text, input_table(platform)) != text:
            yield Finding(path, "the table is out of date: .venv/bin/python -m catalog --write-tables")
