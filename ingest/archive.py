"""The archive that an office file is."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from lxml import etree

from domains.spec import InvalidInput
from ingest.limits import Limits


def check_archive(filename: str, data: bytes, limits: Limits) -> None:
    """Refuse an archive that unpacks to more than the limit.

    Raises:
        InvalidInput: it does.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > limits.unpacked_bytes:
            raise InvalidInput(
                f"{filename}: it unpacks to more than {limits.unpacked_bytes:,} bytes.", "Split it.", "file"
            )


def parse(part: bytes) -> Any:
    """The root of an XML part; nothing outside it is loaded, and entities are not expanded."""
    return etree.fromstring(part, etree.XMLParser(resolve_entities=False, no_network=True))


def relations(archive: zipfile.ZipFile, part: str) -> list[Any]:
    """The relationships of a part; empty if it has none."""
    folder, _, file = part.rpartition("/")
    name = f"{folder}/_rels/{file}.rels".lstrip("/")
    return list(parse(archive.read(name))) if name in archive.namelist() else []


def counted(number: int, thing: str) -> str:
    """`1 image`, `2 images`."""
    return f"{number} {thing}{'s' if number > 1 else ''}"
