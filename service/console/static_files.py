"""Style, script and icon. Their addresses change with their content, so that browsers may keep them."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from fastapi.responses import FileResponse

from service.console.pages import HERE

router = APIRouter()


@router.get("/static/{name}")
def static_file(name: Literal["console.css", "console.js", "icon.svg"]) -> FileResponse:
    """One of the files; there are no others."""
    return FileResponse(HERE / "static" / name, headers={"Cache-Control": "public, max-age=31536000, immutable"})
