"""`formfact adapters …-evidence`: train, calibrate and judge the reader that says which sentence answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, combinations, product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from domains.commands import DomainName
from domains.spec import Domain, load_domain

if TYPE_CHECKING:
    from adapters.data.judged import JudgedSet

SHIPPED = Path(__file__).parents[2] / "adapters" / "data" / "organisations"

Also = Annotated[
    list[Path] | None,
    typer.Option("--also", help="A folder of questions, in place of the thirty organisations; may be repeated."),
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (train_evidence, average_evidence, calibrate_evidence, list_evidence, judge_evidence):
        app.command()(command)


def train_evidence(
    domain: DomainName = "support",
    also: Also = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write; default: evidence/adapter of the domain.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    rank: Annotated[int | None, typer.Option(min=1)] = None,
    seed: Annotated[int, typer.Option()] = 0,
    start: Annotated[
        Path | None, typer.Option(help="Folder of a reader to start from, as adapters/reader; default: the encoder.")
    ] = None,
    rate: Annotated[float | None, typer.Option(min=0, help="Learning rate at its peak; lower with --start.")] = None,
) -> None:
    """Train the evidence reader: which sentence answers a question, whatever it says. Then calibrate it.

    It learns from the questions on the domain's own documents (`evidence/questions.jsonl`) and from those of other
    organisations; a folder of public data (`documents.jsonl`, `questions.jsonl`) may be among them. A tenth of the
    questions is kept to calibrate with. A training that was cut off goes on from its last epoch when the same command
    is given again.

    Examples: `formfact adapters train-evidence --out /tmp/reader`

    `formfact adapters train-evidence --start adapters/reader --epochs 1 --rate 1e-4` (from the shipped reader on)
    """
    from adapters.base import SentenceBase
    from adapters.evidence import manifest_of, save
    from adapters.evidence_training import RECIPE, train
    from service.settings import Settings

    spec = load_domain(domain)
    with _shown() as (bar, task):
        shelves = [_own(spec), *_others(spec, also, bar, task)]
        base = SentenceBase(Settings().encoder or spec.encoder)
        peak = RECIPE.learning_rate if rate is None else rate
        heads = RECIPE.head_learning_rate * peak / RECIPE.learning_rate
        chosen = replace(
            RECIPE,
            epochs=epochs or RECIPE.epochs,
            rank=rank or RECIPE.rank,
            seed=seed,
            learning_rate=peak,
            head_learning_rate=heads,
        )
        target = out or spec.folder / "evidence" / "adapter"
        checkpoint = target.with_name(f"{target.name}.checkpoint.safetensors")
        target.parent.mkdir(parents=True, exist_ok=True)
        reader = train(
            base,
            shelves,
            chosen,
            lambda what, done: bar.update(task, description=what, completed=done),
            checkpoint,
            start,
            _records(spec),
        )
    manifest = save(reader, base, shelves, chosen, target, manifest_of(start).id if start else "")
    checkpoint.unlink()
    Console().print(f"{manifest.id}: {manifest.answerable + manifest.unanswerable} questions", highlight=False)


def average_evidence(
    start: Annotated[Path, typer.Argument(help="Folder of a reader.")],
    trained: Annotated[Path, typer.Argument(help="Folder of the one that was trained from it.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    share: Annotated[float, typer.Option(min=0, max=1, help="Of the trained one.")] = 0.7,
    domain: DomainName = "support",
) -> None:
    """Average a reader with the one that was trained from it: better on documents that neither has seen.

    Example: `formfact adapters average-evidence adapters/reader /tmp/trained --out /tmp/averaged`
    """
    from adapters.base import SentenceBase
    from adapters.evidence import average
    from service.settings import Settings

    base = SentenceBase(Settings().encoder or load_domain(domain).encoder)
    Console().print(f"{average(start, trained, share, base, out).id}: {out}", highlight=False)


def calibrate_evidence(
    domain: DomainName = "support",
    reader: Annotated[str, typer.Option(help="As FORMFACT_READER, which is the default.")] = "",
    also: Also = None,
    risk: Annotated[
        float | None, typer.Option(min=0.001, max=0.9, help="Default: evidence_risk of the domain.")
    ] = None,
    general: Annotated[
        bool, typer.Option("--general", help="By questions on thirty other organisations, not by the domain's own.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder to write into; default: evidence/ of the domain.")] = None,
) -> None:
    """Fit the probability that a text answers, and from which one on it is told, on questions kept from training.

    Examples: `formfact adapters calibrate-evidence` · `formfact adapters calibrate-evidence --reader none`
    """
    from adapters.encoder import Encoder
    from adapters.evidence_calibration import calibrate
    from adapters.readers import keep, scorer_of
    from service.settings import Settings

    spec = load_domain(domain)
    with _shown() as (bar, task):
        shelves = _others(spec, also, bar, task) if general else [_own(spec), *_others(spec, also or [], bar, task)]
        settings = Settings()
        scorer = scorer_of(reader or settings.reader, spec, Encoder(settings.encoder or spec.encoder))
        found = calibrate(
            scorer,
            shelves,
            risk or spec.evidence_risk,
            spec.evidence_risk_unlabelled,
            lambda what, done: bar.update(task, description=what, completed=done),
        )
    keep(scorer, found, out or spec.folder / "evidence")
    if found.sufficient > 1:
        told = f"never answers: at no probability were at most {found.risk:.0%} of the answers wrong; allow more --risk"
    else:
        told = f"answers from a probability of {found.sufficient:.3f} on, for at most {found.risk:.0%} wrong answers"
    Console().print(f"{scorer.name} {told}; fitted on {found.questions} questions", highlight=False)


def list_evidence(
    out: Annotated[Path, typer.Argument(help="File to write: a list a line, for somebody to judge.")],
    folder: Annotated[
        Path | None, typer.Option(help="A folder of questions; default: evidence/ of the domain.")
    ] = None,
    domain: DomainName = "support",
    reader: Annotated[str, typer.Option(help="As FORMFACT_READER, which is the default.")] = "",
    draw: Annotated[int, typer.Option(min=1, help="So many questions, drawn.")] = 100,
    kept: Annotated[bool, typer.Option("--kept", help="Of those that are kept to calibrate with.")] = False,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Write what a reader puts first for training questions, ten texts each, for a person to judge.

    Example: `formfact adapters list-evidence lists.jsonl --draw 300`, then `formfact adapters judge-evidence`
    """
    from adapters.encoder import Encoder
    from adapters.evidence_lists import lists
    from adapters.readers import scorer_of
    from ingest.judging import judged_folder
    from service.settings import Settings

    spec = load_domain(domain)
    own, documents = _place(spec, folder)
    settings = Settings()
    scorer = scorer_of(reader or settings.reader, spec, Encoder(settings.encoder or spec.encoder))
    found = lists(scorer, judged_folder(own, documents, spec), draw, seed, kept)
    out.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in found), encoding="utf-8")
    Console().print(f"{len(found)} lists: {out}", highlight=False)


