"""All pages in one router. They are for people: the description of the API leaves them out."""

from __future__ import annotations

from fastapi import APIRouter

from service.console import adapters, ask, documents, drift, evals, operations, reviews, sign_in, static_files

router = APIRouter(include_in_schema=False)
for _part in (sign_in, ask, documents, reviews, adapters, evals, drift, operations, static_files):
    router.include_router(_part.router)
