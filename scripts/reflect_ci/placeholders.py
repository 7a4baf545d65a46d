"""Values that a CI system should have filled in and did not: refused before anything is called, with the cure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Placeholder:
    """One system's spelling of a reference that stayed text."""

    pattern: re.Pattern[str]
    cure: str


# The first pattern that matches the whole value wins; narrow ones stand before wide ones.
PLACEHOLDERS = (
    Placeholder(
        re.compile(r"\$\(\s*(params|workspaces|tasks|context|tt\.params|body)\b.*\)"),
        "Tekton leaves a reference to an undeclared param as text: declare the param, or correct its name",
    ),
    Placeholder(
        re.compile(r"\$\([^()]*\)"),
        "Azure Pipelines leaves an undefined variable as text: define it (Library or Variables) and map a secret one with `env:`, "
        "as in `REFLECT_API_KEY: $(ReflectApiKey)`",
    ),
    Placeholder(
        re.compile(r"\$\{\{.*\}\}", re.DOTALL),
        "an expression was not evaluated: in GitHub Actions write `REFLECT_API_KEY: ${{ secrets.REFLECT_API_KEY }}` under `env:` or `with:`; "
        "in Codefresh add REFLECT_API_KEY as an encrypted variable of the pipeline",
    ),
    Placeholder(
        re.compile(r"<<.*>>", re.DOTALL),
        "CircleCI did not expand this parameter: use it in a command or job that declares it",
    ),
    Placeholder(
        re.compile(r"\$\[\[.*\]\]", re.DOTALL),
        "GitLab did not interpolate this input: use it in the component's template, under a declared `spec: inputs`",
    ),
    Placeholder(
        re.compile(r"\{\{.*\}\}", re.DOTALL),
        "a template expression was not evaluated: pass its value through the environment",
    ),
    Placeholder(
        re.compile(r"<[^<>]*>"),
        "this is the documentation's place-holder: write the real value instead",
    ),
    Placeholder(
        re.compile(r"%[A-Za-z_][A-Za-z0-9_]*%"),
        "cmd did not expand this variable: set it in the job's environment",
    ),
    Placeholder(
        re.compile(r"\$(env:)?\{?[A-Za-z_][A-Za-z0-9_]*\}?"),
        "the variable was not expanded: it stands in single quotes, or it is not set (in Jenkins use withCredentials; "
        "in GitLab, Bitbucket, CircleCI and Travis add it to the project's variables)",
    ),
)
UNMISTAKABLE = PLACEHOLDERS[:5]  # never meant as the value of, say, a password


def cure_of(value: str, table: tuple[Placeholder, ...] = PLACEHOLDERS) -> Optional[str]:
    """Return what to do about a value that is nothing but an unexpanded placeholder, or None when it is none."""
    text = value.strip()
    for placeholder in table:
        if placeholder.pattern.fullmatch(text):
            return placeholder.cure
    return None
