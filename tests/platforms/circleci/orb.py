"""Packs the orb's sources and expands configurations that use it, by CircleCI's documented rules.

No program for that is to be had without CircleCI's own CLI. What is not implemented is refused, never passed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.conformance.frame import ROOT

SOURCE = ROOT / "tasks" / "circleci" / "src"
INCLUDE = re.compile(r"<<\s*include\(([^)]+)\)\s*>>")
EXPRESSION = re.compile(r"(?<!\\)<<\s*([\w.]+)\s*>>")
STEPS = {"run", "checkout", "restore_cache", "save_cache", "store_test_results", "store_artifacts",
         "persist_to_workspace", "attach_workspace"}  # fmt: skip
POSIX_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class ConfigError(ValueError):
    """A configuration that CircleCI refuses before any job runs."""


def pack(source: Path = SOURCE) -> dict[str, Any]:
    """Return the orb that `circleci orb pack` makes of the sources: one document, every script included."""

    def included(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: included(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [included(inner) for inner in value]
        match = INCLUDE.fullmatch(value.strip()) if isinstance(value, str) else None
        if match:
            text = (source / match[1].strip()).read_text()
            # What CircleCI would take for an expression is escaped.
            return text.replace("<<", "\\<<")
        return value

    orb: dict[str, Any] = included(yaml.safe_load((source / "@orb.yml").read_text()))
    for section in ("commands", "jobs", "executors", "examples"):
        files = sorted((source / section).glob("*.yml"))
        orb[section] = {path.stem: included(yaml.safe_load(path.read_text())) for path in files}
    return orb


def substitute(value: Any, names: Mapping[str, Any]) -> Any:
    """Replace `<< name >>`: alone it keeps the parameter's type, inside a text it becomes text."""
    if isinstance(value, dict):
        return {substitute(key, names): substitute(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [substitute(inner, names) for inner in value]
    if not isinstance(value, str):
        return value

    def look_up(name: str) -> Any:
        if name not in names:
            raise ConfigError(f"unknown: << {name} >>")
        return names[name]

    whole = EXPRESSION.fullmatch(value.strip())
    if whole:
        return look_up(whole[1])
    text = EXPRESSION.sub(lambda match: as_text(look_up(match[1])), value)
    return text.replace("\\<<", "<<")


def as_text(value: Any) -> str:
    """Return a parameter's value inside a text."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def arguments(declared: Mapping[str, Any], given: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Check what is given against the declared parameters; return all of them, as `parameters.NAME`."""
    if unknown := set(given) - set(declared):
        raise ConfigError(f"{what}: unexpected argument(s): {', '.join(sorted(unknown))}")
    values = {}
    for name, row in declared.items():
        if name not in given and "default" not in row:
            raise ConfigError(f"{what}: missing argument: {name}")
        value = given.get(name, row.get("default"))
        kind = row["type"]
        good = {
            "string": isinstance(value, (str, int)) and not isinstance(value, bool),
            "boolean": isinstance(value, bool),
            "integer": isinstance(value, int) and not isinstance(value, bool),
            "enum": value in row.get("enum", []),
            "env_var_name": isinstance(value, str) and bool(POSIX_NAME.fullmatch(value)),
            "executor": isinstance(value, (str, dict)),
            "steps": isinstance(value, list),
        }[kind]
        if not good:
            wanted = f"one of {', '.join(row['enum'])}" if kind == "enum" else kind
            raise ConfigError(f"{what}: {name} is {value!r}, wanted {wanted}")
        values[f"parameters.{name}"] = str(value) if kind == "string" else value
    return values


def steps_of(steps: list[Any], names: Mapping[str, Any], orbs: Mapping[str, Any], inside: str) -> list[dict[str, Any]]:
    """Return concrete steps: commands expanded, parameters filled in."""
    result: list[dict[str, Any]] = []
    for raw in steps:
        step = substitute(raw, names)
        if isinstance(step, str):
            step = {step: {}}
        ((name, body),) = step.items()
        if name in STEPS:
            result.append({name: {"command": body} if name == "run" and isinstance(body, str) else body or {}})
            continue
        prefix, _, command = name.rpartition("/")
        orb = orbs.get(prefix or inside)
        if not orb or command not in orb["commands"]:
            raise ConfigError(f"unknown step: {name}")
        definition = orb["commands"][command]
        values = arguments(definition.get("parameters", {}), body or {}, name)
        result += steps_of(definition["steps"], values, orbs, prefix or inside)
    return result


def job_of(name: str, body: Mapping[str, Any], config: Mapping[str, Any], orbs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a workflow's job with its concrete steps, its image and its environment."""
    prefix, _, bare = name.rpartition("/")
    definition = (orbs[prefix]["jobs"] if prefix else config["jobs"]).get(bare)
    if definition is None:
        raise ConfigError(f"unknown job: {name}")
    own = {"name", "requires", "filters", "context", "pre-steps", "post-steps", "type", "matrix"}
    given = {key: value for key, value in body.items() if key not in own}
    values = arguments(definition.get("parameters", {}), given, name)
    used = substitute(definition.get("executor"), values)
    steps = steps_of(body.get("pre-steps", []), {}, orbs, prefix)
    steps += steps_of(definition["steps"], values, orbs, prefix)
    steps += steps_of(body.get("post-steps", []), {}, orbs, prefix)
    return {
        "name": body.get("name", name),
        "requires": body.get("requires", []),
        "filters": body.get("filters", {}),
        "image": image_of(used, orbs, prefix) if used else definition["docker"][0]["image"],
        "environment": substitute(definition.get("environment", {}), values),
        "steps": steps,
    }


def image_of(executor: str | Mapping[str, Any], orbs: Mapping[str, Any], inside: str) -> str:
    """Return the image of an executor of an orb."""
    reference = {"name": executor} if isinstance(executor, str) else dict(executor)
    prefix, _, name = str(reference.pop("name")).rpartition("/")
    definition = orbs[prefix or inside]["executors"].get(name)
    if definition is None:
        raise ConfigError(f"unknown executor: {name}")
    values = arguments(definition.get("parameters", {}), reference, name)
    return str(substitute(definition["docker"][0]["image"], values))


def workflows(config: Mapping[str, Any], pipeline: Mapping[str, Any] | None = None) -> dict[str, list[dict[str, Any]]]:
    """Return the jobs of every workflow that runs in such a pipeline. pipeline: `pipeline.…` values."""
    values = {"pipeline.trigger_source": "webhook", **(pipeline or {})}
    for reference in config.get("orbs", {}).values():
        if not isinstance(reference, dict) and not str(reference).startswith("reflect-ci/reflect@"):
            raise ConfigError(f"no such orb here: {reference}")
    orbs = dict.fromkeys(config.get("orbs", {}), pack())
    result = {}
    for name, workflow in config["workflows"].items():
        if "when" in workflow and not holds(substitute(workflow["when"], values)):
            continue
        jobs = []
        for item in workflow["jobs"]:
            ((job, body),) = ({item: {}} if isinstance(item, str) else item).items()
            jobs.append(job_of(job, substitute(body, values), config, orbs))
        result[name] = jobs
    return result


def holds(condition: Any) -> bool:
    """Return whether a `when` holds: a value, or equal, not, and, or."""
    if not isinstance(condition, dict):
        return bool(condition)
    ((word, inner),) = condition.items()
    if word == "equal":
        return all(value == inner[0] for value in inner)
    if word == "not":
        return not holds(inner)
    if word in ("and", "or"):
        return (all if word == "and" else any)(map(holds, inner))
    raise ConfigError(f"unknown condition: {word}")
