"""Read generated files of every format, and count what is lost, added, published though hidden, or wrong in a table.

    python -m tests.faithful --times 500
    python -m tests.faithful --format docx --seed 17      # one file: every failure, and the stored text

With `--chromium` the generators themselves are checked: what they call visible in a web page or a mail in HTML is
compared with what Chromium shows.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from domains.spec import InvalidInput
from ingest.blocks import render
from ingest.readers import read
from tests.generated_files import FORMATS, Fact, Generated, generate
from tests.generators.references import chromium, differences
from tests.generators.words import positions, words

EXAMPLES = 4  # seeds that are shown of each kind of failure


@dataclass
class Outcome:
    """What reading one file gave: each list holds words or facts, with the feature that wrote them."""

    seed: object
    refused: str = ""
    visible: int = 0
    lost: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    phrases: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    disorder: list[str] = field(default_factory=list)
    unreported: list[str] = field(default_factory=list)

    def failures(self) -> dict[str, list[str]]:
        """The lists that are not empty."""
        return {name: value for name, value in asdict(self).items() if isinstance(value, list) and value}


def compare(file: Generated, text: str, left_out: Iterable[str] = (), seed: object = "") -> Outcome:
    """A generated file against its stored text and what the reader reports as left out."""
    found = Counter(words(text))
    out = Outcome(seed, visible=len(file.visible))
    named = lambda word: f"{word} ({file.features.get(word, 'common word')})"  # noqa: E731
    for word, count in Counter(file.visible).items():
        missing = count - found[word] - others(file, word, found)
        out.lost += [named(word)] * max(0, missing)
    known = (
        set(file.visible)
        | file.optional
        | set(file.hidden)
        | set(words(" ".join((*file.addresses, *sum(file.same.values(), ())))))
    )
    out.added = [f"{word} (not in the file)" for word in found.elements() if word not in known]
    out.doubled = [named(word) for word in sorted(file.once) if found[word] > 1]
    out.hidden = [named(word) for word in file.hidden if found[word]]
    lines = [words(line) for line in text.split("\n")]
    out.facts = [
        f"{f.row}, {f.columns}: {f.value} ({blamed(file, f.value)})"
        for f in file.rows
        if not any(states(line, f) for line in lines)
    ]
    out.phrases = [
        f"{p} ({blamed(file, p)})" for p in file.phrases if not any(positions(words(p), line) for line in lines)
    ]
    out.addresses = [named(words(a)[-1]) for a in file.addresses if a not in text]
    out.disorder = [named(word) for word in moved([w for w in file.ordered if found[w] == 1], words(text))]
    reported = " ".join(left_out).casefold()
    out.unreported = [
        f"{u.value} ({blamed(file, u.value)})"
        for u in file.unread
        if not all(found[w] for w in words(u.value)) and not any(m.casefold() in reported for m in u.mentions)
    ]
    return out


def others(file: Generated, word: str, found: Counter[str]) -> int:
    """How often another way to write a word is in the text."""
    return sum(min(found[w] for w in words(other)) for other in file.same.get(word, ()) if words(other))


def blamed(file: Generated, text: str) -> str:
    """The feature that wrote a text: that of its first word that is not common to all."""
    return next((file.features[w] for w in words(text) if w in file.features), "common word")


def states(line: Sequence[str], fact: Fact) -> bool:
    """Is a fact on a line: its row's names and its value, and before the value its own column's name as the nearest one?"""
    line = list(line)
    if not all(positions(words(part), line) for part in (*fact.row, *fact.columns)):
        return False
    return any(
        all(nearest(level, line[:at]) == own for level, own in zip(fact.levels, fact.columns, strict=False))
        for value in (fact.value, *fact.others)
        for at in positions(words(value), line)
    )


def nearest(names: Iterable[str], before: list[str]) -> str:
    """The name that occurs last; the longer one where two begin at the same word."""
    found = [(place[-1], len(words(name)), name) for name in names if (place := positions(words(name), before))]
    return max(found)[2] if found else ""


def moved(expected: Sequence[str], text: Sequence[str]) -> list[str]:
    """The words outside the longest run of expected words that keeps their order."""
    place = {word: at for at, word in enumerate(text)}
    chains: list[tuple[int, list[str]]] = []  # for each length, the chain that ends soonest
    for word in expected:
        at = place[word]
        fits = [c for c in chains if c[0] < at]
        chain = (at, [*(fits[-1][1] if fits else []), word])
        length = len(chain[1])
        if length > len(chains):
            chains.append(chain)
        elif chains[length - 1][0] > at:
            chains[length - 1] = chain
    kept = set(chains[-1][1]) if chains else set()
    return [word for word in expected if word not in kept]


def outcome(format_name: str, seed: object) -> tuple[Outcome, str]:
    """One file: what reading it gave, and the stored text."""
    file = generate(format_name, seed)
    try:
        reading = read(file.filename, file.data)
    except InvalidInput as refusal:
        return Outcome(seed, refused=str(refusal), visible=len(file.visible)), ""
    text = render(reading.blocks)
    return compare(file, text, [f"{gone.what} {gone.where}" for gone in reading.left_out], seed), text


def summary(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """Counts of a format, and for every kind of failure the features and seeds that it came from."""
    visible = sum(o.visible for o in outcomes if not o.refused)
    counts: dict[str, object] = {
        "files": len(outcomes),
        "refused": sum(bool(o.refused) for o in outcomes),
        "visible_words": visible,
    }
    kinds = [name for name, value in asdict(Outcome(0)).items() if isinstance(value, list)]
    for kind in kinds:
        counts[kind] = sum(len(getattr(o, kind)) for o in outcomes)
    for kind in ("lost", "added"):
        counts[f"{kind}_share"] = round(int(str(counts[kind])) / max(1, visible), 6)
    counts["examples"] = {kind: examples(outcomes, kind) for kind in kinds if counts[kind]}
    counts["refusals"] = [f"{o.seed}: {o.refused}" for o in outcomes if o.refused][:EXAMPLES]
    return counts


def examples(outcomes: Sequence[Outcome], kind: str) -> dict[str, str]:
    """By feature: how many files failed, and the first seeds with one example."""
    seeds: dict[str, dict[object, str]] = {}
    for o in outcomes:
        for failure in getattr(o, kind):
            feature = failure.rpartition("(")[2].rstrip(")")
            seeds.setdefault(feature, {}).setdefault(o.seed, failure)
    ranked = sorted(seeds.items(), key=lambda item: -len(item[1]))
    return {
        feature: f"{len(found)} files, seeds {', '.join(str(s) for s in list(found)[:EXAMPLES])}; {next(iter(found.values()))}"
        for feature, found in ranked
    }


def check_generators(formats: Sequence[str], seeds: Sequence[object]) -> int:
    """Compare generated pages and mails with what Chromium shows; prints and counts the differences."""
    wrong = 0
    with chromium() as shown:
        for format_name in formats:
            for seed in seeds:
                file = generate(format_name, seed)
                found = differences(file, shown(file.page)) if file.page else []
                wrong += len(found)
                for difference in found:
                    print(f"{format_name} {seed}: {difference}")
    return wrong


def report(format_name: str, counts: dict[str, object]) -> None:
    """Print one format's counts for people."""
    shown = {k: v for k, v in counts.items() if k not in ("examples", "refusals")}
    print(f"{format_name}: " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in shown.items()))
    for refusal in counts["refusals"]:
        print(f"  refused, seed {refusal}")
    for kind, features in counts["examples"].items():
        for feature, example in features.items():
            print(f"  {kind}: {feature}: {example}")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=100, help="files of each format")
    parser.add_argument("--format", choices=list(FORMATS), action="append", help="only this format; may be repeated")
    parser.add_argument("--seed", help="only this file; prints its failures and its stored text")
    parser.add_argument("--write", type=Path, help="with --seed: write the file into this folder")
    parser.add_argument("--chromium", action="store_true", help="check the generators instead of the readers")
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args()
    formats = asked.format or list(FORMATS)
    seeds: Sequence[object] = [asked.seed] if asked.seed else range(asked.times)
    if asked.chromium:
        return bool(check_generators([f for f in formats if f in ("html", "eml")], seeds))
    if asked.seed:
        return show(formats, asked.seed, asked.write)
    counted = {name: summary([outcome(name, seed)[0] for seed in seeds]) for name in formats}
    if asked.json:
        print(json.dumps(counted, indent=1, ensure_ascii=False))
    else:
        for name, counts in counted.items():
            report(name, counts)
    return 0


def show(formats: Sequence[str], seed: str, folder: Path | None) -> int:
    """One seed's failures and stored text; writes the files where a folder is named."""
    for name in formats:
        if folder:
            file = generate(name, seed)
            (folder / file.filename).write_bytes(file.data)
        found, text = outcome(name, seed)
        print(text)
        print(json.dumps({"format": name, "refused": found.refused, **found.failures()}, indent=1, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
