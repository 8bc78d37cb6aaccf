"""`formfact bench …`: how the parts do on public data sets, or on your own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markdown import Markdown

from domains.commands import DomainName
from evals.progress import shown
from evals.result_table import command_line, measured

if TYPE_CHECKING:
    from adapters.data.judged import JudgedSet
    from evals.benchmarks.corpus import Corpus

app = typer.Typer(no_args_is_help=True)

Arms = Annotated[str | None, typer.Option(help="With commas, by any part of their names; default: all.")]
Data = Annotated[Path, typer.Option(help="A folder of documents and questions, see adapters/data/judged.py.")]
Limit = Annotated[int | None, typer.Option(min=1, help="So many questions, from the first.")]
Out = Annotated[Path, typer.Option(help="Folder for indexes and report; indexes in it are used again.")]
AReader = Annotated[str, typer.Option("--reader", help="What judges evidence, as FORMFACT_READER; default: shipped.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

_INTERVALS = "95 % intervals by bootstrap over them"
_CURVE = (50, 100, 300, 900)
_UNSEEN = Path(__file__).parents[1] / "organisations"


@app.callback()
def bench() -> None:
    """Benchmarks of the parts."""


@app.command()
def classify(
    data: Annotated[Path, typer.Option(help="A folder of JSON lines with text, a label, optionally a split.")],
    label: Annotated[str | None, typer.Option(help="The field of the label; default: the one that can be.")] = None,
    arms: Arms = None,
    seeds: Annotated[int, typer.Option(min=1)] = 1,
    shots: Annotated[int | None, typer.Option(min=1, help="So many rows a label, drawn anew for each seed.")] = None,
    rows: Annotated[int | None, typer.Option(min=2, help="So many rows in all, likewise.")] = None,
    curve: Annotated[bool, typer.Option("--curve", help="Learning curves at 50, 100, 300 and 900 rows.")] = False,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of the trained arms; default: their own.")] = None,
    decoder: Annotated[Path | None, typer.Option(help="Tune this decoder too, by QLoRA: a folder or .gguf.")] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for results, report and plots; runs in it are not repeated.")
    ] = Path("bench"),
    as_json: AsJson = False,
) -> None:
    """Compare cheap and tuned classifiers on the same rows; settings are chosen on train, never on test.

    Examples:
    `formfact bench classify --data ../banking77 --seeds 3`

    `formfact bench classify --data ../tickets --label queue --rows 900 --arms joined,lora --seeds 3`
    """
    from evals.benchmarks import classify_report as report
    from evals.benchmarks.classify import compare
    from evals.benchmarks.datasets import load

    found = load(data, label)
    chosen, command = _arms(arms, decoder is not None), command_line()
    curves = {}
    for size in _CURVE if curve else (rows,):
        title = f"{shots} rows a label" if shots else f"{size} rows" if size else "all rows"
        summaries = compare(
            found, chosen, seeds, (size, shots), epochs, out / "runs", _tracked, str(decoder) if decoder else None
        )
        curves[size] = summaries
        stem = out / f"{found.name}-{title.replace(' ', '-')}"
        text = report.markdown(found, title, summaries, command)
        stem.with_suffix(".md").write_text(text, encoding="utf-8")
        stem.with_suffix(".json").write_text(report.as_json(found, title, summaries, command), encoding="utf-8")
        report.plot_arms(found, title, summaries, stem.with_suffix(".png"))
        typer.echo(stem.with_suffix(".json").read_text()) if as_json else Console().print(Markdown(text))
    if curve:
        report.plot_curves(found, {int(k or 0): v for k, v in curves.items()}, out / f"{found.name}-curves.png")
    Console(stderr=True).print(f"Report and plots: {out}", highlight=False)


@app.command()
def retrieve(
    data: Data,
    arms: Arms = None,
    limit: Limit = None,
    domain: DomainName = "support",
    reader: AReader = "",
    out: Out = Path("bench"),
    as_json: AsJson = False,
) -> None:
    """Compare the indexes, their fusion and the ordering by evidence on the same questions.

    Example: `formfact bench retrieve --data ../conditionalqa --arms dense,fused`
    """
    from evals.benchmarks import retrieve as bench

    with _shelf(data, out, reader, domain) as (found, shelf):
        chosen, questions = _named(arms, bench.ARMS), found.answerable[:limit]
        told = bench.compare(shelf, questions, chosen, shown("Asking"))
        _tell(told, out / f"{found.name}-retrieve", f"{len(questions)} questions; {_INTERVALS}", as_json)


@app.command()
def refuse(
    data: Data,
    arms: Arms = None,
    limit: Limit = None,
    domain: DomainName = "support",
    reader: AReader = "",
    out: Out = Path("bench"),
    as_json: AsJson = False,
) -> None:
    """Compare scores that tell answerable questions from others, and from near misses.

    Near misses are the answerable questions, asked again with what answers them taken out.

    Example: `formfact bench refuse --data ../mtrag`
    """
    from evals.benchmarks import refuse as bench

    with _shelf(data, out, reader, domain) as (found, shelf):
        chosen, questions = _named(arms, bench.ARMS), found.questions[:limit]
        told = bench.compare(shelf, questions, chosen, shown("Asking"))
        _tell(told, out / f"{found.name}-refuse", f"{len(questions)} questions; {_INTERVALS}", as_json)


@app.command()
def ground(
    data: Annotated[Path, typer.Option(help="WiCE's or MTRAG's folder, as they come.")],
    arms: Arms = None,
    limit: Limit = None,
    domain: DomainName = "support",
    reader: AReader = "",
    out: Out = Path("bench"),
    as_json: AsJson = False,
) -> None:
    """Compare scores that tell claims which a source supports from those that it does not.

    Example: `formfact bench ground --data ../wice`
    """
    from adapters.encoder import Encoder
    from adapters.readers import calibrated, scorer_of
    from domains.spec import load_domain
    from evals.benchmarks import ground as bench

    spec = load_domain(domain)
    encoder, claims = Encoder(spec.encoder), bench.load(data)[:limit]
    judge = calibrated(scorer_of(reader, spec, encoder), spec)
    told = bench.compare(claims, _named(arms, bench.ARMS), encoder, judge, shown("Scoring"))
    _tell(told, out / f"{data.name}-ground", f"{len(claims)} claims; {_INTERVALS}", as_json)


@app.command()
def evidence(
    domain: DomainName = "support",
    readers: Annotated[
        list[str] | None, typer.Option("--reader", help="As FORMFACT_READER; may be repeated. Default: shipped, none.")
    ] = None,
    unseen: Annotated[Path, typer.Option(help="Organisations that no reader learnt from.")] = _UNSEEN,
    out: Out = Path("bench"),
    as_json: AsJson = False,
) -> None:
    """Tell how often the sentence that answers comes first, and whether the score knows when none does.

    Example: `formfact bench evidence --reader /tmp/reader --reader none`
    """
    from adapters.readers import calibrated, scorer_of
    from domains.spec import load_domain
    from evals.benchmarks import evidence as bench
    from evals.cases import load
    from ingest.judging import judged_folder
    from retrieval.evidence import Selector
    from retrieval.readings import Readings
    from service.ephemeral import apart

    spec = load_domain(domain)
    others = [judged_folder(p, p / "documents", spec) for p in sorted(unseen.iterdir()) if p.is_dir()]
    with apart(spec) as services:
        scorers = [scorer_of(name, spec, services.encoder) for name in readers or ["", "none"]]
        judges, generally = [calibrated(s, spec) for s in scorers], [calibrated(s) for s in scorers]
        selectors = {j.name: Selector(spec, services.pipeline.retriever, Readings(services.engine, j)) for j in judges}
        results = bench.on_cases(services, selectors, load(spec, "dev"), shown("Asking"))
        results += [bench.on_organisations(judge, others, shown("Asking")) for judge in generally]
    _tell(
        results,
        out / f"{spec.name}-evidence",
        f"development cases, and questions on unseen documents; {_INTERVALS}",
        as_json,
    )


@app.command()
def inject(
    data: Annotated[Path, typer.Option(help="A folder with prompts.jsonl: text, label, kind, source.")],
    domain: DomainName = "support",
    draw: Annotated[int | None, typer.Option(min=1, help="So many plantings, drawn; default: all.")] = None,
    out: Out = Path("bench"),
    as_json: AsJson = False,
) -> None:
    """Plant commands to the machine in documents and tickets, and count how many come back as statements.

    The chat model that FORMFACT_LLM names composes, if one is set; so much the slower.

    Example: `FORMFACT_LLM=local:smollm2 formfact bench inject --data ../prompt_injection --draw 60`
    """
    from domains.spec import load_domain
    from evals.benchmarks import inject as bench
    from evals.cases import load
    from service.ephemeral import apart

    prompts, spec = bench.load(data), load_domain(domain)
    with apart(spec) as services:
        found = bench.attacked(services, load(spec, "dev"), prompts, draw, shown("Asking"))
    _tell(bench.flagged(prompts), out / f"{data.name}-flagged", f"{len(prompts)} texts; {_INTERVALS}", as_json)
    _tell(found, out / f"{data.name}-planted", f"{sum(f.tries for f in found)} plantings; {_INTERVALS}", as_json)


@app.command()
def verify(
    claims: Annotated[
        Path | None, typer.Option(help="JSON lines of claim, quote, kind; default: cases/claims.jsonl of the domain.")
    ] = None,
    domain: DomainName = "support",
    out: Out = Path("bench"),
    as_json: AsJson = False,
) -> None:
    """Tell how many false claims verification lets pass, and how many true ones it stops.

    Example: `formfact bench verify`
    """
    from domains.spec import load_domain
    from evals.benchmarks.verify import checked, load

    path = claims or load_domain(domain).folder / "cases" / "claims.jsonl"
    found = load(path)
    _tell(checked(found), out / f"{path.stem}-verified", f"{len(found)} claims; {_INTERVALS}", as_json)


@app.command()
def speed(
    domain: DomainName = "support",
    clients: Annotated[str, typer.Option(help="Numbers of clients, with commas.")] = "1,16",
    rounds: Annotated[int, typer.Option(min=1, help="Number of rounds; the medians are shown.")] = 5,
    seconds: Annotated[float, typer.Option(min=1, help="Of each round.")] = 15.0,
    out: Out = Path("bench"),
    as_json: AsJson = False,
) -> None:
    """Answer tickets over HTTP beside the service that most teams would write first (needs langchain-chroma).

    Example: `formfact bench speed --rounds 3`
    """
    from domains.spec import load_domain
    from evals.benchmarks.speed import SpeedPlan, measure
    from evals.cases import load

    spec = load_domain(domain)
    plan = SpeedPlan(tuple(int(n) for n in clients.split(",")), rounds, seconds)
    place = out / "speed"
    place.mkdir(parents=True, exist_ok=True)
    found = measure(spec, place, load(spec, "dev"), plan, shown("Asking"))
    _tell(found, out / "speed", f"{rounds} rounds of {seconds:.0f} s each, in turns", as_json)


@contextmanager
def _shelf(data: Path, out: Path, reader: str, name: str) -> Iterator[tuple[JudgedSet, Corpus]]:
    """The data set of a folder, published in a folder below `out` that its texts name."""
    from adapters.encoder import Encoder
    from adapters.readers import calibrated, scorer_of
    from domains.spec import load_domain
    from evals.benchmarks.corpus import shelved
    from evals.benchmarks.passage_sets import load

    found, domain = load(data), load_domain(name)
    encoder = Encoder(domain.encoder)
    judge = calibrated(scorer_of(reader, domain, encoder), domain)
    content = hashlib.sha256(repr((found.texts, encoder.fingerprint, judge.name)).encode()).hexdigest()[:12]
    place = out / "shelves" / content
    with shelved(found, place, domain, encoder, judge, shown("Publishing")) as shelf:
        yield found, shelf


def _tell(figures: Sequence[Any], stem: Path, over: str, as_json: bool) -> None:
    """Print one row an arm, and keep it as Markdown and JSON."""
    head = [c.name.replace("_", " ") for c in fields(figures[0])]
    rows = (["" if (v := getattr(f, c.name)) is None else str(v) for c in fields(f)] for f in figures)
    found = measured(over, head, rows)
    told = found.as_json(arms=[asdict(f) for f in figures])
    stem.parent.mkdir(parents=True, exist_ok=True)
    stem.with_suffix(".md").write_text(found.as_markdown() + "\n", encoding="utf-8")
    stem.with_suffix(".json").write_text(told, encoding="utf-8")
    typer.echo(told, nl=False) if as_json else found.show(Console())


def _tracked(pairs: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    for arm, seed in shown("Comparing")(pairs):
        Console(stderr=True).print(f"{arm}, seed {seed}", highlight=False)
        yield arm, seed


def _arms(stated: str | None, with_decoder: bool) -> list[str]:
    """The classifiers that are called; all that can run by default."""
    from evals.benchmarks.arms import ARMS, QLORA

    return _named(stated, [arm for arm in ARMS if with_decoder or arm != QLORA])


def _named(stated: str | None, there: Sequence[str]) -> list[str]:
    """The arms that are called by any part of their names, or exactly; all by default."""
    from domains.spec import InvalidInput

    chosen: set[str] = set()
    for part in (p.strip().casefold() for p in (stated or "").split(",") if p.strip()):
        found = [a for a in there if a.casefold() == part] or [a for a in there if part in a.casefold()]
        if not found:
            raise InvalidInput(f"--arms: nothing is called {part}.", f"There are: {', '.join(there)}.", "arms")
        chosen |= set(found)
    return [arm for arm in there if arm in chosen] or list(there)
