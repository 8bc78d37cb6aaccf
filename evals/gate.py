"""The gate: an adapter answers the development cases; it has to reach the domain's floors, and not be worse than live.

Floors and ceilings stand in `gate.yaml` of the domain's folder.
"""

from __future__ import annotations

import operator
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console
from rich.progress import track
from scipy.stats import binomtest

from adapters.active import PinnedClassifier
from adapters.classifier import AdapterClassifier, Classifier
from adapters.store import AdapterStore, Verdict
from adapters.tables import BASELINES
from domains.seal import fingerprint
from domains.spec import Domain, DomainError, load_domain
from evals.cases import Case, load
from evals.run import Result, Share, run, summary
from retrieval.timestamps import now
from service.build import Services, build
from service.data_dir import owned
from service.prepare import prepare
from service.settings import Settings

_SURE = 0.05  # one-sided: below, the candidate is worse by more than chance
_PASSAGES, _SAME = 50, 0.97  # cosine of the same text embedded among others and alone
_TOLD = ("cases passed", "answerable: every required value")  # beside the figures that are bounded


class Bounds(BaseModel):
    """What figures of `evals.run.summary` have to reach, and what they may not exceed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    least: dict[str, float] = {}
    most: dict[str, float] = {}

    def failing(self, figures: Mapping[str, Share | float]) -> list[str]:
        """A line for each bound that does not hold, or names no figure."""
        told = []
        for bounds, holds, word in ((self.least, operator.ge, "at least"), (self.most, operator.le, "at most")):
            for name, bound in bounds.items():
                if name not in figures:
                    told.append(f"{name}: there is no such figure; there are {', '.join(figures)}")
                elif not holds(_number(figures[name]), bound):
                    told.append(f"{name}: {figures[name]}, wanted {word} {bound}")
        return told


def bounds(domain: Domain) -> Bounds:
    """The bounds of a domain.

    Raises:
        DomainError: `gate.yaml` is missing or wrong.
    """
    path = domain.folder / "gate.yaml"
    try:
        return Bounds.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise DomainError(f"{path}: {error}", "domains/support/gate.yaml shows a complete one.") from None


def gate(settings: Settings, candidate: str, live: str, console: Console) -> Verdict:
    """Judge an adapter, take it into the store of the home, and keep the verdict there.

    Args:
        settings: whose home holds the store; the cases are answered in a home of their own.
        candidate: a folder, or an id of the store.
        live: the id of what it would replace; empty: nothing, and the domain's bounds alone decide.
        console: where progress is told.

    Raises:
        NotFound: there is no such adapter.
        IntegrityError: it does not belong to this domain or base model, or was changed.
    """
    domain = load_domain(settings.domain)
    with tempfile.TemporaryDirectory() as home:
        own = settings.elsewhere(Path(home))
        with owned(own), console.status("Loading models") as status:
            services = build(own, domain=domain)
            store = AdapterStore(settings.home / "adapters", domain, services.encoder.fingerprint)
            adapter = store.register(Path(candidate)) if Path(candidate).is_dir() else candidate
            wanted = _classifier(services, store, adapter)
            standing = [_classifier(services, store, live)] if live else []
            prepare(services, Console(quiet=True))
            index = index_agreement(services)
            status.stop()
            cases = load(domain, "dev")
            found = [_answered(services, cases, one, console) for one in (wanted, *standing)]
            services.close()
    bound = domain.fingerprint, fingerprint(domain.folder / "cases" / "dev.jsonl")
    verdict = judge(adapter, *bound, bounds(domain), index, *found)
    store.record(verdict)
    return verdict


def index_agreement(services: Services) -> Share:
    """Of fifty drawn passages, those whose vector in the index is the one that the encoder makes of them.

    An index made by another model still answers, worse and without an error: words find half of what meaning did.
    """
    view = services.catalog.view(frozenset(services.domain.audiences), now())
    passages = [p for content in sorted(view.by_content) for p in services.catalog.passages(content)]
    drawn = random.Random(0).sample(passages, min(_PASSAGES, len(passages)))  # noqa: S311 -- no secret depends on it
    vectors = np.asarray(services.encoder.embed_documents([p.in_context for p in drawn]), dtype=np.float32)
    kept = services.publisher.dense.embeddings([p.key for p in drawn], vectors.shape[1])
    cosines = (vectors * kept).sum(1)  # (drawn,)
    return Share(int((cosines >= _SAME).sum()), len(drawn))


def judge(
    adapter: str,
    domain: str,
    cases: str,
    bound: Bounds,
    index: Share,
    candidate: Sequence[Result],
    standing: Sequence[Result] = (),
) -> Verdict:
    """The verdict on a run, beside what is live over the same cases where something is."""
    ours = {**summary(candidate), "passages embedded by this encoder": index}
    theirs = {**summary(standing), "passages embedded by this encoder": index} if standing else {}
    reasons = bound.failing(ours)
    for name, marks in (("right action", "action_right"), ("cases passed", "passed")) if standing else ():
        new, old = (np.array([bool(getattr(r.marks, marks)) for r in side]) for side in (candidate, standing))
        if (p := _worse(new, old)) < _SURE:
            reasons.append(f"{name}: {new.sum()} of {len(new)}, the live one {old.sum()} (p {p:.3f})")
    told = dict.fromkeys((*bound.least, *bound.most, *_TOLD))
    figures = {n: f"{ours[n]} / {theirs[n]}" if theirs else str(ours[n]) for n in told if n in ours}
    return Verdict(adapter, domain, cases, not reasons, tuple(reasons), figures)


def _number(figure: Share | float) -> float:
    return figure.right / max(figure.of, 1) if isinstance(figure, Share) else figure


def _worse(new: np.ndarray, old: np.ndarray) -> float:
    """One-sided exact p-value, 0..1, that `new` is right less often than `old` (McNemar 1947)."""
    lost, won = int((old & ~new).sum()), int((new & ~old).sum())
    return 1.0 if lost + won == 0 else float(binomtest(lost, lost + won, 0.5, alternative="greater").pvalue)


def _classifier(services: Services, store: AdapterStore, adapter: str) -> Classifier:
    if adapter in BASELINES:
        return services.live.load(adapter)
    return AdapterClassifier(services.encoder, store.folder(adapter), services.domain)


def _answered(services: Services, cases: Sequence[Case], classifier: Classifier, console: Console) -> list[Result]:
    asked = replace(services, pipeline=replace(services.pipeline, labelling=PinnedClassifier(classifier)))
    told = f"Answering with {classifier.id}"
    return list(track(run(asked, cases, "hybrid"), told, total=len(cases), console=console, transient=True))
