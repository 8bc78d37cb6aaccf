"""A look at drift: the last requests of the journal against the reference, told in verdicts and words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import Engine, select

from adapters.tables import LIVE
from retrieval.timestamps import show_instant
from service.db.tables import journal, judgements, reviews
from service.monitoring.drift.checks import holm
from service.monitoring.drift.observed import Floats, Observation, Window, observed, with_feedback
from service.monitoring.drift.probes import FEWEST, Probe, Sides
from service.monitoring.drift.reference import FOLDER, Reference, grounds_of, read
from service.monitoring.drift.vectors import vectors_of
from service.monitoring.outcome import Check, DriftReport, Kind, Made, OutcomeShare, Retrain, Spread, Verdict

if TYPE_CHECKING:
    from service.build import Services

_WATCH = 0.05  # adjusted p-value under which a shift is worth a look
_UNLIKE = 10  # ids that are told
_CONFIDENCE_BINS = np.linspace(0, 1, 11)
_LENGTH_BINS = np.array([0, 50, 100, 200, 400, 800, 1600, 3200, 50_000], dtype=np.float64)  # characters

_ADVICE: Mapping[Kind, str] = {
    "input": "What people write about has changed. Read the requests under `unlike` first: a subject that the taxonomy "
    "or the documents do not know is mended there. Training on the same labels teaches nothing new.",
    "language": "Other languages come in. The domain declares which ones it serves; the rest is handed off.",
    "length": "Tickets have another length. Look whether a form, a channel or a quoted thread has changed.",
    "labels": "The labels' mix has changed. Review a sample: if the labels are right the world has moved and all is "
    "well, if they are wrong train on reviewed tickets.",
    "confidence": "The adapter is sure of other things than it was. Review a sample, then calibrate or train anew.",
    "abstention": "Labels are withheld more or less often. Review a sample, then calibrate or train anew.",
    "retrieval-miss": "Facts are asked and found more or less often. Look at the documents: training finds no facts.",
    "handoff": "People get another share of the tickets. The other checks say whether labels or documents are why.",
    "thumbs-down": "Replies are judged otherwise than in the window before. Read the comments of the feedback.",
}


def look(services: Services, last: int | None = None, reference: Reference | None = None) -> DriftReport:
    """Compare the last requests with the reference.

    Args:
        services: the parts of the process.
        last: how many requests, 1..1000; default: the setting `drift_window`.
        reference: default: the domain's own.

    Raises:
        IntegrityError: the domain's reference is damaged.
        NotConfigured: no adapter is live.
    """
    size, domain = last or services.settings.drift_window, services.domain
    reference = reference or read(domain.folder / FOLDER)
    seen = _seen(services, 2 * size)
    earlier, recent = seen[: max(len(seen) - size, 0)], seen[-size:]
    enough = len(recent) >= FEWEST
    vectors = vectors_of(services.engine, services.encoder, recent if enough else ())
    sides = Sides(reference, grounds_of(services), Window(tuple(recent) if enough else (), vectors), earlier)
    probes = sides.probes(tuple(domain.fields), services.settings.drift_alpha)
    checks = _judged(probes, services.settings.drift_alpha, "" if enough else _too_few(len(recent)))
    return DriftReport(
        domain=domain.fingerprint,
        adapter=sides.grounds.adapter,
        requests=len(recent),
        first_at=show_instant(recent[0].at, domain.zone) if recent else None,
        last_at=show_instant(recent[-1].at, domain.zone) if recent else None,
        reference=_made(reference),
        alpha=services.settings.drift_alpha,
        alarm=any(c.verdict == "alarm" for c in checks),
        checks=checks,
        advice=[_ADVICE[kind] for kind in _ADVICE if _raised(checks, kind)],
        unlike=_unlike(sides) if _raised(checks, "input") else [],
        retrain=_retrain(services, checks),
        mixes=_mixes(sides),
        confidences=_confidences(sides),
        lengths=_lengths(sides),
    )


def _seen(services: Services, limit: int) -> tuple[Observation, ...]:
    """The newest requests with their feedback, oldest of them first."""
    sufficient = services.pipeline.selector.reader.sufficient
    records = services.pipeline.journal.latest(limit)
    return with_feedback(services.engine, [observed(r, services.domain, sufficient) for r in records])


def _too_few(requests: int) -> str:
    return f"needs {FEWEST} requests, has {requests}"


def _judged(probes: Sequence[Probe], alpha: float, instead: str) -> list[Check]:
    """Verdicts over all probes; `instead` is why nothing was compared at all, if so."""
    tested = [p for p in probes if p.found is not None]
    adjusted = dict(zip([p.name for p in tested], holm([p.found.p for p in tested if p.found]), strict=True))
    return [_check(p, adjusted.get(p.name), alpha, instead) for p in probes]


def _check(probe: Probe, adjusted: float | None, alpha: float, instead: str) -> Check:
    found, verdict = probe.found, _verdict(probe, adjusted, alpha)
    return Check(
        name=probe.name,
        kind=probe.kind,
        test=probe.test,
        reference=probe.reference,
        now=probe.now,
        statistic=None if found is None else round(found.statistic, 4),
        alarm_from=probe.floors.alarm,
        p=None if found is None else found.p,
        p_adjusted=adjusted,
        verdict=verdict,
        words=_sentence(probe, verdict, instead),
    )


def _verdict(probe: Probe, adjusted: float | None, alpha: float) -> Verdict:
    if probe.found is None or adjusted is None:
        return "left out"
    size = abs(probe.found.statistic)
    if adjusted < alpha and size >= probe.floors.alarm:
        return "alarm"
    return "watch" if adjusted < _WATCH and size >= probe.floors.watch else "ok"


def _sentence(probe: Probe, verdict: Verdict, instead: str) -> str:
    if verdict == "left out":
        return f"Left out: {instead or probe.left_out}."
    what = {"ok": "No shift to speak of", "watch": "A shift to watch", "alarm": "A large shift"}[verdict]
    return f"{what}: {probe.words}."


def _raised(checks: Sequence[Check], kind: Kind) -> bool:
    return any(c.kind == kind and c.verdict == "alarm" for c in checks)


def _unlike(sides: Sides) -> list[str]:
    """Ids of the requests that are farthest from the reference, farthest first."""
    far = sides.unlikeness
    order = [int(i) for i in np.argsort(-far)[:_UNLIKE] if far[i] > 0]
    return [sides.now.seen[i].request_id for i in order]


def _retrain(services: Services, checks: Sequence[Check]) -> Retrain:
    """Alarms that the setting names ask for training, and so do enough corrections by reviewers."""
    settings = services.settings
    alarms = [c for c in checks if c.verdict == "alarm" and c.kind in settings.retrain_kinds]
    why = [f"{c.name}: {c.words}" for c in alarms]
    found = corrections(services.engine, _live_since(services))
    if found >= settings.retrain_after_corrections:
        why.append(f"Reviewers corrected {found} requests since this adapter went live.")
    return Retrain(wanted=bool(why), why=why)


def _live_since(services: Services) -> datetime | None:
    moves = [m for m in services.registry.history() if m.alias == LIVE]
    return datetime.fromisoformat(moves[0].at) if moves else None


def corrections(engine: Engine, since: datetime | None) -> int:
    """Requests for which a reviewer gave another label than the reply did, since an instant or ever."""
    asked = select(reviews.c.request_id, judgements.c.labels, journal.c.reply).select_from(
        judgements.join(reviews, reviews.c.id == judgements.c.review_id).join(
            journal, journal.c.request_id == reviews.c.request_id
        )
    )
    asked = asked if since is None else asked.where(judgements.c.at >= since)
    with engine.connect() as connection:
        rows = connection.execute(asked).all()
    return len({row.request_id for row in rows if _differs(row.labels, row.reply["labels"] or {})})


def _differs(right: Mapping[str, str], told: Mapping[str, Mapping[str, object]]) -> bool:
    return any(name in told and told[name]["value"] != value for name, value in right.items())


def _made(reference: Reference | None) -> Made | None:
    if reference is None:
        return None
    return Made(requests=len(reference.window), adapter=reference.grounds.adapter, at=reference.grounds.at)


def _mixes(sides: Sides) -> dict[str, list[OutcomeShare]]:
    if sides.reference is None or not len(sides.now):
        return {}
    ours, now = sides.reference.window, sides.now.labelled_by(sides.grounds.adapter)
    fields = ours.seen[0].labels if len(now) else {}
    columns = {name: ([g.value for g in ours.guesses(name)], [g.value for g in now.guesses(name)]) for name in fields}
    columns["language"] = (ours.languages, sides.now.languages)
    return {name: _shares(*both) for name, both in columns.items() if all(both)}


def _shares(ours: Sequence[str], theirs: Sequence[str]) -> list[OutcomeShare]:
    """Most frequent in the reference first."""
    before, now = Counter(ours), Counter(theirs)
    order = sorted({*before, *now}, key=lambda v: (-before[v], -now[v], v))
    return [OutcomeShare(value=v, reference=before[v] / len(ours), now=now[v] / len(theirs)) for v in order]


def _confidences(sides: Sides) -> dict[str, Spread]:
    if sides.reference is None:
        return {}
    ours, now = sides.reference.window, sides.now.labelled_by(sides.grounds.adapter)
    fields = ours.seen[0].labels if len(now) else {}
    return {
        name: _histograms(_CONFIDENCE_BINS, *(np.array([g.confidence for g in w.guesses(name)]) for w in (ours, now)))
        for name in fields
    }


def _lengths(sides: Sides) -> Spread | None:
    if sides.reference is None or not len(sides.now):
        return None
    return _histograms(_LENGTH_BINS, sides.reference.window.lengths, sides.now.lengths)


def _histograms(edges: Floats, ours: Floats, theirs: Floats) -> Spread:
    shares = [[float(x) / max(len(s), 1) for x in np.histogram(s, edges)[0]] for s in (ours, theirs)]
    return Spread(edges=[float(e) for e in edges], reference=shares[0], now=shares[1])
