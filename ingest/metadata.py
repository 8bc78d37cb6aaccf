"""What is stated about a document: by the caller, in a side-car `.meta.yaml`, or in front matter, in this order."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import PurePath
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from domains.spec import InvalidInput, UnsupportedMedia, first_fault
from ingest.front_matter import fields, from_yaml
from ingest.text import decode

DOC_ID = r"^[a-z0-9][a-z0-9._-]{0,99}$"


def _as_text(value: Any) -> Any:
    """A date is stated as text, as it is in a form or a file."""
    return value.isoformat() if isinstance(value, date | datetime) else value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Metadata(BaseModel):
    """What one source states; None means that it states nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    doc_id: Annotated[str, Field(pattern=DOC_ID)] | None = None
    title: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    effective_from: Annotated[str, BeforeValidator(_as_text)] | None = None
    effective_to: Annotated[str, BeforeValidator(_as_text)] | None = None
    audience: Annotated[frozenset[str], BeforeValidator(_as_list)] | None = None
    precedence: Annotated[int, Field(ge=0, le=1000)] | None = None
    supersedes: Annotated[tuple[str, ...], BeforeValidator(_as_list)] | None = None

    def over(self, other: Metadata) -> Metadata:
        """What is stated here, and beneath it what `other` states."""
        stated = {k: v for k, v in self if v is not None}
        return other.model_copy(update=stated)


def stated(source: str, values: dict[str, Any]) -> Metadata:
    """Check what a source states.

    Raises:
        InvalidInput: an unknown field, or a value of the wrong shape; the message names the field.
    """
    try:
        return Metadata(**{k: v for k, v in values.items() if v not in (None, "")})
    except ValidationError as error:
        where, said = first_fault(error)
        field = where.split(".")[0] or "metadata"
        remedy = "Lower-case letters, digits, dot, dash, underscore." if field == "doc_id" else ""
        raise InvalidInput(f"{source}: {field}: {said}.", remedy, field) from None
    except TypeError:
        raise InvalidInput(f"{source}: the metadata must be a mapping of names to values.", field="metadata") from None


def front_matter(filename: str, data: bytes) -> Metadata:
    """The metadata that a text file states at its head; nothing for other files. Keys of other tools are ignored."""
    if PurePath(filename).suffix.lower() not in (".md", ".markdown", ".txt"):
        return Metadata()
    try:
        found = fields(filename, decode(filename, data))
    except UnsupportedMedia:
        return Metadata()  # the reader refuses the file by name
    return stated(filename, {key: value for key, value in found.items() if key in Metadata.model_fields})


def side_car(filename: str, data: bytes) -> Metadata:
    """The metadata in a `.meta.yaml` file."""
    return stated(filename, from_yaml(filename, decode(filename, data)))


def derived(filename: str, title: str) -> Metadata:
    """What follows from the file where nobody states it: an identifier from its name, a title from its heading."""
    slug = re.sub(r"[^a-z0-9._-]+", "-", PurePath(filename).stem.lower()).strip("-.")[:100]
    return stated(filename, {"doc_id": slug or None, "title": title[:300] or slug})
