"""Which files are read, and what each may take; `service/settings.py` names the variable that sets each limit."""

from __future__ import annotations

from dataclasses import dataclass

# What can be read; `ingest.readers.READERS` has the reader of each.
ENDINGS = (".csv", ".docx", ".eml", ".htm", ".html", ".markdown", ".md", ".pdf", ".txt", ".xlsx")


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one file."""

    file_bytes: int = 20_000_000
    unpacked_bytes: int = 100_000_000  # of an office file, a ZIP archive
    pdf_pages: int = 400
    text_characters: int = 4_000_000
    read_seconds: float = 60.0
    read_bytes: int = 2_000_000_000  # memory that reading a file may take


DEFAULTS = Limits()
