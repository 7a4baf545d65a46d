"""Expands templates as Azure Pipelines documents it: parameters with types, if/elseif/else, each, insert, template, extends.

Strict where Azure is strict (unknown parameters, missing ones, wrong types) and where guessing would hide a mistake
(unknown keys of a step or job stay for the schema, unknown expressions are errors).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.platforms.azure.expressions import evaluate, text_of, truth_of

# A text inside may hold }}.
EXPRESSION = re.compile(r"\$\{\{((?:'(?:[^']|'')*'|(?!\}\}).)*)\}\}", re.DOTALL)
DIRECTIVE = re.compile(r"\$\{\{\s*(if|elseif|else|each|insert)\b(.*?)\}\}", re.DOTALL)
EACH = re.compile(r"\s*([A-Za-z_]\w*)\s+in\s+(.*)", re.DOTALL)
LISTS = {"stepList", "jobList", "deploymentList", "stageList"}
OBJECTS = {"object", "step", "job", "deployment", "stage", *LISTS}


class ExpansionError(ValueError):
    """Azure Pipelines would refuse the pipeline."""


class Loader(yaml.SafeLoader):
    """YAML 1.2 scalars (no `on`, no `yes`, no dates), and no key twice in a mapping."""


Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)$", "-+.0123456789"),
):
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


def _mapping(loader: Loader, node: yaml.MappingNode) -> dict[str, Any]:
    keys = [str(loader.construct_object(key)) for key, _ in node.value]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise ExpansionError(f"{node.start_mark}: the same key twice: {', '.join(sorted(twice))}")
    return loader.construct_mapping(node, deep=True)  # type: ignore[return-value]  # keys are text in pipelines


Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def load(path: Path) -> dict[str, Any]:
    """Read a pipeline or template file."""
    found = yaml.load(path.read_text(), Loader)
    if not isinstance(found, dict):
        raise ExpansionError(f"{path}: not a mapping")
    return found


@dataclass
class Scope:
    """Where a file is expanded: its repository's root, its own path, what its expressions see."""

    root: Path
    file: Path
    names: dict[str, Any]
    repositories: Mapping[str, Path] = field(default_factory=dict)

    def with_names(self, **names: Any) -> Scope:
        return Scope(self.root, self.file, {**self.names, **names}, self.repositories)


def convert(name: str, kind: str, value: Any) -> Any:
    """Convert a parameter's value to its declared type, or refuse it."""
    if kind == "string":
        if isinstance(value, (dict, list)):
            raise ExpansionError(f"parameter {name}: a mapping or sequence is no string")
        return text_of(value)
    if kind == "boolean":
        if isinstance(value, bool) or str(value).lower() in ("true", "false"):
            return str(value).lower() == "true"
        raise ExpansionError(f"parameter {name}: {value!r} is no boolean")
    if kind == "number":
        try:
            return value if isinstance(value, (int, float)) and not isinstance(value, bool) else float(str(value))
        except ValueError:
            raise ExpansionError(f"parameter {name}: {value!r} is no number") from None
    if kind in LISTS and not isinstance(value, list):
        raise ExpansionError(f"parameter {name}: {kind} wants a sequence")
    if kind not in OBJECTS:
        raise ExpansionError(f"parameter {name}: unknown type {kind!r}")
    return value


