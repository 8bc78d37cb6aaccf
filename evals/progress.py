"""Progress of long work, shown beside the output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def shown(what: str) -> Callable[[Sequence[T]], Iterator[T]]:
    """Goes through items with a bar on standard error, which is gone afterwards."""
    return lambda items: iter(track(items, what, console=Console(stderr=True), transient=True))
