"""`python -m catalog`: check the catalog. `--list` names the rules, `--write-tables` renews the READMEs' tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from catalog.rule import all_rules, findings
from catalog.tables import write_tables
from catalog.tree import ROOT, Tree


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; 1 when a rule is broken."""
    parser = argparse.ArgumentParser(prog="python -m catalog", description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="the tree to check (default: this repository)")
    parser.add_argument("--rule", action="append", metavar="ID", help="check only this rule (may be repeated)")
    parser.add_argument("--list", action="store_true", help="list the rules with their sentences")
    parser.add_argument("--write-tables", action="store_true", help="write the tables of inputs in the READMEs")
    options = parser.parse_args(arguments)
    rules = all_rules()
    if options.rule:
        unknown = set(options.rule) - {rule.id for rule in rules}
        if unknown:
            parser.error(f"no such rule: {', '.join(sorted(unknown))}")
        rules = [rule for rule in rules if rule.id in options.rule]
    tree = Tree(options.root)
    if options.list:
        for rule in rules:
            print(f"{rule.id}: {rule.sentence}")
        return 0
    if options.write_tables:
        for path in write_tables(tree):
            print(f"written: {path.relative_to(options.root)}")
        return 0
    broken = 0
    for rule, finding in findings(tree, rules):
        broken += 1
        place = finding.path.relative_to(options.root) if finding.path.is_relative_to(options.root) else finding.path
        print(f"{place}{f':{finding.line}' if finding.line else ''}: {rule.id}: {finding.message}")
    print(f"{broken} finding{'s' * (broken != 1)}, {len(rules)} rules, {len(tree.platforms)} platforms")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