def bind(declared: Iterable[Mapping[str, Any]], given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Bind what a caller gives to what a template declares."""
    rows = {row["name"]: row for row in declared}
    unknown = sorted(set(given) - set(rows))
    if unknown:
        raise ExpansionError(f"{where}: unexpected parameter {', '.join(unknown)}")
    bound = {}
    for name, row in rows.items():
        if name not in given and "default" not in row:
            raise ExpansionError(f"{where}: a value for the parameter {name} must be provided")
        value = convert(name, row.get("type", "string"), given.get(name, row.get("default")))
        if "values" in row and value not in row["values"]:
            raise ExpansionError(f"{where}: parameter {name}: {value!r} is none of {row['values']}")
        bound[name] = value
    return bound


def scalar(text: str, scope: Scope) -> Any:
    """Expand the expressions in a scalar; one that is nothing but an expression keeps the value's type."""
    whole = EXPRESSION.fullmatch(text.strip())
    if whole:
        return evaluate(whole[1], scope.names)
    return EXPRESSION.sub(lambda match: text_of(evaluate(match[1], scope.names)), text)


def directive(key: Any) -> re.Match[str] | None:
    """Return the match of a key that is `${{ if … }}` and the like."""
    return DIRECTIVE.fullmatch(key.strip()) if isinstance(key, str) else None


def items_of(value: Any) -> list[Any]:
    """Return what `each` walks over: elements, or key-value pairs."""
    if isinstance(value, Mapping):
        return [{"key": key, "value": item} for key, item in value.items()]
    if isinstance(value, list):
        return value
    raise ExpansionError(f"each: {value!r} is no sequence or mapping")


def branches(node: Mapping[str, Any], scope: Scope) -> Iterable[tuple[str | None, Any, Scope]]:
    """Yield what is left of a mapping: (key, value, scope); key None for a value that is to be merged."""
    decided = False
    for key, value in node.items():
        found = directive(key)
        if found is None:
            yield text_of(scalar(str(key), scope)), value, scope
            continue
        word, rest = found[1], found[2]
        if word == "insert":
            yield None, value, scope
        elif word == "each":
            each = EACH.fullmatch(rest)
            if not each:
                raise ExpansionError(f"{scope.file}: {key}")
            for item in items_of(evaluate(each[2], scope.names)):
                yield None, value, scope.with_names(**{each[1]: item})
        else:
            if word == "if":
                decided = False
            hit = not decided and (word == "else" or truth_of(evaluate(rest, scope.names)))
            decided = decided or hit
            if hit:
                yield None, value, scope


def expand(node: Any, scope: Scope) -> Any:
    """Expand any node."""
    if isinstance(node, str):
        return scalar(node, scope)
    if isinstance(node, Mapping):
        result: dict[str, Any] = {}
        for key, value, inner in branches(node, scope):
            expanded = expand(value, inner)
            if key is not None:
                result[key] = expanded
            elif isinstance(expanded, Mapping):
                result.update(expanded)
            else:
                raise ExpansionError(f"{scope.file}: a {type(expanded).__name__} cannot be merged into a mapping")
        return result
    if isinstance(node, list):
        return sequence(node, scope)
    return node


def sequence(node: list[Any], scope: Scope) -> list[Any]:
    """Expand a sequence: directives and expressions that give sequences are spliced, templates are included."""
    result: list[Any] = []
    decided = False
    for item in node:
        keys = list(item) if isinstance(item, Mapping) else []
        found = directive(keys[0]) if len(keys) == 1 else None
        if found is not None and found[1] != "insert":
            # if/elseif/else stand as neighbouring items of the sequence.
            word = found[1]
            if word == "each":
                for _, value, inner in branches(item, scope):
                    result += as_list(expand(value, inner), inner)
                continue
            if word == "if":
                decided = False
            hit = not decided and (word == "else" or truth_of(evaluate(found[2], scope.names)))
            decided = decided or hit
            if hit:
                result += as_list(expand(item[keys[0]], scope), scope)
            continue
        if isinstance(item, Mapping) and "template" in item:
            result += included(item, scope)
            continue
        expanded = expand(item, scope)
        if isinstance(item, str) and isinstance(expanded, list):
            result += expanded
        else:
            result.append(expanded)
    return result


def as_list(value: Any, scope: Scope) -> list[Any]:
    """A directive inside a sequence must give a sequence."""
    if not isinstance(value, list):
        raise ExpansionError(f"{scope.file}: a sequence was expected, not {value!r}")
    return value


def locate(reference: str, scope: Scope) -> Scope:
    """Find a template: beside the file, from the repository's root (/…), or in a repository resource (…@alias)."""
    path, _, alias = reference.partition("@")
    if alias:
        if alias not in scope.repositories:
            raise ExpansionError(f"{scope.file}: no repository resource {alias!r}")
        root = scope.repositories[alias]
        return Scope(root, root / path.lstrip("/"), {}, scope.repositories)
    base = scope.root / path.lstrip("/") if path.startswith("/") else scope.file.parent / path
    return Scope(scope.root, base, {}, scope.repositories)


def opened(reference: Mapping[str, Any], scope: Scope) -> tuple[dict[str, Any], Scope]:
    """Read a template and bind its parameters."""
    extra = set(reference) - {"template", "parameters"}
    if extra:
        raise ExpansionError(f"{scope.file}: a template reference cannot have {', '.join(sorted(extra))}")
    inner = locate(text_of(scalar(str(reference["template"]), scope)), scope)
    document = load(inner.file)
    given = expand(reference.get("parameters") or {}, scope)
    inner.names = {
        "parameters": bind(document.pop("parameters", []), given, str(inner.file)),
        "variables": scope.names.get("variables", {}),
    }
    return document, inner


def included(reference: Mapping[str, Any], scope: Scope) -> list[Any]:
    """Expand a template that gives steps, jobs or stages."""
    document, inner = opened(reference, scope)
    kinds = set(document) & {"steps", "jobs", "stages"}
    if len(kinds) != 1 or len(document) != 1:
        raise ExpansionError(f"{inner.file}: a template gives steps, jobs or stages, not {sorted(document)}")
    return as_list(expand(document[kinds.pop()], inner), inner)


def expand_pipeline(
    path: Path,
    *,
    root: Path | None = None,
    repositories: Mapping[str, Path] | None = None,
    parameters: Mapping[str, Any] | None = None,
    variables: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Expand a pipeline file to what Azure runs: plain stages, jobs or steps."""
    document = load(path)
    root = root or path.parent
    declared = document.get("resources", {}).get("repositories", [])
    known = {row["repository"]: (repositories or {})[row["repository"]] for row in declared}
    bound = bind(document.pop("parameters", []), parameters or {}, str(path))
    scope = Scope(root, path, {"parameters": bound, "variables": dict(variables or {})}, known)
    if "extends" in document:
        reference = document.pop("extends")
        body, inner = opened(reference, scope)
        return {**expand(document, scope), **expand(body, inner)}
    result: dict[str, Any] = expand(document, scope)
    return result
