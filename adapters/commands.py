"""`formfact adapters …`: what needs no service. The registry's commands stand in service/cli/adapter_commands.py."""

from __future__ import annotations

import shlex
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from domains.commands import DomainName
from domains.seal import fingerprint, open_sealed, openings
from domains.spec import Conflict, Domain, load_domain

app = typer.Typer(no_args_is_help=True)

Data = Annotated[
    Path | None, typer.Option(help="A data set: train.jsonl, holdout.jsonl. Default: the domain's tickets.")
]


@app.command()
def train(
    domain: DomainName = "support",
    data: Data = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write; default: the domain's adapter/, if there is none yet.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="lora, or joined: linear heads alone, in seconds.")] = None,
    rank: Annotated[int | None, typer.Option(min=1, help="Default: see adapters/recipe.py, as for the others.")] = None,
    targets: Annotated[str | None, typer.Option(help="Layers, with commas, or all-linear.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    patience: Annotated[int | None, typer.Option(min=1)] = None,
    batch: Annotated[int | None, typer.Option(min=1)] = None,
    learning_rate: Annotated[float | None, typer.Option(min=1e-6)] = None,
    contrast: Annotated[float | None, typer.Option(min=0)] = None,
    averaging: Annotated[float | None, typer.Option(min=0, max=0.9999)] = None,
    class_weights: Annotated[bool | None, typer.Option("--class-weights")] = None,
    folds: Annotated[
        int | None, typer.Option(min=1, max=20, help="Number of cross-fitting folds for the thresholds; 1: none.")
    ] = None,
    seed: Annotated[int | None, typer.Option()] = None,
    with_card: Annotated[bool, typer.Option("--card/--no-card", help="Open the holdout once for the figures.")] = True,
) -> None:
    """Train the labelling adapter on the domain's tickets, calibrate it, and write its card.

    A training that was cut off goes on from its last epoch when the same command is given again.

    Example: `formfact adapters train --domain support --epochs 8 --out /tmp/adapter`
    """
    from adapters.data import rows
    from adapters.encoder import Encoder
    from adapters.message_tagger import MessageTagger
    from adapters.recipe import Recipe
    from adapters.train import train as run

    stated = locals()
    spec = load_domain(domain)
    tickets = (data or spec.folder / "tickets") / "train.jsonl"
    target = _target(spec, out)
    if with_card and not (tickets.parent / "holdout.jsonl").is_file():
        Console(stderr=True).print(f"No card is written: {tickets.parent / 'holdout.jsonl'} is not there.")
        with_card = False
    encoder = Encoder(spec.encoder)
    split = rows.split(rows.load(tickets, spec.label_names, MessageTagger(encoder).scrub))
    chosen = {f.name: stated[f.name] for f in fields(Recipe) if stated.get(f.name) is not None}
    recipe = replace(Recipe(), **chosen)
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("Training", total=1.0)
        run(
            encoder.base,
            spec.label_names,
            spec.risks,
            split,
            fingerprint(tickets),
            recipe,
            target,
            lambda what, done: bar.update(task, description=what, completed=done),
        )
    if with_card:
        _card(spec, target, data)


def _target(spec: Domain, out: Path | None) -> Path:
    """Where an adapter is written; what a domain ships is replaced only by name.

    Raises:
        Conflict: the domain has an adapter, and no other folder is named.
    """
    if out is None and (spec.folder / "adapter").exists():
        raise Conflict(f"{spec.folder / 'adapter'} is there.", "Name a folder with --out; the same one replaces it.")
    return out or spec.folder / "adapter"


@app.command()
def card(
    domain: DomainName = "support",
    folder: Annotated[Path | None, typer.Option(help="Adapter folder; default: the domain's adapter/.")] = None,
    data: Data = None,
) -> None:
    """Measure an adapter on the sealed holdout beside the cheap methods, and write its card.

    Example: `formfact adapters card --domain support`
    """
    spec = load_domain(domain)
    _card(spec, folder or spec.folder / "adapter", data)


@app.command()
def train_tagger(
    data: Annotated[Path | None, typer.Option(help="Folder of marked messages; default: the shipped ones.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write; default: the shipped tagger's.")] = None,
    encoder: Annotated[str, typer.Option(help="Path or hub id; default: the shipped encoder.")] = "",
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Train the message tagger, which marks questions, persons and addresses, and measure it on messages kept for that.

    Example: `formfact adapters train-tagger --out /tmp/tagger`
    """
    from adapters import message_training as training
    from adapters.base import SHIPPED, SentenceBase
    from adapters.message_tagger import KINDS, save
    from adapters.message_tagger import SHIPPED as TAGGER

    files = sorted((data or training.DATA).glob("*.jsonl"))
    learnt, kept = training.split([message for path in files for message in training.read_messages(path)])
    recipe = replace(training.RECIPE, epochs=epochs or training.RECIPE.epochs, seed=seed)
    base = SentenceBase(encoder or SHIPPED)
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("Training", total=1.0)
        tagger = training.train(
            base, learnt, recipe, lambda what, done: bar.update(task, description=what, completed=done)
        )
    name = save(tagger, base, len(learnt), recipe, out or TAGGER)
    console = Console()
    console.print(f"{name}: learnt from {len(learnt)} messages", highlight=False)
    for kind in KINDS:
        found = training.measure(training.found_by(base, tagger), kept, kind)
        console.print(
            f"{kind.lower()}, {found.messages} other messages: precision {found.precision:.3f}, "
            f"recall {found.recall:.3f}, each one and nothing else {found.whole:.3f}",
            highlight=False,
        )


@app.command()
def calibrate(
    domain: DomainName = "support",
    folder: Annotated[Path | None, typer.Option(help="Adapter folder; default: the domain's adapter/.")] = None,
    data: Data = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write; default: the same one.")] = None,
) -> None:
    """Recompute the thresholds of an adapter for the risks in domain.yaml. The weights stay the same, the id changes.

    Example: `formfact adapters calibrate --out /tmp/adapter`
    """
    from adapters.classifier import AdapterClassifier
    from adapters.data import rows
    from adapters.encoder import Encoder
    from adapters.message_tagger import MessageTagger
    from adapters.train import recalibrate

    spec = load_domain(domain)
    tickets = (data or spec.folder / "tickets") / "train.jsonl"
    source, encoder = folder or spec.folder / "adapter", Encoder(spec.encoder)
    split = rows.split(rows.load(tickets, spec.label_names, MessageTagger(encoder).scrub))
    classifier = AdapterClassifier(encoder, source, spec)
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("Training", total=1.0)
        done = recalibrate(
            classifier,
            encoder.base,
            spec.risks,
            split,
            fingerprint(tickets),
            out or source,
            lambda what, done: bar.update(task, description=what, completed=done),
        )
    for name, threshold in done.thresholds.items():
        told = "always abstains" if threshold > 1 else f"abstains below {threshold:.3f}"
        Console().print(f"{name}: {told}", highlight=False)


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="A folder to make.")],
    domain: DomainName = "support",
    folder: Annotated[Path | None, typer.Option(help="Adapter folder; default: the domain's adapter/.")] = None,
    to: Annotated[str, typer.Option(help="peft, or onnx: int8, measured on rows that it did not learn from.")] = "peft",
) -> None:
    """Write an adapter for other programs.

    Examples: `formfact adapters export /tmp/peft` · `formfact adapters export /tmp/onnx --to onnx`
    """
    from dataclasses import asdict

    from adapters.classifier import AdapterClassifier
    from adapters.data import rows
    from adapters.encoder import Encoder
    from adapters.export import to_onnx, to_peft
    from adapters.message_tagger import MessageTagger
    from adapters.train import calibrating
    from domains.spec import InvalidInput

    if to not in ("peft", "onnx"):
        raise InvalidInput(f"--to: `{to}` is not known.", "Say peft or onnx.", "to")
    spec = load_domain(domain)
    encoder = Encoder(spec.encoder)
    classifier = AdapterClassifier(encoder, folder or spec.folder / "adapter", spec)
    if to == "peft":
        to_peft(classifier, out)
        return
    split = rows.split(
        rows.load(spec.folder / "tickets" / "train.jsonl", spec.label_names, MessageTagger(encoder).scrub)
    )
    for name, value in asdict(to_onnx(classifier, encoder, calibrating(split), out)).items():
        Console().print(f"{name.replace('_', ' ')}: {value}", highlight=False)


def _card(spec: Domain, folder: Path, data: Path | None) -> None:
    from adapters.card import CardInputs, evaluate, verdict, write_card
    from adapters.classifier import AdapterClassifier
    from adapters.data import rows
    from adapters.data.personal import detection
    from adapters.data.quality import agreement
    from adapters.data.sources import annotated, annotator_pairs
    from adapters.encoder import Encoder
    from adapters.message_tagger import MessageTagger

    tickets = data or spec.folder / "tickets"
    encoder, console = Encoder(spec.encoder), Console()
    scrub = MessageTagger(encoder).scrub
    split = rows.split(rows.load(tickets / "train.jsonl", spec.label_names, scrub))
    holdout = rows.scrubbed(rows.read(open_sealed(tickets / "holdout.jsonl"), spec.label_names), scrub)
    classifier = AdapterClassifier(encoder, folder, spec)
    with console.status("Measuring on the holdout"):
        figures = evaluate(classifier, encoder, split, holdout)
    recipe = classifier.manifest.recipe
    facts = {
        "id": classifier.id,
        "base_model": classifier.base_model,
        "domain": spec.fingerprint,
        "training_data": f"{len(split.train)} tickets, {len(split.validation)} to choose by, "
        f"{len(split.calibration)} to calibrate with ({fingerprint(tickets / 'train.jsonl')})",
        "holdout": f"{len(holdout)} sealed tickets ({fingerprint(tickets / 'holdout.jsonl')}), "
        f"opened {openings(tickets / 'holdout.jsonl')} times since openings are counted",
        "method": f"{recipe['method']}, rank {recipe['rank']}, {recipe['targets']} layers, one head a field",
        "licence": "MIT",
        "command": shlex.join(["formfact", *sys.argv[1:]]),
    }
    marked = tickets / "personal.jsonl"
    found = detection(marked, tickets / "train.jsonl", "test", scrub) if marked.is_file() else {}
    pairs = annotator_pairs(annotated(tickets, spec.label_names))
    grounds = CardInputs(agreement(pairs, spec.label_names, spec.ordinal), found)
    write_card(folder, spec, figures, grounds, facts)
    for name, field in figures.items():
        console.print(f"{name}: {verdict(field)}", highlight=False)
