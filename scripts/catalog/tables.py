"""The generated tables of inputs in the platforms' READMEs."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

from catalog.platforms import Platform
from catalog.tree import Tree
from reflect_ci.exits import EXITS
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
    """Write the tables of the top README and of every platform's; yield the files that changed."""
    texts = {tree.root / "README.md": with_root_tables}
    for platform in tree.platforms.values():
        table = input_table(platform)
        texts[tree.folder(platform.name) / "README.md"] = functools.partial(_with, table)
    for path, change in texts.items():
        if not path.is_file():
            continue
        old = path.read_text(encoding="utf-8")
        new = change(old)
        if new != old:
            path.write_text(new, encoding="utf-8")
            yield path


def _with(table: str, text: str) -> str:
    return with_table(text, table)


def exits_table() -> str:
    """Return the table of exit codes."""
    lines = ["| code | word in reports | meaning |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {each.code} | {each.word} | {cell(each.meaning)} |" for each in EXITS)])


def all_inputs_table() -> str:
    """Return the whole input table: option, variable, default, commands, meaning."""
    lines = ["| option | variable | default | commands | meaning |", "|---|---|---|---|---|"]
    for row in INPUTS:
        option = "(none)" if row.secret else row.metavar if row.kind == "list" else f"`--{row.name}`"
        default = f"`{row.default}`" if row.default else ""
        words = f" One of {', '.join(f'`{word}`' for word in row.choices)}." if row.choices else ""
        lines.append(
            f"| {cell(option)} | `{row.env}` | {default} | {', '.join(row.commands)} | {cell(row.help + words)} |"
        )
    return "\n".join(lines)


def with_root_tables(text: str) -> str:
    """Return the text of the top README with its generated tables."""
    for name, table in (("exits", exits_table()), ("inputs", all_inputs_table())):
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    return text
