"""The benchmark of grounding: does a score tell claims that a source supports from those that it does not?

Two public sets are read as they come: WiCE (claims of an encyclopedia with the page that they cite; those supported in
part are left out) and the answers of MTRAG that people scored for faithfulness to their passages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from langchain_core.embeddings import Embeddings
from scipy.stats import spearmanr

from adapters.data.judged import json_lines
from domains.spec import InvalidInput
from evals.intervals import Interval, of_auroc, of_pairs
from retrieval.lexical import idf, tokens
from retrieval.readings import Reader
from retrieval.sentences import sentence_spans
from service.verify import borne_out

COSINE, READER, WORDS, RARE, BOTH = (
    "highest cosine",
    "evidence reader",
    "share of words (verify)",
    "… rare ones weighing more",
    "cosine + rare words",
)
ARMS = (COSINE, READER, WORDS, RARE, BOTH)
_SUPPORTED = {"supported": 1.0, "not_supported": 0.0}


@dataclass(frozen=True, slots=True)
class LabelledClaim:
    """A claim, the sentences of its source, and how far people held it to be supported."""

    text: str
    source: tuple[str, ...]
    support: float


@dataclass(frozen=True, slots=True)
class Grounded:
    """The figures of one score; None where the people's marks are of the other kind."""

    arm: str
    auroc: Interval | None  # supported against not supported, 0..1
    rank_correlation: Interval | None  # with the people's scores (Spearman 1904), -1..1


def load(folder: Path) -> tuple[LabelledClaim, ...]:
    """Read `claims.jsonl.gz` (WiCE), or `human_evaluations.jsonl` with `passages.jsonl` (MTRAG).

    Raises:
        InvalidInput: the folder holds neither.
    """
    if (folder / "claims.jsonl.gz").is_file():
        rows = json_lines(folder / "claims.jsonl.gz", ("claim", "evidence", "label"))
        told = [r for r in rows if r["label"] in _SUPPORTED]
        return tuple(LabelledClaim(r["claim"], tuple(r["evidence"]), _SUPPORTED[r["label"]]) for r in told)
    if (folder / "human_evaluations.jsonl").is_file():
        texts = {
            r["id"]: [r["text"][a:b] for a, b in sentence_spans(r["text"])]
            for r in json_lines(folder / "passages.jsonl", ("id", "text"))
        }
        rows = json_lines(folder / "human_evaluations.jsonl", ("response", "context_ids", "scores"))
        return tuple(_scored(r, texts) for r in rows if r["scores"].get("faithfulness") and r["context_ids"])
    raise InvalidInput(f"{folder} holds no claims.", "Give a folder with claims.jsonl.gz or human_evaluations.jsonl.")


def compare(
    claims: Sequence[LabelledClaim],
    arms: Sequence[str],
    embedder: Embeddings,
    reader: Reader,
    track: Callable[[Sequence[LabelledClaim]], Iterator[LabelledClaim]],
) -> list[Grounded]:
    """Score every claim with each arm."""
    weights = _rarity(claims)
    told = [_scores(claim, embedder, reader, weights) for claim in track(claims)]
    return [_figures(arm, [t[arm] for t in told], [c.support for c in claims]) for arm in arms]


def _scores(
    claim: LabelledClaim, embedder: Embeddings, reader: Reader, weights: Mapping[str, float]
) -> dict[str, float]:
    page = " ".join(claim.source)
    vectors = np.asarray(embedder.embed_documents([claim.text, *claim.source]), dtype=np.float32)
    cosine = float((vectors[1:] @ vectors[0]).max())
    judged = float(reader.judge((claim.text, ""), reader.read([(s, "") for s in claim.source])).max())
    words = set(tokens(claim.text))
    total = sum(weights[w] for w in words) or 1.0
    rare = sum(weights[w] for w in words & set(tokens(page))) / total
    return {COSINE: cosine, READER: judged, WORDS: borne_out(claim.text, page), RARE: rare, BOTH: cosine + rare}


def _rarity(claims: Sequence[LabelledClaim]) -> dict[str, float]:
    """Word -> how rare it is among the sources."""
    pages = [set(tokens(" ".join(c.source))) for c in claims]
    counts = Counter(word for page in pages for word in page)
    return {w: idf(counts[w], len(pages)) for c in claims for w in tokens(c.text)}


def _figures(arm: str, scores: Sequence[float], support: Sequence[float]) -> Grounded:
    if set(support) <= set(_SUPPORTED.values()):
        return Grounded(arm, of_auroc([s == 1.0 for s in support], scores), None)
    return Grounded(arm, None, of_pairs(scores, support, lambda a, b: float(spearmanr(a, b).statistic)))


def _scored(row: Mapping[str, object], texts: Mapping[str, list[str]]) -> LabelledClaim:
    scores, ids = row["scores"], row["context_ids"]
    assert isinstance(scores, dict) and isinstance(ids, list)  # noqa: PT018 -- the set's own layout
    people = float(np.mean([float(s) for s in scores["faithfulness"]]))
    return LabelledClaim(str(row["response"]), tuple(s for i in ids for s in texts.get(str(i), [])), people)
