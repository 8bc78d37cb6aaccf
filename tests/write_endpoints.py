"""Writes the table of endpoints into `docs/api.md`: `python -m tests.write_endpoints`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from service.api.app import create_app
from service.build import build
from service.settings import Settings
from tests.endpoints import as_markdown

if __name__ == "__main__":
    path = Path(__file__).parents[1] / "docs" / "api.md"
    before, start, rest = path.read_text(encoding="utf-8").partition("<!-- endpoints -->\n")
    _, end, after = rest.partition("\n<!-- /endpoints -->")
    with tempfile.TemporaryDirectory() as home:
        made = build(Settings(home=Path(home)))
        path.write_text(before + start + as_markdown(create_app(made)) + end + after, encoding="utf-8")
        made.close()
