"""What a replay tells: values for the API, the console and the command line, which loads no model for them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class Difference(BaseModel):
    """A value of the reply that is another now."""

    where: str
    then: Any
    now: Any


class ReplayOut(BaseModel):
    """How a reply compares with the same request answered now as it was known then.

    `same`: all that was compared is equal byte for byte. `labels_same`: the adapter gives the same labels, None where
    it was not asked. `notes` say what could not be compared, and why.
    """

    request_id: str
    same: bool
    differences: list[Difference]
    labels_same: bool | None
    label_differences: list[Difference]
    notes: list[str]
