"""Reading a scenario file: JSON, or YAML where pyyaml is installed. The runner itself does not depend on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reflect_ci.simulate.scenarios import ScenarioError


def read(path: Path) -> Any:
    """Return what the file holds, not checked yet."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ScenarioError(f"The scenario file {path} cannot be read: {reason}.") from None
    if path.suffix.lower() in (".yaml", ".yml"):
        return _yaml(path, text)
    try:
        return json.loads(text)
    except ValueError as error:
        raise ScenarioError(
            f"The scenario file {path} is not JSON: {error}. A YAML file must be named *.yaml."
        ) from None


def _yaml(path: Path, text: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise ScenarioError(
            f"Reading {path} needs pyyaml: run `pip install pyyaml`, or write the file as JSON and name it *.json."
        ) from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ScenarioError(f"The scenario file {path} is not YAML: {' '.join(str(error).split())}.") from None
