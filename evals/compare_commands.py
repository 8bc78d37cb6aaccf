"""`formfact evals compare` and what belongs to it."""

from __future__ import annotations

import json
import os
import platform
import random
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from domains.spec import InvalidInput, load_domain
from evals.progress import shown

if TYPE_CHECKING:
    from adapters.structured import Structured
    from domains.spec import Domain
    from evals.answers import Answered
    from evals.arms import Arm
    from evals.cases import Case
    from evals.judge import Judged
    from evals.money import Prices
    from evals.pipelines import Pipelines
    from evals.recorded import Recorded
    from evals.report import Report, Run
    from service.desk.protocol import Desk
    from service.settings import Settings

app = typer.Typer()

_TOKENS = 96  # of one answer of a chat model
_CHAT_CASES = 40  # of what asks a chat model many times over
_WEAK = ("local:smollm2",)  # models so small that their rows are no evidence

DomainOption = Annotated[str, typer.Option(help="A folder of domains/, or a path.")]
Cases = Annotated[
    str, typer.Option(help="dev, a .jsonl of your own, or sealed, which is opened to report and never to tune.")
]
Out = Annotated[Path, typer.Option(help="Folder for answers, calls and the report; a run cut off goes on from it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command()
def compare(
    domain: DomainOption = "support",
    cases: Cases = "dev",
    modes: Annotated[str | None, typer.Option(help="prompt, rag, tuned, hybrid, with commas; default: all.")] = None,
    llm: Annotated[str | None, typer.Option(help="The chat model, as FORMFACT_LLM; default: what that says.")] = None,
    replay: Annotated[
        Path | None, typer.Option(help="Answers of a chat model that somebody kept: calls.jsonl.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="So many cases, from the first.")] = None,
    ablations: Annotated[bool, typer.Option(help="Other label and answer sources, and upper bounds.")] = True,
    prices: Annotated[Path | None, typer.Option(help="Price list; default: evals/prices.yaml.")] = None,
    judge: Annotated[bool, typer.Option("--judge", help="Ask the chat model for a second opinion.")] = False,
    out: Out = Path("comparison"),
    as_json: AsJson = False,
) -> None:
    """Compare prompt, RAG, tuned and hybrid on the same cases: quality, consistency, freshness, time and money.

    Examples:
    `formfact evals compare --limit 40`

    `formfact evals compare --cases sealed --llm local:smollm2`

    `FORMFACT_LLM_URL=http://127.0.0.1:8001/v1 formfact evals compare --llm openai:MODEL`
    """
    from evals import money, pages
    from evals.cases import load
    from evals.recorded import recorded, replayed
    from service.settings import Settings

    spec, bill = load_domain(domain), money.load(prices or money.PRICES)
    told = Settings(domain=str(spec.folder), llm_max_tokens=_TOKENS)
    settings = told if llm is None else told.model_copy(update={"llm": llm})
    kept = replayed(replay) if replay else recorded(settings, out / "calls.jsonl")
    arms, wanted = _chosen(modes, ablations, kept is not None), load(spec, cases)[:limit]
    found = _compared(_run(spec, cases, len(wanted), kept), spec, settings, arms, wanted, kept, bill, judge, out)
    (out / "report.json").write_text(pages.as_json(found) + "\n", encoding="utf-8")
    (out / "report.md").write_text(pages.as_markdown(found), encoding="utf-8")
    (out / "report.html").write_text(pages.as_html(found), encoding="utf-8")
    typer.echo(pages.as_json(found)) if as_json else Console().print(Markdown(pages.as_markdown(found)))
    Console(stderr=True).print(f"Report: {out / 'report.html'}", highlight=False)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A folder of evals compare, or its report.json.")],
    diff: Annotated[Path | None, typer.Option(help="Another: tell what moved between them.")] = None,
    into: Annotated[Path | None, typer.Option(help="A file between whose marks the results are written.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a report again, or what moved between two runs.

    Examples:
    `formfact evals report comparison --diff comparison-before`

    `formfact evals report docs/results.json --into README.md`
    """
    from evals import pages

    found = pages.read(_json_of(run))
    if as_json:
        typer.echo(pages.as_json(found))
    elif into:
        into.write_text(pages.into(into.read_text(encoding="utf-8"), found), encoding="utf-8")
    elif diff:
        Console().print(Markdown(pages.differences(found, pages.read(_json_of(diff)))))
    else:
        Console().print(Markdown(pages.as_markdown(found)))


@app.command()
def init(
    tickets: Annotated[Path, typer.Argument(help="Past tickets: .csv or .jsonl with body or text.")],
    domain: DomainOption = "support",
    out: Annotated[Path, typer.Option(help="Where the cases are written; an existing file is left alone.")] = Path(
        "cases.jsonl"
    ),
    audience: Annotated[str, typer.Option(help="Who asks.")] = "public",
    as_of: Annotated[str | None, typer.Option(help="Day at which tickets are answered; default: today.")] = None,
) -> None:
    """Turn past tickets into eval cases to annotate; personal data is taken out.

    `formfact evals run` refuses a case until its tag `annotate` is replaced.

    Example: `formfact evals init tickets.csv --out cases.jsonl`
    """
    from adapters.encoder import Encoder
    from adapters.message_tagger import MessageTagger
    from evals.own import cases_of

    if out.exists():
        raise InvalidInput(f"{out} exists.", "Name another file with --out.", "out")
    try:
        day = date.fromisoformat(as_of) if as_of else datetime.now(UTC).date()
    except ValueError:
        raise InvalidInput(f"--as-of: `{as_of}` is no day.", "Say it as 2026-11-20.", "as_of") from None
    spec = load_domain(domain)
    scrub = MessageTagger(Encoder(spec.encoder)).scrub
    made = [json.dumps(case, ensure_ascii=False) for case in cases_of(tickets, spec, day, audience, scrub)]
    out.write_text("\n".join(made) + "\n", encoding="utf-8")
    Console().print(
        f"{len(made)} cases in {out}. In each: say what is right under `expect`, and replace the tag `annotate`."
    )


@app.command()
def gate(
    adapter: Annotated[str | None, typer.Argument(help="A folder or an id; default: what the domain ships.")] = None,
    domain: DomainOption = "support",
    as_json: AsJson = False,
) -> None:
    """Answer the development cases; exit 1 with the lines that fail the bounds in gate.yaml of the domain's folder.

    The verdict is kept in the home's store, where `formfact adapters promote` looks for it.

    Example: `formfact evals gate /tmp/adapter`
    """
    from evals.gate import gate as judged
    from service.desk.adapter_commands import show_verdict
    from service.settings import Settings

    spec = load_domain(domain)
    settings = Settings(domain=str(spec.folder))
    verdict = judged(settings, adapter or str(spec.folder / "adapter"), "", Console(stderr=True))
    if as_json:
        typer.echo(json.dumps(asdict(verdict), indent=1))
    else:
        show_verdict(verdict, "value")
    if not verdict.passed:
        raise typer.Exit(1)


@app.command()
def worlds(
    domain: DomainOption = "support",
    mode: Annotated[str, typer.Option(help="hybrid or tuned; rag where FORMFACT_LLM names a chat model.")] = "hybrid",
    limit: Annotated[int | None, typer.Option(min=1, help="So many tickets, spread over the facts.")] = None,
    url: Annotated[str | None, typer.Option(help="A service of its own to ask instead: its documents change.")] = None,
    key: Annotated[Path | None, typer.Option(help="File of its local key, with --url.")] = None,
    failures: Annotated[bool, typer.Option(help="Tell each world that fails.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask each ticket in many worlds: other dates, customers, readers; notices that contradict, hide; retractions.

    The right answers are computed from a table of facts. With --url the service that is asked must be one to throw
    away: notices are published and documents retracted there.

    Example: `formfact evals worlds --limit 40`
    """
    from evals.worlds import AtDesk, every, played
    from evals.worlds_report import figures

    spec = load_domain(domain)
    wanted = every(spec, limit)
    with _desk(spec, url, key) as asked:
        found = list(played(AtDesk(asked, mode), wanted, shown("Asking")))  # type: ignore[arg-type]
    told = figures(found)
    if as_json:
        typer.echo(json.dumps(asdict(told), indent=1))
        return
    table = Table("world", "right", title=f"{spec.title}: {len(found)} worlds of {told.tickets} tickets, mode {mode}")
    for name, value in told.by_kind.items():
        table.add_row(name, str(value))
    table.add_row("tickets right in all their worlds", str(told.in_all))
    Console().print(table)
    for world, said in found if failures else ():
        if not world.passes(said):
            asked_for = f"{world.ticket.id} {world.kind} {world.as_of} {dict(world.customer)}: {world.ticket.body}"
            Console().print(f"\n{asked_for}\nwanted {world.right}, got {said.action}: {said.text}", markup=False)


@contextmanager
def _desk(domain: Domain, url: str | None, key: Path | None) -> Iterator[Desk]:
    """The service at a URL, or one of its own."""
    if url:
        from service.desk.remote import connected

        if key is None:
            raise InvalidInput("--url needs --key.", "Name the file local.key of that service's home.", "key")
        with connected(url, key) as remote:
            yield remote
        return
    from service.apart import apart
    from service.desk.local import Local

    with apart(domain) as services:
        yield Local(services)


def _compared(
    run: Run,
    domain: Domain,
    settings: Settings,
    arms: Sequence[Arm],
    cases: Sequence[Case],
    kept: Recorded | None,
    bill: Prices,
    judge: bool,
    out: Path,
) -> Report:
    """Answer, then measure what needs more than the cases; one service for all of it, with a state of its own."""
    from adapters.structured import Structured
    from evals import freshness, inspect_log, prompting
    from evals.compare import Comparison, opened
    from evals.pipelines import Pipelines
    from evals.report import Beside, report
    from service.apart import apart

    chat = Structured(kept, kept.name) if kept else None
    with apart(domain, settings.model_copy(update={"llm": ""}), chat) as services:
        pipelines = Pipelines(services, chat)
        answered = Comparison(pipelines, kept, opened(out)).run(arms, cases, shown("Answering"))
        turns = freshness.load(domain)[: len(cases)]
        beside = Beside(
            consistency=_consistency(pipelines, arms, domain, len(cases)),
            formats=prompting.measured(domain, chat, _draw(cases), services.pipeline.scrub, shown("Other prompts"))
            if chat
            else (),
            judged=_judged(domain, chat, cases, answered) if chat and judge else None,
            freshness=freshness.compare(pipelines, _modes(arms), turns, shown("Publishing and asking again")),
        )
    found = report(run, arms, cases, answered, bill, len(pipelines.labelled), beside)
    inspect_log.write(out / "inspect", run, found.arms, cases, answered)
    return found


def _json_of(run: Path) -> Path:
    return run / "report.json" if run.is_dir() else run


def _chosen(modes: str | None, ablations: bool, chat: bool) -> list[Arm]:
    """The arms of the modes that are called, hybrid always; those that ask a chat model only where there is one."""
    from evals.arms import ARMS, HYBRID, Group

    known = ("prompt", "rag", "tuned", "hybrid")
    called = [part.strip() for part in (modes or ",".join(known)).split(",") if part.strip()]
    if unknown := set(called) - set(known):
        raise InvalidInput(f"--modes: there is no {', '.join(sorted(unknown))}.", f"There are: {', '.join(known)}.")
    arms = [a for a in ARMS if chat or not a.asks_chat]
    of_modes = [a for a in arms if a.group is Group.MODE and (a.name.split(",")[0] in called or a.name == HYBRID)]
    return [*of_modes, *(a for a in arms if ablations and a.group is not Group.MODE)]


def _modes(arms: Sequence[Arm]) -> list[Arm]:
    from evals.arms import Group

    return [arm for arm in arms if arm.group is Group.MODE]


def _consistency(pipelines: Pipelines, arms: Sequence[Arm], domain: Domain, limit: int) -> list[Any]:
    """Of the label sources among the arms; of the prompted ones the plain one, since each variant is a call."""
    from evals import consistency
    from evals.arms import Labels
    from evals.cases import load

    cases, paraphrases = load(domain, "dev"), consistency.load(domain)[:limit]
    scrub = pipelines.services.pipeline.scrub
    found = []
    for source in shown("Asking in other words")(list(dict.fromkeys(arm.labels for arm in arms))):
        if source not in (Labels.NONE, Labels.ORACLE, Labels.EXAMPLES):
            found.append(consistency.measure(pipelines.classifier(source), cases, paraphrases, scrub))
    return found


def _draw(cases: Sequence[Case]) -> Sequence[Case]:
    """Forty cases, always the same ones: for what asks a chat model many times over."""
    return random.Random(0).sample(list(cases), min(_CHAT_CASES, len(cases)))  # noqa: S311 -- no secret depends on it


def _judged(domain: Domain, chat: Structured, cases: Sequence[Case], answered: Sequence[Answered]) -> Judged:
    """Hybrid against RAG, on forty cases."""
    from evals.arms import HYBRID, RAG
    from evals.judge import judged

    by_key = {(row.arm, row.case): row for row in answered}
    pairs = [(c, by_key[HYBRID, c.id], by_key[RAG, c.id]) for c in _draw(cases) if (RAG, c.id) in by_key]
    return judged(domain, chat, pairs, shown("Judging"))


def _run(domain: Domain, cases: str, n: int, chat: Recorded | None) -> Run:
    from domains.seal import openings
    from evals.cases import is_sealed
    from evals.report import Run

    path = domain.folder / "cases" / f"{cases}.jsonl"
    return Run(
        domain=domain.title,
        cases=cases,
        n=n,
        openings=openings(path) if is_sealed(cases) else 0,
        chat=chat.name if chat else "",
        weak_chat=chat is not None and chat.name.startswith(_WEAK),
        command=shlex.join(["formfact", *sys.argv[1:]]),
        hardware=f"{os.cpu_count()} cores, {platform.machine()}",
        made=datetime.now(UTC).date().isoformat(),
    )
