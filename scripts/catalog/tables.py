"""The generated tables of inputs in the platforms' READMEs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from catalog.platforms import Platform
from catalog.tree import Tree
from reflect_ci.inputs import INPUTS, RUNNER

BEGIN, END = "<!-- inputs:begin -->", "<!-- inputs:end -->"
PLACE = re.compile(re.escape(BEGIN) + r".*?" + re.escape(END), re.DOTALL)


def cell(text: str) -> str:
    """Return a text that stays one cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")


def input_table(platform: Platform) -> str:
    """Return the table of everything that the platform's files take, in the order of the input table."""
    commands: dict[str, list[str]] = {}
    own: dict[str, str] = {}
    for file in platform.inputs:
        for row in file.rows():
            steps = commands.setdefault(row.name, [])
            if file.command not in steps:
                steps.append(file.command)
        own.update(file.add)
    several = len({file.command for file in platform.inputs}) > 1
    head = "| input | default | " + ("steps | " if several else "") + "meaning |"
    lines = [head, "|---" * (head.count("|") - 1) + "|"]
    for row in (*INPUTS, RUNNER):
        if row.name not in commands:
            continue
        default = f"`{row.default}`" if row.default else ""
        words = f" One of {', '.join(f'`{word}`' for word in row.choices)}." if row.choices else ""
        steps_cell = f"{', '.join(commands[row.name])} | " if several else ""
        lines.append(f"| `{platform.spell(row)}` | {default} | {steps_cell}{cell(row.help + words)} |")
    for name, meaning in own.items():
        lines.append(f"| `{name}` | | " + ("| " if several else "") + f"{cell(meaning)} |")
    return "\n".join(lines)


def with_table(text: str, table: str) -> str:
    """Return the README's text with the table in its place."""
    return PLACE.sub(lambda _: f"{BEGIN}\n{table}\n{END}", text)


def write_tables(tree: Tree) -> Iterator[Path]:
    """Write the tables of every platform; yield the files that changed."""
    for platform in tree.platforms.values():
        path = tree.folder(platform.name) / "README.md"
        if not path.is_file():
            continue
        old = path.read_text(encoding="utf-8")
        new = with_table(old, input_table(platform))
        if new != old:
            path.write_text(new, encoding="utf-8")
            yield path