def judge_evidence(
    lists: Annotated[Path, typer.Argument(help="What `list-evidence` wrote.")],
    judgements: Annotated[Path, typer.Argument(help="Lines of id, answers, helps, misleads: numbers of candidates.")],
    folder: Annotated[
        Path | None, typer.Option(help="A folder of questions; default: evidence/ of the domain.")
    ] = None,
    domain: DomainName = "support",
) -> None:
    """Take in what a person said of lists: the next training learns from the reader's own mistakes.

    Example: `formfact adapters judge-evidence lists.jsonl judgements.jsonl`
    """
    from adapters.data.judged import json_lines
    from ingest.judging import take_in

    spec = load_domain(domain)
    own, documents = _place(spec, folder)
    count = take_in(own, documents, spec, list(json_lines(lists, ("id", "candidates"))), list(json_lines(judgements)))
    Console().print(f"{count} questions judged: {own / 'questions.jsonl'}", highlight=False)


def _place(spec: Domain, folder: Path | None) -> tuple[Path, Path]:
    """The folder of questions, and that of the documents which they are about."""
    return (folder, folder / "documents") if folder else (spec.folder / "evidence", spec.folder / "documents")


def _records(spec: Domain) -> list[str]:
    """Customer records with one or two of the domain's slots, worded as in a ticket."""
    from service.ticket import Ticket

    known = [[(name, value) for value in slot.values] for name, slot in spec.slots.items()]
    pairs = [pair for these, those in combinations(known, 2) for pair in product(these, those)]
    alone = [(one,) for one in chain.from_iterable(known)]
    return [Ticket("", customer=dict(slots)).record for slots in (*alone, *pairs)]


@contextmanager
def _shown() -> Iterator[tuple[Progress, TaskID]]:
    with Progress(console=Console(stderr=True), transient=True) as bar:
        yield bar, bar.add_task("Reading documents", total=1.0)


def _own(spec: Domain) -> JudgedSet:
    """The questions on the domain's own documents."""
    from ingest.judging import judged_folder

    return judged_folder(spec.folder / "evidence", spec.folder / "documents", spec)


def _others(spec: Domain, also: list[Path] | None, bar: Progress, task: TaskID) -> list[JudgedSet]:
    """The questions of other folders; None: of the thirty organisations."""
    from ingest.judging import judged_folder

    folders = sorted(p for p in SHIPPED.iterdir() if p.is_dir()) if also is None else also
    found = []
    for n, folder in enumerate(folders):
        bar.update(task, completed=n / len(folders))
        found.append(judged_folder(folder, folder / "documents", spec))
    return found
