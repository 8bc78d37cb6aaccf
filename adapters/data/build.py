"""From sources to a versioned data set: scrubbed, without copies, split by group, its holdout sealed, its faults told.

A built data set is a folder `<name>@<hash>` with `train.jsonl`, `holdout.jsonl` (sealed), `dataset.json` (hashes,
provenance, everything that was found) and `report.md`. The same sources give the same folder.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from adapters.atomic_dir import need_room, whole
from adapters.data.facts import facts_in
from adapters.data.leakage import Embed, alike, grouped, normal, refuse_contradictions
from adapters.data.quality import Agreement, QualitySlice, agreement, balance, cross_predicted, doubtful, slices
from adapters.data.rows import Fields, scrubbed, share_of, targets
from adapters.data.sources import Sourced, annotator_pairs
from adapters.scrub import REMOVABLE, Scrubber
from domains.seal import fingerprint, seal
from domains.spec import InvalidInput

HOLDOUT = 0.2  # share of groups that is sealed
_TOLD = 20  # doubtful rows and facts that a report lists
_ROOM_MB = 50  # that must be free


@dataclass(frozen=True, slots=True)
class Findings:
    """What the checks found; ids name rows."""

    rows: int
    copies_removed: int
    personal_data_removed: dict[str, int]  # kind -> occurrences
    groups: int
    alike: dict[str, int]  # kind of likeness -> pairs, now in one group each
    leaks: dict[str, int]  # kind of likeness -> pairs across train and holdout that are left
    facts_in_targets: dict[str, list[str]]  # id -> what looks like a fact
    agreement: dict[str, Agreement]
    balance: dict[str, dict[str, int]]
    doubtful: dict[str, list[str]]  # field -> ids, the most doubtful first
    slices: dict[str, list[QualitySlice]]
    cheap_accuracy: dict[str, float]  # of the joined head, on groups that it did not learn from


@dataclass(frozen=True, slots=True)
class Checked:
    """Rows that may be learnt from and rows to seal, with the findings."""

    fields: Fields
    train: tuple[Sourced, ...]
    holdout: tuple[Sourced, ...]
    findings: Findings


def examine(
    rows: Sequence[Sourced], fields: Fields, embed: Embed, scrub: Scrubber, ordinal: frozenset[str] = frozenset()
) -> Checked:
    """Take personal data out of rows, check them, put what is alike into one group, and set a fifth of these aside.

    Raises:
        InvalidInput: a text stands twice with different labels, or a label has a single row.
    """
    clean = scrubbed([s.row for s in rows], scrub)
    rows = [replace(s, row=row) for s, row in zip(rows, clean, strict=True)]
    refuse_contradictions([s.row for s in rows], [s.source for s in rows])
    kept = _without_copies(rows)
    _refuse_scarce(kept, fields)
    found = alike([s.row for s in kept], embed)
    names = grouped([s.row for s in kept], [pair for pairs in found.values() for pair in pairs])
    kept = tuple(replace(s, row=replace(s.row, group=name)) for s, name in zip(kept, names, strict=True))
    sealed = [share_of(f"holdout {name}") < HOLDOUT for name in names]
    predicted = cross_predicted([s.row for s in kept], fields, embed)
    numbers = targets(fields, [s.row for s in kept])
    right = {name: predicted[name].argmax(1) == numbers[name] for name in fields}
    findings = Findings(
        rows=len(kept),
        copies_removed=len(rows) - len(kept),
        personal_data_removed=_removed(kept),
        groups=len(set(names)),
        alike={kind: len(pairs) for kind, pairs in found.items()},
        leaks={kind: sum(sealed[a] != sealed[b] for a, b in pairs) for kind, pairs in found.items()},
        facts_in_targets={s.row.id: told for s in kept if (told := _facts(s))},
        agreement=agreement(annotator_pairs(kept), fields, ordinal),
        balance=balance([s.row for s in kept], fields),
        doubtful={f: [kept[n].row.id for n in doubtful(numbers[f], predicted[f])[:_TOLD]] for f in fields},
        slices={name: slices([s.row for s in kept], list(right[name])) for name in fields},
        cheap_accuracy={name: round(float(right[name].mean()), 3) for name in fields},
    )
    sides = [tuple(s for s, out in zip(kept, sealed, strict=True) if out is side) for side in (False, True)]
    return Checked(fields, sides[0], sides[1], findings)


def write(checked: Checked, name: str, out: Path, report: str) -> Path:
    """Write a data set below `out`, whole or not at all; returns its folder, which may have been there before.

    Raises:
        InvalidInput: a target holds a fact, or there is no room.
    """
    if told := checked.findings.facts_in_targets:
        first = "; ".join(f"{row}: {', '.join(found)}" for row, found in list(told.items())[:3])
        raise InvalidInput(
            f"{len(told)} training targets state facts ({first}).",
            "Facts change and belong in documents: take them out of the replies, or retrieve instead of tuning.",
        )
    need_room(out, _ROOM_MB)
    texts = {side: _lines(getattr(checked, side)) for side in ("train", "holdout")}
    digest = hashlib.sha256("\0".join([json.dumps(dict(checked.fields)), *texts.values()]).encode()).hexdigest()[:12]
    target = out / f"{name}@{digest}"
    if target.is_dir():
        return target
    with whole(target) as folder:
        for side, text in texts.items():
            (folder / f"{side}.jsonl").write_text(text, encoding="utf-8")
        seal(folder / "holdout.jsonl")
        (folder / "dataset.json").write_text(_manifest(checked, target.name, folder), encoding="utf-8")
        (folder / "report.md").write_text(report, encoding="utf-8")
    return target


def _manifest(checked: Checked, name: str, folder: Path) -> str:
    rows = (*checked.train, *checked.holdout)
    told: dict[str, Any] = {
        "name": name,
        "fields": dict(checked.fields),
        "files": {side: fingerprint(folder / f"{side}.jsonl") for side in ("train", "holdout")},
        "rows": {"train": len(checked.train), "holdout": len(checked.holdout)},
        "sources": dict(Counter(s.source.rpartition(":")[0] for s in rows)),
        "rights": dict(Counter(s.rights for s in rows)),
        "findings": asdict(checked.findings),
    }
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def _lines(rows: Sequence[Sourced]) -> str:
    def line(s: Sourced) -> str:
        row = {"id": s.row.id, "text": s.row.text, "group": s.row.group, "labels": s.row.labels}
        told = {"source": s.source, "rights": s.rights} | ({"output": s.output} if s.output else {})
        return json.dumps({**row, **s.row.facets, **told}, ensure_ascii=False, sort_keys=True)

    return "".join(line(s) + "\n" for s in rows)


def _refuse_scarce(rows: Sequence[Sourced], fields: Fields) -> None:
    counts = balance([s.row for s in rows], fields)
    if scarce := [f"{name}: {label}" for name, found in counts.items() for label, n in found.items() if n < 2]:
        raise InvalidInput(
            f"Labels with fewer than two rows: {', '.join(scarce[:5])}.", "Add rows, or remove the labels."
        )


def _without_copies(rows: Sequence[Sourced]) -> tuple[Sourced, ...]:
    first: dict[str, Sourced] = {}
    for s in rows:
        first.setdefault(normal(s.row.text), s)
    return tuple(first.values())


def _removed(rows: Sequence[Sourced]) -> dict[str, int]:
    return {kind: sum(s.row.text.count(f"<{kind}>") for s in rows) for kind in REMOVABLE}


def _facts(s: Sourced) -> list[str]:
    return facts_in(s.output) + [fact for label in s.row.labels.values() for fact in facts_in(label)]
