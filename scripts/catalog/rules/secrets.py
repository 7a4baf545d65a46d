"""Rules on the key."""

from __future__ import annotations

import re
from collections.abc import Iterator

from catalog.rule import Finding, rule
from catalog.tree import Tree, nodes

# `simulated` in it: the simulated service takes any key. Else a value that is text of its own, and not a reference in any platform's spelling ($X, $(X), ${{ X }}, <<X>>, [[X]], %X%).
LITERAL = re.compile(
    r"\bREFLECT_API_KEY\b['\"]?\s*(?:=|:(?!-))\s*['\"]?(?P<value>(?![\w-]*simulated)[A-Za-z0-9][A-Za-z0-9_\-]{7,})['\"]?\s*(?:$|[#;,&}\]])"
)
ARGV_OPTION = re.compile(r"--api-key(?!-file)(?:\s|=)")
ARGV_HEADER = re.compile(r"(?:-H|--header)[ =]?\\?['\"]?x-api-key", re.IGNORECASE)
URL = re.compile(r"https?://[^\s'\"]*[?&](?:api[_-]?key|x-api-key)=", re.IGNORECASE)
KEY_NAMES = {"REFLECT_API_KEY", "x-api-key", "X-API-KEY"}


@rule("key-not-literal")
def key_not_literal(tree: Tree) -> Iterator[Finding]:
    """No file holds a key: the value of REFLECT_API_KEY and of the key's header is a reference to a secret."""
    for path in tree.files():
        for number, line in tree.lines(path):
            if LITERAL.search(line) and "REFLECT_API_KEY=REFLECT_API_KEY" not in line:
                yield Finding(path, "a literal key: refer to the platform's secret store", number)
        if path.suffix in {".yml", ".yaml", ".json"}:
            for document in tree.documents(path):
                for _, node in nodes(document):
                    if (
                        isinstance(node, dict)
                        and node.get("name") in KEY_NAMES
                        and isinstance(node.get("value"), str)
                        and re.match(r"[A-Za-z0-9]", node["value"])
                    ):
                        yield Finding(path, f"{node['name']} has a literal value: refer to the platform's secret store")


@rule("key-not-on-argv")
def key_not_on_argv(tree: Tree) -> Iterator[Finding]:
    """The key is on no command line and in no address, where every process on the machine could read it.

    READMEs are left out: their last section quotes the vendor's snippet.
    """
    for path in tree.files():
        if path.suffix == ".md":
            continue
        for number, line in tree.lines(path):
            if ARGV_OPTION.search(line):
                yield Finding(path, "the key as an option: pass REFLECT_API_KEY in the environment", number)
            if ARGV_HEADER.search(line):
                yield Finding(path, "the key as an argument of curl: call the runner, or give curl a file (-K)", number)
            if URL.search(line):
                yield Finding(path, "the key in an address: pass it as a header", number)
