"""A report as people and programs read it: one HTML file that needs nothing else, Markdown, and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import TypeAdapter

from domains.spec import InvalidInput
from evals.arms import HYBRID, ORACLE_EVIDENCE, ORACLE_LABELS, RAG, RAG_CHAT, TUNED, Group
from evals.cases import is_sealed
from evals.charts import drawn
from evals.cost import Swing
from evals.intervals import Interval
from evals.report import FORMAT, ArmFigures, Paired, Report
from evals.significance import BETTER, EQUAL, LEVEL, WORSE

WEAK_TEXT = (
    "Arms that ask a chat model this small show that the pipeline runs with one. "
    "They are no evidence about chat models."
)
START, END = "<!-- results -->", "<!-- /results -->"
_HEAD = ("arm", "useful", "right action", "values right", "labels", "harmful", "needs a person", "s", "a thousand")
_SHORT_HEAD = ("arm", "useful", "right action", "harmful", "needs a person", "a thousand", "what it is")
_SMALL = 100  # cases: below, every comparison is said to be one of a small sample
_REPORT = TypeAdapter(Report)
Row = Sequence[str]


def as_json(report: Report) -> str:
    """Everything, for programs and for `evals report --diff`."""
    return _REPORT.dump_json(report, indent=1).decode()


def schema() -> str:
    """The JSON schema of a report."""
    told = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Formfact comparison report"}
    return json.dumps(told | _REPORT.json_schema(), indent=1) + "\n"


def read(path: Path) -> Report:
    """A report from its JSON.

    Raises:
        InvalidInput: the file is none, or was written in another format.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(told, dict) and told.get("format") != FORMAT:
            raise InvalidInput(
                f"{path} is in format {told.get('format', 1)}, not {FORMAT}.",
                "Run evals compare again: answers are kept.",
            )
        return _REPORT.validate_python(told)
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} is no report: {str(error)[:200]}", "Give a report.json of evals compare.") from None


def as_html(report: Report) -> str:
    """One page with everything in it; what customers and documents say is escaped."""
    pages = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)
    return pages.get_template("report.html.j2").render(
        r=report,
        weak_text=WEAK_TEXT,
        charts=drawn(report),
        sentence=sentence(report),
        small=small(report),
        undecided=undecided(report),
        short={"head": _SHORT_HEAD, "rows": [_short_cells(report, arm) for arm in report.short]},
        table={"head": _HEAD, "groups": _grouped(report, report.evidence)},
        appendix=[_cells(report, arm) for arm in report.appendix],
        zeros=_zeros(report),
        causes=sorted(report.causes.items(), key=lambda item: -item[1]),
        break_even_text=_break_even(report),
        money=_money(report),
        swings=[_swing(s) for s in report.swings],
        signed=signed,
        probability=probability,
    )


def as_markdown(report: Report) -> str:
    """The same without charts."""
    run = report.run
    compared = [
        (p.ours, p.theirs, p.figure, signed(p.difference), probability(p.p_holm), p.verdict) for p in report.paired
    ]
    told = [
        f"# {run.domain}: {run.n} {run.cases} cases",
        f"`{run.command}` ({run.hardware}, {run.made})",
        sentence(report),
        small(report),
        _markdown(_SHORT_HEAD, (_short_cells(report, arm) for arm in report.short)),
        "## All arms",
        _markdown(_HEAD, (row for _, rows in _grouped(report, report.evidence) for row in rows)),
        _zeros(report),
        "## Compared case by case",
        _markdown(("this", "against", "figure", "difference", "p (Holm)", "in a word"), compared),
        _bullets(undecided(report)),
        "## Money",
        _money(report),
        _markdown(("price", "hybrid and RAG at half of it", "… at twice"), (_swing(s) for s in report.swings)),
    ]
    if report.appendix:
        rows = (_cells(report, arm) for arm in report.appendix)
        told += ["## Appendix: a chat model too small to be evidence", WEAK_TEXT, _markdown(_HEAD, rows)]
    if run.skipped:
        told += ["## Not measured", _bullets(run.skipped)]
    return "\n\n".join(part for part in told if part) + "\n"


