"""`./scripts/bench [--write] [CASE …]`: measure, print the table, and keep it in README.md with --write."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmark import cases
from benchmark.cases import Row

README = Path(__file__).resolve().parents[2] / "README.md"
CASES: dict[str, Callable[[], Iterator[Row]]] = {
    "start": cases.start_up,
    "2s": lambda: cases.one_suite(2, 10),
    "12s": lambda: cases.one_suite(12, 30),
    "thousand": cases.thousand,
    "platforms": cases.platforms,
    "lambda": cases.lambda_hook,
}


def table(rows: list[Row]) -> str:
    """Return the rows as Markdown."""
    lines = ["| what | reflect-ci | beside it | bar |", "|---|---|---|---|"]
    return "\n".join(
        [
            *lines,
            *(
                f"| {row.what} | {row.ours} | {row.beside} | {row.bar}{'' if row.good else ' **(missed)**'} |"
                for row in rows
            ),
        ]
    )


def main() -> int:
    """Return 1 when a bar was missed."""
    parser = argparse.ArgumentParser(description="Measure the runner against what it replaces.")
    parser.add_argument("case", nargs="*", metavar="CASE", help="which cases; all when none is named")
    parser.add_argument("--write", action="store_true", help="keep the table in README.md")
    args = parser.parse_args()
    rows: list[Row] = []
    for name in args.case or CASES:
        print(f"measuring {name} …", file=sys.stderr)
        rows += CASES[name]()
    print(table(rows))
    if args.write:
        text = README.read_text(encoding="utf-8")
        begin, end = "<!-- bench:begin -->", "<!-- bench:end -->"
        README.write_text(
            re.sub(f"{begin}.*{end}", lambda _m: f"{begin}\n{table(rows)}\n{end}", text, flags=re.DOTALL),
            encoding="utf-8",
        )
    return 0 if all(row.good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
