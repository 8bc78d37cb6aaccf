"""The report of a data set, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.data.build import Checked


def markdown(checked: Checked, name: str) -> str:
    """Everything that was found, worst first."""
    return "\n".join([f"# {name}", "", *_told(checked)]) + "\n"


def _told(checked: Checked) -> Iterator[str]:
    found = checked.findings
    yield f"{found.rows} rows in {found.groups} groups: {len(checked.train)} to learn from,"
    yield f"{len(checked.holdout)} sealed."
    yield f"{found.copies_removed} copies were removed."
    yield ""
    yield "| check | found |"
    yield "| --- | --- |"
    for kind, count in found.personal_data_removed.items():
        yield f"| personal data removed: {kind} | {count} |"
    for kind, pairs in found.alike.items():
        yield f"| alike, {kind} | {pairs} pairs, {found.leaks[kind]} of them across the split |"
    yield f"| facts in targets | {len(found.facts_in_targets)} |"
    yield ""
    yield from _fields(checked)
    yield from _slices(checked)


def _fields(checked: Checked) -> Iterator[str]:
    found = checked.findings
    yield "| field | labels | rarest | kappa | joined head, unseen groups | doubtful labels |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, labels in checked.fields.items():
        rarest = min(found.balance[name].items(), key=lambda item: item[1])
        agreed = found.agreement.get(name)
        kappa = f"{agreed.kappa:.2f} on {agreed.rows}" if agreed else "not known"
        doubt = ", ".join(found.doubtful[name][:5])
        accuracy = found.cheap_accuracy[name]
        yield f"| {name} | {len(labels)} | {rarest[0]} ({rarest[1]}) | {kappa} | {accuracy:.3f} | {doubt} |"
    yield ""


def _slices(checked: Checked) -> Iterator[str]:
    worse = [(name, s) for name, found in checked.findings.slices.items() for s in found if s.worse]
    if not worse:
        yield "No slice is worse than the rest by a test at a 5 % false discovery rate."
        return
    yield "| slice that is worse than the rest | field | rows | accuracy |"
    yield "| --- | --- | --- | --- |"
    for name, s in worse:
        yield f"| {s.name} | {name} | {s.rows} | {s.accuracy:.3f} |"
