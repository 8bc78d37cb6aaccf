"""The metadata that a page states at its head: YAML between `---` lines, or TOML between `+++` lines."""

from __future__ import annotations

import re
import tomllib
from datetime import date, datetime, time
from typing import Any

import yaml

from domains.spec import InvalidInput

_HEAD = re.compile(
    r"\A\ufeff?(?P<fence>---|\+\+\+)[ \t]*\r?\n(?P<inside>.*?)(?:\r?\n|(?<=\n))(?P=fence)[ \t]*(?:\r?\n|\Z)", re.S
)
_KEY = re.compile(r"\s*(#[^\n]*\s*)*[\w.\"'-]+\s*[:=]")


def body(text: str) -> str:
    """The text behind the front matter, if there is one."""
    found = _found(text)
    return text[found.end() :] if found else text


def fields(source: str, text: str) -> dict[str, Any]:
    """The fields of the front matter, scalars as text; empty where there is none.

    Raises:
        InvalidInput: it is not valid YAML or TOML.
    """
    found = _found(text)
    if not found:
        return {}
    return _toml(source, found["inside"]) if found["fence"] == "+++" else from_yaml(source, found["inside"])


def from_yaml(source: str, text: str) -> dict[str, Any]:
    """A mapping in YAML with every scalar as the text that was written, so that `2026-13-01` fails where it is used.

    Raises:
        InvalidInput: it is not valid YAML, or not a mapping.
    """
    try:
        values = yaml.load(text, yaml.BaseLoader)  # noqa: S506  # it makes text, lists and mappings only
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InvalidInput(
            f"{source}: the metadata is not valid YAML: {error}", "Fix the line it names.", "metadata"
        ) from None
    if values in (None, ""):
        return {}
    if not isinstance(values, dict):
        raise InvalidInput(f"{source}: the metadata must be a mapping of names to values.", field="metadata")
    return {str(key): value for key, value in values.items()}


def _toml(source: str, text: str) -> dict[str, Any]:
    try:
        values = tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(
            f"{source}: the metadata is not valid TOML: {error}", "Fix the line it names.", "metadata"
        ) from None
    return {key: _as_written(value) for key, value in values.items()}


def _as_written(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime | time) else value


def _found(text: str) -> re.Match[str] | None:
    """The front matter; a page that begins with a rule has none: what follows it is not `key: value`."""
    found = _HEAD.match(text)
    return found if found and _KEY.match(found["inside"]) else None
