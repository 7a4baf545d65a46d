"""`reflect-ci collect`: joins the verdicts of a fan-out into one line. Used by the Tekton Task reflect-report."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from reflect_ci.exits import PASSED, UNKNOWN_START, USAGE, WORST_FIRST

LOST = "lost"
# All results of a TaskRun share 4096 bytes, Tekton's own fields included.
LONGEST = 3000
ORDER = [LOST, *(row.word for row in WORST_FIRST)]


def collect(verdicts: Iterable[str], expected: int = 0) -> tuple[str, list[tuple[str, str]]]:
    """Return the worst word and the (suite, word) pairs, those that did not pass first.

    verdicts: texts of SUITE=WORD pairs separated by spaces. Every word that is not in the table counts as the worst, and
    so does each of the expected ones that is missing.
    """
    verdicts, pairs = list(verdicts), []
    for text in verdicts:
        for pair in text.split():
            suite, equals, word = pair.rpartition("=")
            pairs.append((suite, word) if equals else (pair, ""))
    lost = max(0, expected - sum(bool(text.split()) for text in verdicts))
    pairs += [("?", LOST)] * lost
    pairs.sort(key=lambda pair: (rank(pair[1]), pair[0]))
    if not pairs:
        return LOST, []
    return pairs[0][1] or UNKNOWN_START.word, pairs


def rank(word: str) -> int:
    """Return the place of a word among the worst first; unknown words come with the worst."""
    return ORDER.index(word) if word in ORDER else 0


def line(pairs: Sequence[tuple[str, str]], longest: int = LONGEST) -> str:
    """Return SUITE=WORD pairs in one line of at most so many bytes; what does not fit is counted at its end."""
    texts = [f"{suite}={word}" for suite, word in pairs]
    text = " ".join(texts)
    kept = len(texts)
    while len(text.encode()) > longest:
        kept -= 1
        left = Counter(word for _, word in pairs[kept:])
        text = " ".join([*texts[:kept], *(f"+{count}={word}" for word, count in left.items())])
    return text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the verdicts, and how many there must be."""
    parser.add_argument(
        "--expected", default="", metavar="N", help="how many TaskRuns there were; the missing ones count as lost"
    )
    parser.add_argument("verdicts", nargs="*", metavar="SUITE=VERDICT", help="the result verdicts of each TaskRun")


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print one line a suite and write the results verdict and verdicts; 0 also when suites failed."""
    if args.expected and not args.expected.isdigit():
        print("--expected takes a whole number: how many TaskRuns there were.", file=sys.stderr)
        return USAGE.code
    verdict, pairs = collect(args.verdicts, int(args.expected or 0))
    for suite, word in pairs:
        print(f"{word.upper():<14} {suite}")
    passed = sum(word == PASSED.word for _, word in pairs)
    print(f"{passed} of {len(pairs)} suites passed: {verdict}.", flush=True)
    folder = environ.get("TEKTON_RESULTS_DIR", "")
    if folder:
        for name, text in (("verdict", verdict), ("verdicts", line(pairs))):
            (Path(folder) / name).write_text(text, encoding="utf-8")
    return PASSED.code
