"""`formfact evals compare` and what belongs to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown

from domains.commands import DomainName
from domains.spec import InvalidInput, load_domain
from evals.progress import shown
from evals.result_table import measured

if TYPE_CHECKING:
    from domains.spec import Domain
    from evals.experiment import ComparisonPlan
    from service.cli.protocol import Desk

app = typer.Typer()

_TOKENS = 96  # of one answer of a chat model

Cases = Annotated[
    str, typer.Option(help="dev, a .jsonl of your own, or sealed, which is opened to report and never to tune.")
]
Out = Annotated[Path, typer.Option(help="Folder for answers, calls and the report; a run cut off goes on from it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command()
def compare(
    domain: DomainName = "support",
    cases: Cases = "dev",
    modes: Annotated[str | None, typer.Option(help="prompt, rag, tuned, hybrid, with commas; default: all.")] = None,
    llm: Annotated[str | None, typer.Option(help="The chat model, as FORMFACT_LLM; default: what that says.")] = None,
    replay: Annotated[
        Path | None, typer.Option(help="Answers of a chat model that somebody kept: calls.jsonl.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="So many cases, spread evenly over their tags.")] = None,
    seed: Annotated[int, typer.Option(help="Of the sample that --limit takes.")] = 0,
    ablations: Annotated[bool, typer.Option(help="Other label and answer sources, and upper bounds.")] = True,
    prices: Annotated[Path | None, typer.Option(help="Price list; default: evals/prices.yaml.")] = None,
    judge: Annotated[bool, typer.Option("--judge", help="Ask the chat model for a second opinion.")] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Tell the chat model's calls, tokens and money, and ask nothing.")
    ] = False,
    out: Out = Path("comparison"),
    as_json: AsJson = False,
) -> None:
    """Compare prompt, RAG, tuned and hybrid on the same cases: quality, consistency, freshness, time and money.

    Examples:
    `formfact evals compare --limit 40`

    `formfact evals compare --cases sealed --llm local:smollm2`

    `FORMFACT_LLM_URL=http://127.0.0.1:8001/v1 formfact evals compare --llm openai:MODEL --estimate`
    """
    from evals import cost, pages
    from evals.cases import load
    from evals.experiment import TICKETS, ComparisonPlan, arms_of, experiment, has, sample
    from evals.llm_cache import recorded, replayed
    from service.settings import Settings

    spec, bill = load_domain(domain), cost.load(prices or cost.PRICES)
    told = Settings(domain=str(spec.folder), llm_max_tokens=_TOKENS)
    settings = told if llm is None else told.model_copy(update={"llm": llm})
    kept = replayed(replay) if replay else recorded(settings, out / "calls.jsonl")
    arms, wanted = (
        arms_of(modes, ablations, kept is not None, has(spec, TICKETS)),
        sample(load(spec, cases), limit, seed),
    )
    plan = ComparisonPlan(spec, cases, wanted, arms, settings, kept, bill, judge, out)
    for line in plan.missing:
        Console(stderr=True).print(line, highlight=False)
    if estimate:
        _tell_estimate(plan, as_json)
        return
    found = experiment(plan)
    (out / "report.json").write_text(pages.as_json(found) + "\n", encoding="utf-8")
    (out / "report.md").write_text(pages.as_markdown(found), encoding="utf-8")
    (out / "report.html").write_text(pages.as_html(found), encoding="utf-8")
    typer.echo(pages.as_json(found)) if as_json else Console().print(Markdown(pages.as_markdown(found)))
    Console(stderr=True).print(f"Report: {out / 'report.html'}", highlight=False)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A folder of evals compare, or its report.json.")],
    diff: Annotated[
        Path | None, typer.Option(help="An earlier one: tell what moved, and exit 1 where hybrid got worse.")
    ] = None,
    into: Annotated[Path | None, typer.Option(help="A file between whose marks the results are written.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page again.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a report again, or what moved between two runs.

    Worse is a figure of hybrid outside the 95 % interval that it had before.

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
    elif html:
        html.write_text(pages.as_html(found), encoding="utf-8")
    elif diff:
        before = pages.read(_json_of(diff))
        Console().print(Markdown(pages.differences(found, before)))
        if pages.regressions(found, before):
            raise typer.Exit(1)
    else:
        Console().print(Markdown(pages.as_markdown(found)))


@app.command()
def docs(
    root: Annotated[Path, typer.Option(help="The repository.", exists=True)] = Path(),
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 where a page differs.")] = False,
) -> None:
    """Write the stored results (docs/results.json, docs/measured/) into README and docs.

    Example: `formfact evals docs --check`
    """
    from evals.doc_figures import PAGES, written

    changed = False
    for page in (root / name for name in PAGES):
        before = page.read_text(encoding="utf-8")
        if (after := written(before, root)) != before:
            changed = True
            typer.echo(f"{page} {'differs from its sources' if check else 'is written anew'}")
            if not check:
                page.write_text(after, encoding="utf-8")
    if check and changed:
        raise typer.Exit(1)


@app.command()
def init(
    tickets: Annotated[Path, typer.Argument(help="Past tickets: .csv or .jsonl with body or text.")],
    domain: DomainName = "support",
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
    from evals.import_tickets import cases_of

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
def scorer(domain: DomainName = "support", as_json: AsJson = False) -> None:
    """Tell how far the marks agree with people who read the replies (Cohen's kappa).

    Example: `formfact evals scorer`
    """
    from evals.agreement import agreement, load_judged

    spec = load_domain(domain)
    found = agreement(spec, load_judged(spec))
    rows = ((one.replies, one.figure, str(one.judged), f"{one.equal:.3f}", f"{one.kappa:.3f}") for one in found)
    table = measured(f"{spec.title}: scorer against readers", ("replies", "figure", "judged", "equal", "kappa"), rows)
    if as_json:
        typer.echo(table.as_json(agreement=[asdict(one) for one in found]), nl=False)
    else:
        table.show(Console())


@app.command()
def gate(
    adapter: Annotated[str | None, typer.Argument(help="A folder or an id; default: what the domain ships.")] = None,
    domain: DomainName = "support",
    as_json: AsJson = False,
) -> None:
    """Answer the development cases; exit 1 with the lines that fail the bounds in gate.yaml of the domain's folder.

    The verdict is kept in the home's store, where `formfact adapters promote` looks for it.

    Example: `formfact evals gate /tmp/adapter`
    """
    from evals.gate import gate as judged
    from service.cli.adapter_commands import show_verdict
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
def counterfactuals(
    domain: DomainName = "support",
    mode: Annotated[str, typer.Option(help="hybrid or tuned; rag where FORMFACT_LLM names a chat model.")] = "hybrid",
    limit: Annotated[int | None, typer.Option(min=1, help="So many tickets, spread over the facts.")] = None,
    url: Annotated[str | None, typer.Option(help="A service of its own to ask instead: its documents change.")] = None,
    key: Annotated[Path | None, typer.Option(help="File of its local key, with --url.")] = None,
    failures: Annotated[bool, typer.Option(help="Show each variant that fails.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask the same ticket under changed circumstances, each with its own right answer (counterfactual cases).

    Another date, customer or reader; a notice that contradicts, or that the asker must not see; a withdrawn document.

    The right answers are computed from a table of facts. With --url the service that is asked must be one to throw
    away: notices are published and documents retracted there.

    Example: `formfact evals counterfactuals --limit 40`
    """
    from evals import counterfactuals as cases
    from evals.counterfactual_report import figures

    spec = load_domain(domain)
    wanted = cases.counterfactuals(spec, limit)
    with _desk(spec, url, key) as asked:
        found = list(cases.asked_of(cases.AtDesk(asked, mode), wanted, shown("Asking")))  # type: ignore[arg-type]
    told = figures(found)
    over = f"{spec.title}: {len(found)} variants of {told.tickets} tickets, mode {mode}"
    table = measured(over, ("variant", "cases", "right"), told.rows)
    if as_json:
        typer.echo(table.as_json(in_all=told.in_all.value), nl=False)
        return
    table.show(Console())
    for variant, said in found if failures else ():
        if not variant.passes(said):
            place = f"{variant.ticket.id} {variant.kind} {variant.as_of} {dict(variant.customer)}"
            Console().print(
                f"\n{place}: {variant.ticket.body}\nwanted {variant.right}, got {said.action}: {said.text}",
                markup=False,
            )


@contextmanager
def _desk(domain: Domain, url: str | None, key: Path | None) -> Iterator[Desk]:
    """The service at a URL, or one of its own."""
    if url:
        from service.cli.remote import connected

        if key is None:
            raise InvalidInput("--url needs --key.", "Name the file local.key of that service's home.", "key")
        with connected(url, key) as remote:
            yield remote
        return
    from service.cli.local import Local
    from service.ephemeral import apart

    with apart(domain) as services:
        yield Local(services)


def _json_of(run: Path) -> Path:
    return run / "report.json" if run.is_dir() else run


def _tell_estimate(plan: ComparisonPlan, as_json: bool) -> None:
    from evals.estimate import estimate
    from evals.experiment import DRAWN, PARAPHRASED, paraphrased

    varied = len(paraphrased(plan)[:PARAPHRASED])
    found = estimate(plan.domain, plan.arms, plan.cases, DRAWN, varied, plan.prices)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        return
    asked = plan.chat.name if plan.chat else "No chat model is set, so that none is asked"
    typer.echo(
        f"{asked}: about {found.calls:,} calls at most, {found.input_tokens:,} tokens in, {found.output_tokens:,} out; "
        f"{found.amount:,.2f} {plan.prices.currency} by the price list."
    )
