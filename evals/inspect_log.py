"""Answers as logs of Inspect, one an arm: `inspect view --log-dir comparison/inspect` shows them ticket by ticket.

Inspect's format and not promptfoo's: it is read by a Python library with typed samples, scores and usage, its viewer
needs no account, and a log is one JSON file that says by its version how it is read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evals.answers import ArmAnswer
from evals.cases import Case, is_sealed
from evals.report import ArmFigures, Run

_VERSION = 2  # of the log format
_CORRECT, _INCORRECT = "C", "I"
_MARKS = ("useful", "harmful", "action_right", "facts_complete")


def write(folder: Path, run: Run, arms: Sequence[ArmFigures], cases: Sequence[Case], rows: Sequence[ArmAnswer]) -> None:
    """Write a log for each arm; the tickets of sealed cases are left out of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for arm in arms:
        told = log(run, arm, cases, [row for row in rows if row.arm == arm.arm])
        path = folder / f"{arm.arm.replace(', ', '-').replace(' ', '-').replace('+', 'and')}.json"
        path.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def log(run: Run, arm: ArmFigures, cases: Sequence[Case], rows: Sequence[ArmAnswer]) -> dict[str, Any]:
    """One arm's log."""
    named = {"task": f"{run.domain}: {arm.arm}", "model": run.chat or "none", "dataset": {"name": run.cases}}
    made = datetime.fromisoformat(run.made).replace(tzinfo=UTC).isoformat()
    shown = not is_sealed(run.cases)
    return {
        "version": _VERSION,
        "status": "success",
        "eval": {
            **named,
            "created": made,
            "config": {},
            "metadata": {"command": run.command, "hardware": run.hardware},
        },
        "results": {"total_samples": len(rows), "completed_samples": len(rows), "scores": [_score(arm)]},
        "samples": [_sample(case, row, shown) for case, row in zip(cases, rows, strict=True)],
    }


def _score(arm: ArmFigures) -> dict[str, Any]:
    told = {"useful": arm.useful.value, "right_action": arm.right_action.value, "harmful": arm.harmful.value}
    metrics = {name: {"name": name, "value": value} for name, value in told.items()}
    return {"name": "useful", "scorer": "formfact", "metrics": metrics}


def _sample(case: Case, row: ArmAnswer, shown: bool) -> dict[str, Any]:
    wanted = [value for fact in case.expect.facts for value in fact.values] or list(case.expect.actions)
    ticket = f"{case.ticket.subject}\n{case.ticket.body}".strip() if shown else "(sealed)"
    return {
        "id": case.id,
        "epoch": 1,
        "input": ticket,
        "target": wanted if shown else [],
        "scores": {name: _value(row, name, shown) for name in _MARKS if getattr(row.marks, name) is not None},
        "metadata": {"tags": list(case.tags), "action": row.action, "reason": row.reason, "seconds": row.usage.seconds},
        "total_time": row.usage.seconds,
    }


def _value(row: ArmAnswer, name: str, shown: bool) -> dict[str, Any]:
    told = {"value": _CORRECT if getattr(row.marks, name) else _INCORRECT}
    return {**told, "answer": row.text} if shown else told
