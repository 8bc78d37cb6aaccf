"""A measured table: what a command found, kept as JSON so that pages can show it and a test can hold them to it."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class ResultTable:
    """Rows of words under a head, with the command that gives them; `over` says what they are measured on."""

    command: str
    made: str
    over: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def as_json(self, **more: Any) -> str:
        """For programs, and for `docs/measured/`; `more` stands beside the table."""
        return json.dumps(asdict(self) | more, indent=1, ensure_ascii=False) + "\n"

    def as_markdown(self) -> str:
        """The table as Markdown, under the command."""
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        told = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"`{self.command}`: {self.over} ({self.made}).\n\n{told}"

    def show(self, console: Console) -> None:
        """The table on a terminal."""
        table = Table(*self.head, title=self.over)
        for row in self.rows:
            table.add_row(*row)
        console.print(table)


READ = TypeAdapter(ResultTable)


def measured(over: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> ResultTable:
    """What this command found, on this machine, today."""
    made = f"{hardware()}, {datetime.now(UTC).date().isoformat()}"
    return ResultTable(command_line(), made, over, tuple(head), tuple(tuple(row) for row in rows))


def command_line() -> str:
    """The command that runs, as it is repeated."""
    return shlex.join(["formfact", *sys.argv[1:]])


def hardware() -> str:
    """What it runs on: cores and architecture."""
    return f"{os.cpu_count()} cores, {platform.machine()}"
