"""A report as people and programs read it: one HTML file that needs nothing else, Markdown, and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import TypeAdapter

from domains.spec import InvalidInput
from evals.arms import HYBRID, RAG, RAG_CHAT, Group
from evals.cases import is_sealed
from evals.charts import drawn
from evals.intervals import Interval
from evals.report import ArmFigures, Report

WEAK = "†"
WEAK_TEXT = (
    "asks a chat model of 135 million parameters: such a row shows that the pipeline runs with a chat model, and is no "
    "evidence about chat models."
)
START, END = "<!-- results -->", "<!-- /results -->"
_HEAD = ("arm", "useful", "right action", "values right", "labels", "harmful", "needs a person", "s", "a thousand")
_REPORT = TypeAdapter(Report)


@dataclass(frozen=True, slots=True)
class _Card:
    title: str
    value: str
    text: str
    tone: str = ""


def as_json(report: Report) -> str:
    """Everything, for programs and for `evals report --diff`."""
    return _REPORT.dump_json(report, indent=1).decode()


def read_json(text: str) -> Report:
    """What `as_json` wrote."""
    return _REPORT.validate_json(text)


def read(path: Path) -> Report:
    """A report from its JSON.

    Raises:
        InvalidInput: the file is none.
    """
    try:
        return read_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} is no report: {str(error)[:200]}", "Give a report.json of evals compare.") from None


def as_html(report: Report) -> str:
    """One page with everything in it; what customers and documents say is escaped."""
    pages = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)
    return pages.get_template("report.html.j2").render(
        r=report,
        weak_text=WEAK_TEXT,
        charts=drawn(report),
        headline=headline(report),
        losses=losses(report),
        table={
            "head": _HEAD,
            "groups": [(group.value, rows) for group in Group if (rows := _rows(report, group))],
        },
        zeros=_zeros(report),
        causes=sorted(report.causes.items(), key=lambda item: -item[1]),
        break_even_text=_break_even(report),
        signed=signed,
        probability=probability,
        formats_median=median(f.right for f in report.formats) if report.formats else 0.0,
    )


def as_markdown(report: Report) -> str:
    """The same without charts."""
    run = report.run
    made = [f"# {run.domain}: {run.n} {run.cases} cases", "", f"`{run.command}` ({run.hardware}, {run.made})", ""]
    cards = [f"- **{c.title}**: {c.value} ({c.text})" for c in headline(report)]
    compared = [
        f"| {p.ours} | {p.theirs} | {p.figure} | {signed(p.difference)} | {probability(p.p_holm)} | {p.verdict} |"
        for p in report.paired
    ]
    heads = ["| this | against | figure | difference | p (Holm) | in words |", "| --- | --- | --- | --- | --- | --- |"]
    lost = [f"- {line}" for line in losses(report)]
    parts = [
        made,
        cards,
        [""],
        [table(report), ""],
        [_zeros(report), ""],
        heads,
        compared,
        ["", "Where hybrid loses or ties:", ""],
        lost,
    ]
    return "\n".join(line for part in parts for line in part) + "\n"


def into(text: str, report: Report) -> str:
    """A text, such as README, with the report's table and losses between its marks.

    Raises:
        InvalidInput: it has no marks.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise InvalidInput(f"There are no lines {START} and {END} in it.", "Put them where the results shall stand.")
    run = report.run
    opened = f", opened {run.openings} times" if is_sealed(run.cases) else ""
    weak = f"\n\n{WEAK} {WEAK_TEXT}" if run.weak_chat else ""
    lost = "\n".join(f"- {line}" for line in losses(report))
    told = f"{run.n} {run.cases} cases{opened}; `{run.command}`, {run.hardware}, {run.made}:"
    return (
        f"{before}{START}\n{told}\n\n{table(report)}{weak}\n\n{_zeros(report)}\n\n"
        f"Where hybrid loses or ties:\n\n{lost}\n{END}{after}"
    )


def table(report: Report) -> str:
    """The arms as a Markdown table."""
    rows = [row for group in Group for row in _rows(report, group)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [_HEAD, ["---"] * len(_HEAD), *rows])


