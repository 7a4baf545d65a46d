"""Renders a step type's `stepsTemplate`: the part of Go's text/template that ours uses, with the delimiters [[ and ]].

Known are `if .Arguments.NAME`, `else`, `end`, `printf "FORMAT" .Arguments.NAME`, a pipe into `printf "%q"`, and the mark
`-` that takes the white space before. Anything else is refused. That Go's own package gives the same text is tested.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

TOKEN = re.compile(r"(\s*)\[\[(-?) (.*?) \]\]")
PRINTF = re.compile(r'printf "([^"%]*)%([sq])([^"%]*)" \.Arguments\.(\w+)( \| printf "%q")?')


def quoted(text: str) -> str:
    """Return a text as Go's %q writes it."""
    short = {
        '"': '\\"',
        "\\": "\\\\",
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
    }
    result = ""
    for sign in text:
        code = ord(sign)
        if sign in short:
            result += short[sign]
        elif sign == " " or (sign.isprintable() and not sign.isspace()):
            result += sign
        else:
            result += f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return f'"{result}"'


def render(template: str, arguments: Mapping[str, str]) -> str:
    """Return the text with the arguments in their places."""
    result, end = "", 0
    shown = [True]  # one for each open `if`, whether its present branch is written
    for match in TOKEN.finditer(template):
        space, trim, action = match.groups()
        if all(shown):
            result += template[end : match.start()] + ("" if trim else space)
        end = match.end()
        printf, condition = PRINTF.fullmatch(action), re.fullmatch(r"if \.Arguments\.(\w+)", action)
        if condition:
            shown.append(bool(arguments.get(condition[1])))
        elif action == "else":
            shown[-1] = not shown[-1]
        elif action == "end":
            shown.pop()
        elif printf:
            before, verb, after, name, pipe = printf.groups()
            value = arguments.get(name, "")
            text = f"{before}{quoted(value) if verb == 'q' else value}{after}"
            if all(shown):
                result += quoted(text) if pipe else text
        else:
            raise ValueError(f"not known in a template: {action}")
    if len(shown) != 1:
        raise ValueError("an if without its end")
    return result + template[end:]