def into(text: str, report: Report) -> str:
    """A text, such as README, with the report's short table and its sentence between its marks.

    Raises:
        InvalidInput: it has no marks.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise InvalidInput(f"There are no lines {START} and {END} in it.", "Put them where the results shall stand.")
    run = report.run
    opened = f", opened {run.openings} times" if is_sealed(run.cases) else ""
    parts = [
        sentence(report),
        small(report),
        _markdown(_SHORT_HEAD, (_short_cells(report, arm) for arm in report.short)),
        _bullets(undecided(report)),
        f"{run.n} {run.cases} cases{opened}; `{run.command}`, {run.hardware}, {run.made}.",
    ]
    return f"{before}{START}\n" + "\n\n".join(part for part in parts if part) + f"\n{END}{after}"


def findings(report: Report) -> str:
    """What the report shows beyond its short table, as Markdown."""
    bounds = [
        f"perfect {what} would give {_percent(arm.useful.value)}"
        for name, what in ((ORACLE_LABELS, "labels"), (ORACLE_EVIDENCE, "evidence"))
        if (arm := report.of(name))
    ]
    hybrid = report.of(HYBRID)
    told = [sentence(report)]
    if hybrid and bounds:
        told.append(f"Of useful answers hybrid gives {_percent(hybrid.useful.value)}; {', '.join(bounds)}.")
    if report.consistency:
        listed = ", ".join(f"{c.source} {c.in_all:.3f}" for c in report.consistency)
        told.append(f"Consistency, labels right in every variant of a ticket: {listed}.")
    if report.freshness:
        listed = ", ".join(f"{f.arm} {f.both}" for f in report.freshness)
        told.append(f"Freshness, right before and after a publication, of {report.freshness[0].turns}: {listed}.")
    if report.causes:
        listed = ", ".join(f"{why} {n}" for why, n in sorted(report.causes.items(), key=lambda item: -item[1]))
        told.append(f"Likely causes of hybrid's errors: {listed}.")
    if report.worst:
        told.append(f"The worst slice is {report.worst.by} {report.worst.name}: useful {report.worst.useful}.")
    told.append(_money(report))
    return "\n\n".join(
        [
            _bullets(told),
            _markdown(_HEAD, (row for _, rows in _grouped(report, report.arms) for row in rows)),
            _bullets(undecided(report)),
        ]
    )


def sentence(report: Report) -> str:
    """The answer in one sentence: does hybrid give more useful answers than either of its halves?"""
    hybrid = report.of(HYBRID)
    if hybrid is None:
        return "Hybrid did not run, so that nothing is compared with it."
    beside = [
        f"{told} {_percent(arm.useful.value)} ({'hybrid is ' * (pair.verdict in (BETTER, WORSE))}{_outcome(pair)})"
        for name, told in ((RAG, "RAG alone"), (TUNED, "tuned alone"))
        if (arm := report.of(name)) and (pair := report.pair(HYBRID, name, "useful"))
    ]
    answers = f"Hybrid answers {_percent(hybrid.useful.value)} of {report.run.n} {report.run.cases} cases usefully"
    harm = f"{_percent(hybrid.harmful.value)} of hybrid's replies would do harm"
    return f"{', '.join([answers, *beside])}. {harm}."


def small(report: Report) -> str:
    """What a small sample cannot show; empty where the sample is not small."""
    pair = report.pair(HYBRID, RAG, "useful") or next(iter(report.paired), None)
    if report.run.n >= _SMALL or pair is None:
        return ""
    bound = f"differences below {_points(pair.detectable)}" if pair.detectable < 1 else "any difference"
    return f"A small sample: {report.run.n} cases cannot be relied on to show {bound}."


def undecided(report: Report) -> list[str]:
    """The comparisons of hybrid, upper bounds apart, in which it is not shown to be better: a sentence each."""
    bounds = {arm.arm for arm in report.arms if arm.group is Group.BOUND}
    told = []
    for pair in report.paired:
        weak = any((arm := report.of(name)) and report.is_weak(arm) for name in (pair.ours, pair.theirs))
        if pair.ours == HYBRID and pair.theirs not in bounds and pair.verdict != BETTER and not weak:
            told.append(f"Hybrid against {pair.theirs}, {pair.figure}: {in_words(pair, report.run.n)}.")
    return told


def in_words(pair: Paired, cases: int) -> str:
    """What a comparison shows, in words that follow its interval and its adjusted p-value."""
    shown = f"{signed(pair.difference)}, adjusted p {probability(pair.p_holm)}"
    if pair.verdict in (BETTER, WORSE, EQUAL):
        return f"{_outcome(pair)}: {shown}"
    outside = pair.difference.low > 0 or pair.difference.high < 0
    why = (
        f"the interval alone excludes 0, the p-value adjusted for all comparisons is not below {LEVEL}"
        if outside
        else ""
    )
    more = pair.cases_needed if pair.cases_needed and pair.cases_needed > cases else 0
    needed = f"about {more:,} cases would show 5 points" if more else ""
    return f"{_outcome(pair)}: {'; '.join(part for part in (shown, why, needed) if part)}"


def _outcome(pair: Paired) -> str:
    """The verdict alone."""
    if pair.verdict in (BETTER, WORSE):
        return f"{pair.verdict} by {_points(abs(pair.difference.value))}"
    return "less than 5 points apart" if pair.verdict == EQUAL else "undecided"


def signed(interval: Interval) -> str:
    """A difference with its sign: `+0.120 [+0.050, +0.190]`."""
    return f"{interval.value:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"


def probability(p: float) -> str:
    """As it is printed: none is zero."""
    return "<0.001" if p < 0.0005 else f"{p:.3f}"


def differences(ours: Report, theirs: Report) -> str:
    """Two runs beside each other, as Markdown: what moved, arm by arm."""
    told = [f"`{ours.run.command}` ({ours.run.made}) against `{theirs.run.command}` ({theirs.run.made})"]
    if (ours.run.cases, ours.run.n) != (theirs.run.cases, theirs.run.n):
        told.append(f"The cases differ: {ours.run.n} {ours.run.cases}, {theirs.run.n} {theirs.run.cases}.")
    rows = []
    for arm in ours.arms:
        if other := theirs.of(arm.arm):
            pairs = (
                (arm.useful.value, other.useful.value),
                (arm.right_action.value, other.right_action.value),
                (arm.harmful.value, other.harmful.value),
                (arm.seconds[2], other.seconds[2]),
            )
            rows.append((arm.arm, *(f"{a:.3f} ({a - b:+.3f})" for a, b in pairs)))
    told.append(_markdown(("arm", "useful", "right action", "harmful", "s"), rows))
    told.append(_bullets(regressions(ours, theirs)))
    return "\n\n".join(part for part in told if part) + "\n"


def regressions(ours: Report, theirs: Report) -> list[str]:
    """Where hybrid is now outside the interval that it had: a sentence each; empty where nothing got worse."""
    new, old = ours.of(HYBRID), theirs.of(HYBRID)
    if new is None or old is None:
        return []
    told = [
        f"Hybrid, {name}: {now.value:.3f}, below {before}."
        for name, now, before in (
            ("useful", new.useful, old.useful),
            ("right action", new.right_action, old.right_action),
        )
        if now.value < before.low
    ]
    if new.harmful.value > old.harmful.high:
        told.append(f"Hybrid, harmful: {new.harmful.value:.3f}, above {old.harmful}.")
    if new.leaks > old.leaks:
        told.append(f"Hybrid, leaks: {new.leaks}, before {old.leaks}.")
    return told


def _grouped(report: Report, arms: Iterable[ArmFigures]) -> list[tuple[str, list[Row]]]:
    there = list(arms)
    groups = [(str(group), [_cells(report, arm) for arm in there if arm.group is group]) for group in Group]
    return [(name, rows) for name, rows in groups if rows]


def _cells(report: Report, arm: ArmFigures) -> Row:
    return (
        arm.arm,
        str(arm.useful),
        f"{arm.right_action.value:.3f}",
        f"{arm.facts_correct.value:.3f}" if arm.facts_correct else "–",
        f"{arm.label_accuracy.value:.3f}" if arm.label_accuracy else "–",
        f"{arm.harmful.value:.3f}",
        f"{arm.needs_person.value:.2f}",
        f"{arm.seconds[2]:.2f}",
        _amount(report, arm),
    )


def _short_cells(report: Report, arm: ArmFigures) -> Row:
    return (
        arm.arm,
        str(arm.useful),
        f"{arm.right_action.value:.3f}",
        f"{arm.harmful.value:.3f}",
        f"{arm.needs_person.value:.2f}",
        _amount(report, arm),
        arm.about,
    )


def _amount(report: Report, arm: ArmFigures) -> str:
    return f"{arm.cost.a_thousand:,.0f} {report.currency}"


def _markdown(head: Row, rows: Iterable[Row]) -> str:
    lines = list(rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *lines]) if lines else ""


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def _points(share: float) -> str:
    return f"{100 * share:.0f} points"


def _zeros(report: Report) -> str:
    """What is zero by construction is said to be so, with what is not beside it."""
    hybrid = report.of(HYBRID)
    told = (
        "Zero by construction: leaks (retrieval sees what the caller may read and nothing else), and claims without "
        "support in replies that left (verification stops them)."
    )
    if not hybrid:
        return told
    return (
        f"{told} Not by construction, hybrid: misapplied facts {hybrid.misapplied}; useful answers "
        f"{hybrid.useful_at_harm:.3f} of all tickets where at most 1 % may do harm."
    )


def _money(report: Report) -> str:
    """What the amounts rest on: the inputs, and how much of them is people's time."""
    hybrid = report.of(HYBRID)
    listed = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in report.prices.items())
    share = ""
    if hybrid and hybrid.cost.a_thousand:
        people = hybrid.cost.people / hybrid.cost.a_thousand
        share = f" {people:.0%} of hybrid's amount is the time of people who take over.".replace("%", " %", 1)
    return f"Inputs, in {report.currency}: {listed}.{share}"


def _swing(swing: Swing) -> Row:
    def amounts(told: dict[str, float]) -> str:
        return ", ".join(f"{told[name]:,.0f}" for name in (HYBRID, RAG) if name in told)

    return (swing.price.replace("_", " "), amounts(swing.half), amounts(swing.twice))


def _break_even(report: Report) -> str:
    told = []
    for name in (RAG, RAG_CHAT):
        if name in report.break_even:
            volume = report.break_even[name]
            if volume is None:
                told.append(f"Hybrid is never cheaper than {name}.")
            else:
                when = f"from {volume:,.0f} tickets an interval on" if volume else "at any volume"
                told.append(f"Hybrid is cheaper than {name} {when}.")
    return " ".join(told)