def headline(report: Report) -> list[_Card]:
    """Quality lift, consistency lift and total cost of hybrid, composers being equal."""
    cards = []
    for pair in report.paired:
        if (pair.ours, pair.theirs, pair.figure) == (HYBRID, RAG, "useful"):
            tone = {"better": "better", "worse": "worse"}.get(pair.verdict, "")
            cards.append(
                _Card(
                    "Quality lift over RAG",
                    signed(pair.difference),
                    f"useful answers, both extractive: {pair.verdict}",
                    tone,
                )
            )
    if steady := _consistency_lift(report):
        cards.append(steady)
    if hybrid := report.of(HYBRID):
        rag = report.of(RAG)
        beside = f", RAG {rag.cost.a_thousand:,.0f}" if rag else ""
        cards.append(
            _Card(
                "Total cost",
                f"{hybrid.cost.a_thousand:,.0f} {report.currency}",
                f"a thousand tickets, people included{beside}",
            )
        )
    return cards


def losses(report: Report) -> list[str]:
    """The comparisons in which hybrid is not shown to be better, in words."""
    told = []
    for pair in report.paired:
        if not pair.theirs.startswith("oracle") and pair.verdict != "better":
            word = "loses to" if pair.verdict == "worse" else "ties with"
            told.append(f"{pair.ours} {word} {pair.theirs} on {pair.figure}: {signed(pair.difference)}, {pair.verdict}")
    return told


def signed(interval: Interval) -> str:
    """A difference with its sign: `+0.120 [+0.050, +0.190]`."""
    return f"{interval.value:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"


def probability(p: float) -> str:
    """As it is printed: none is zero."""
    return "<0.001" if p < 0.0005 else f"{p:.3f}"


def differences(ours: Report, theirs: Report) -> str:
    """Two runs beside each other, as Markdown: what moved, arm by arm."""
    told = [f"`{ours.run.command}` ({ours.run.made}) against `{theirs.run.command}` ({theirs.run.made})", ""]
    if (ours.run.cases, ours.run.n) != (theirs.run.cases, theirs.run.n):
        told += [f"The cases differ: {ours.run.n} {ours.run.cases}, {theirs.run.n} {theirs.run.cases}.", ""]
    told += ["| arm | useful | right action | harmful | s |", "| --- | --- | --- | --- | --- |"]
    for arm in ours.arms:
        if other := theirs.of(arm.arm):
            moved = [
                f"{a:.3f} ({a - b:+.3f})"
                for a, b in (
                    (arm.useful.value, other.useful.value),
                    (arm.right_action.value, other.right_action.value),
                    (arm.harmful.value, other.harmful.value),
                    (arm.seconds[2], other.seconds[2]),
                )
            ]
            told.append(f"| {arm.arm} | {' | '.join(moved)} |")
    return "\n".join(told) + "\n"


def _consistency_lift(report: Report) -> _Card | None:
    told = {c.source: c.in_all for c in report.consistency}
    tuned = next((v for name, v in told.items() if "@" in name), None)
    rest = {name: v for name, v in told.items() if "@" not in name}
    if tuned is None or not rest:
        return None
    best = max(rest, key=lambda name: rest[name])
    return _Card(
        "Consistency lift",
        f"{tuned - rest[best]:+.3f}",
        f"labels right in all variants: {tuned:.3f}, {best} {rest[best]:.3f}",
    )


def _rows(report: Report, group: Group) -> list[list[str]]:
    return [_cells(report, arm) for arm in report.arms if arm.group is group]


def _cells(report: Report, arm: ArmFigures) -> list[str]:
    mark = f" {WEAK}" if report.run.weak_chat and arm.calls else ""
    return [
        f"{arm.arm}{mark}",
        str(arm.useful),
        f"{arm.right_action.value:.3f}",
        f"{arm.facts_correct.value:.3f}" if arm.facts_correct else "–",
        f"{arm.label_accuracy.value:.3f}" if arm.label_accuracy else "–",
        f"{arm.harmful.value:.3f}",
        f"{arm.needs_person.value:.2f}",
        f"{arm.seconds[2]:.2f}",
        f"{arm.cost.a_thousand:,.0f} {report.currency}",
    ]


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


def _break_even(report: Report) -> str:
    told = []
    for name in (RAG, RAG_CHAT):
        if name in report.break_even:
            volume = report.break_even[name]
            when = (
                "never"
                if volume is None
                else "at any volume"
                if volume == 0
                else f"from {volume:,.0f} tickets an interval on"
            )
            told.append(f"Hybrid is cheaper than {name} {when}.")
    return " ".join(told)
