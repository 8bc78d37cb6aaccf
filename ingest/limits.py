"""What a file may take: settable, each with the variable that sets it named in `service/settings.py`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one file."""

    file_bytes: int = 20_000_000
    unpacked_bytes: int = 100_000_000  # of an office file, a ZIP archive
    pdf_pages: int = 400
    text_characters: int = 4_000_000
    read_seconds: float = 60.0
    read_bytes: int = 2_000_000_000  # memory of the process that reads PDF and office files


DEFAULTS = Limits()
