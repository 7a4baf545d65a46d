"""The check of a start's body: documented members must have the form that the documentation gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Refused(Exception):
    """The request is not valid (400); the text is the service's message."""


def check(body: Any) -> None:
    """Refuse a start that the service would not understand."""
    if body is None:
        return
    _object(body, "The body")
    for name in ("overrides", "variables", "gitHub", "mobileAppOverrides"):
        _object(body.get(name, {}), name)
    for name in ("variables", "gitHub", "mobileAppOverrides"):
        _texts(body.get(name, {}), name)
    overrides = body.get("overrides", {})
    for name, members in (("hostnames", ("original", "replacement")), ("cookies", ("name", "value"))):
        for item in _list(overrides, name):
            _object(item, f"overrides.{name}[]")
            for member in members:
                if not isinstance(item.get(member), str):
                    raise Refused(f"overrides.{name}[].{member} must be a string.")
    for name in ("parameters", "headers", "localStorage", "sessionStorage"):
        for item in _list(overrides, name):
            _object(item, f"overrides.{name}[]")
    if "agent" in overrides:
        _object(overrides["agent"], "overrides.agent")
        if not isinstance(overrides["agent"].get("name"), str):
            raise Refused("overrides.agent.name must be a string.")


def _object(value: Any, name: str) -> None:
    if not isinstance(value, Mapping):
        raise Refused(f"{name} must be an object.")


def _texts(value: Mapping[str, Any], name: str) -> None:
    for member, item in value.items():
        if not isinstance(item, str):
            raise Refused(f"{name}.{member} must be a string.")


def _list(overrides: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = overrides.get(name, [])
    if not isinstance(value, list):
        raise Refused(f"overrides.{name} must be an array.")
    return value
