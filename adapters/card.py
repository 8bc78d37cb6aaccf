"""The adapter's card: its figures on the sealed holdout beside the cheap methods, with paired tests, and by slice.

It also tells what they stand on: agreement of annotators, and how well personal data was taken out.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from adapters.base import cache_by_text
from adapters.baselines import METHODS, Cheap
from adapters.classifier import AdapterClassifier
from adapters.data.personal import Detection
from adapters.data.quality import Agreement, QualitySlice, slices
from adapters.data.rows import Row, Split, targets
from adapters.encoder import Encoder
from adapters.metrics import Floats, Ints, coverage_at_risk, mcnemar, scores
from domains.spec import Domain

ADAPTER = "LoRA adapter"
SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class FieldFigures:
    """The figures of one field: method -> scores, and the paired test of the adapter against each other method."""

    methods: dict[str, dict[str, float | None]]
    mcnemar_p: dict[str, float]
    coverage_at_5_percent_risk: float
    risk: float  # share of wrong labels, among those given, that the domain accepts
    rows: int  # tickets
    given: int  # … whose label did not abstain
    wrong: int  # … of these
    slices: list[QualitySlice]  # of the adapter, abstentions not counted out


@dataclass(frozen=True, slots=True)
class CardInputs:
    """What the figures stand on: agreement of two annotators a field, detection of personal data a kind."""

    agreement: dict[str, Agreement]
    personal_data: dict[str, Detection]


def evaluate(
    classifier: AdapterClassifier, encoder: Encoder, split: Split, rows: tuple[Row, ...]
) -> dict[str, FieldFigures]:
    """Figures of an adapter and of the cheap methods on `rows`, a field at a time.

    The rows that calibrate the adapter are given to the cheap methods as further training rows, since they need no
    calibration split of their own: the comparison is fair in data.
    """
    manifest, texts = classifier.manifest, [row.text for row in rows]
    learnt, scored = [*split.train, *split.calibration], classifier.scores(texts)
    embed = cache_by_text(encoder.unit)
    wanted, known = targets(manifest.fields, rows), targets(manifest.fields, learnt)
    chosen_by = targets(manifest.fields, split.validation)
    figures = {}
    for field, labels in manifest.fields.items():
        choose = ([row.text for row in split.validation], chosen_by[field])
        cheap = {
            method: Cheap(method, embed, [row.text for row in learnt], known[field], len(labels), choose).probabilities(
                texts
            )
            for method in METHODS
        }
        kept = (scored.fields[field].max(1).round(3) >= manifest.thresholds[field]) & ~scored.outside
        by_slice = slices(rows, list(scored.fields[field].argmax(1) == wanted[field]))
        figures[field] = _field_figures(
            scored.fields[field], cheap, wanted[field], kept, manifest.risks[field], by_slice
        )
    return figures


def _field_figures(
    adapter: Floats,
    cheap: dict[str, Floats],
    wanted: Ints,
    kept: npt.NDArray[np.bool_],
    risk: float,
    by_slice: list[QualitySlice],
) -> FieldFigures:
    right = adapter.argmax(1) == wanted
    everything = {**cheap, ADAPTER: adapter}
    return FieldFigures(
        methods={m: asdict(scores(p.argmax(1), wanted, p)) for m, p in everything.items()},
        mcnemar_p={m: mcnemar(right, p.argmax(1) == wanted) for m, p in cheap.items()},
        coverage_at_5_percent_risk=coverage_at_risk(adapter, wanted, 0.05),
        risk=risk,
        rows=len(right),
        given=int(kept.sum()),
        wrong=int((~right & kept).sum()),
        slices=by_slice,
    )


def write_card(
    folder: Path, domain: Domain, figures: dict[str, FieldFigures], grounds: CardInputs, facts: dict[str, Any]
) -> None:
    """Write `card.json` and `card.md` beside the weights."""
    content = {**facts, "fields": {name: asdict(f) for name, f in figures.items()}, "grounds": asdict(grounds)}
    (folder / "card.json").write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    (folder / "card.md").write_text(_markdown(domain, figures, grounds, facts), encoding="utf-8")


def _markdown(domain: Domain, figures: dict[str, FieldFigures], grounds: CardInputs, facts: dict[str, Any]) -> str:
    lines = [f"# {facts['id']}: labels for {domain.title}", ""]
    lines += [f"- {key.replace('_', ' ')}: {value}" for key, value in facts.items()]
    lines += ["", "Figures on the sealed holdout. ECE: expected calibration error, 15 bins, lower is better. p: exact"]
    lines += ["McNemar test of the adapter against the method on the same tickets.", ""]
    for name, field in figures.items():
        lines += [f"## {name}", "", "| method | accuracy | macro-F1 | ECE | p |", "| --- | --- | --- | --- | --- |"]
        for method, found in field.methods.items():
            p = field.mcnemar_p.get(method)
            ece = found["calibration_error"]
            lines.append(
                f"| {method} | {found['accuracy']:.3f} | {found['macro_f1']:.3f} | "
                f"{'' if ece is None else f'{ece:.3f}'} | {'' if p is None else f'{p:.3f}'} |"
            )
        lines += ["", verdict(field), ""]
    lines += [*_by_slice(figures), *_grounds(grounds)]
    lines += ["## Limits", "", "English only, tickets of this domain only. Written by us, not by customers: expect"]
    lines += ["other figures on other tickets, and measure them before you rely on the labels.", ""]
    return "\n".join(lines)


def _by_slice(figures: dict[str, FieldFigures]) -> list[str]:
    """Accuracy a slice (rows) and field (columns); what is worse than the rest by a test is bold."""
    lines = ["## Slices", "", "Accuracy of the adapter; bold: worse than the rest of the tickets by Fisher's exact"]
    lines += ["test at a 5 % false discovery rate a field.", ""]
    lines += [f"| slice | tickets | {' | '.join(figures)} |", f"| --- | --- |{' --- |' * len(figures)}"]
    for same in zip(*(field.slices for field in figures.values()), strict=True):
        told = " | ".join(f"**{s.accuracy:.3f}**" if s.worse else f"{s.accuracy:.3f}" for s in same)
        lines.append(f"| {same[0].name} | {same[0].rows} | {told} |")
    return [*lines, ""]


def _grounds(grounds: CardInputs) -> list[str]:
    """Kappa a field, F2 a kind of personal data."""
    lines = ["## Agreement of two annotators", "", "| field | tickets | equal | kappa |", "| --- | --- | --- | --- |"]
    lines += [f"| {n} | {a.rows} | {a.equal:.3f} | {a.kappa:.3f} |" for n, a in grounds.agreement.items()]
    lines += ["", "## Personal data taken out of tickets", "", "On marked tickets that shaped no rule.", ""]
    lines += ["| kind | found | missed | extra | F2 |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {k} | {d.found} | {d.missed} | {d.extra} | {d.f2:.3f} |" for k, d in grounds.personal_data.items()]
    return [*lines, ""]


def verdict(field: FieldFigures) -> str:
    """In words: does tuning beat the best cheap method of this field?"""
    best = max(field.mcnemar_p, key=lambda m: field.methods[m]["accuracy"] or 0.0)
    lift = (field.methods[ADAPTER]["accuracy"] or 0.0) - (field.methods[best]["accuracy"] or 0.0)
    seen = field.mcnemar_p[best] < SIGNIFICANT
    if not seen:
        words = f"No difference shown against the best cheap method ({best}, {lift:+.3f})."
    elif lift > 0:
        words = f"Tuning beats the best cheap method ({best}) by {lift:+.3f}."
    else:
        words = f"**Tuning loses to {best} ({lift:+.3f}).**"
    return f"{words} {_abstention(field)} Coverage at 5 % risk: {field.coverage_at_5_percent_risk:.0%}."


def _abstention(field: FieldFigures) -> str:
    """How many labels are given, how many of these are wrong, and whether that breaks the promise (exact, binomial)."""
    if not field.given:
        return "Always abstains: its calibration rows cannot show the accepted risk."
    wrong = binomtest(field.wrong, field.given, field.risk, alternative="greater")
    return (
        f"Given on {_share(field.given, field.rows)} of the tickets, wrong in {_share(field.wrong, field.given)} "
        f"of these; {field.risk:.0%} is accepted, which is {'' if wrong.pvalue < SIGNIFICANT else 'not '}refuted "
        f"(one-sided p {wrong.pvalue:.2f})."
    )


def _share(count: int, of: int) -> str:
    """A share in percent with its exact 95 % interval (Clopper and Pearson 1934)."""
    interval = binomtest(count, of).proportion_ci()
    return f"{count / of:.1%} [{interval.low:.1%}, {interval.high:.1%}]"
