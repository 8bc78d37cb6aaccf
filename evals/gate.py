"""The gate: a candidate adapter answers the development cases beside the live one; it may not be worse, nor do harm."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from scipy.stats import binomtest

from adapters.classifier import AdapterClassifier, Classifier
from adapters.live import Pinned
from adapters.store import AdapterStore, Verdict
from adapters.tables import BASELINES, ZERO_SHOT
from domains.seal import fingerprint
from domains.spec import load_domain
from evals.cases import Case, load
from evals.run import Result, run, summary
from service.build import Services, build
from service.home import owned
from service.prepare import prepare
from service.settings import Settings

_SURE = 0.05  # one-sided: below, the candidate is worse by more than chance
_TOLD = ("cases passed", "right action", "answerable: every required value", "no forbidden value")


def gate(settings: Settings, candidate: str, live: str, console: Console) -> Verdict:
    """Judge an adapter, take it into the store of the home, and keep the verdict there.

    Args:
        settings: whose home holds the store; the cases are answered in a home of their own.
        candidate: a folder, or an id of the store.
        live: the id of what it would replace; empty: nothing.
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
            standing = _classifier(services, store, live or ZERO_SHOT)
            prepare(services, Console(quiet=True))
            status.stop()
            cases = load(domain, "dev")
            found = [_answered(services, cases, one, console) for one in (wanted, standing)]
            services.close()
    verdict = judge(adapter, domain.fingerprint, fingerprint(domain.folder / "cases" / "dev.jsonl"), *found)
    store.record(verdict)
    return verdict


def judge(adapter: str, domain: str, cases: str, candidate: Sequence[Result], standing: Sequence[Result]) -> Verdict:
    """The verdict on two runs over the same cases."""
    reasons = []
    ours, theirs = summary(candidate), summary(standing)
    for harm in ("permission leaks", "invented"):
        if ours[harm]:
            reasons.append(f"{harm}: {ours[harm]}")
    for name, marks in (("right action", "action_right"), ("cases passed", "passed")):
        new, old = (np.array([bool(getattr(r.marks, marks)) for r in side]) for side in (candidate, standing))
        if (p := _worse(new, old)) < _SURE:
            reasons.append(f"{name}: {new.sum()} of {len(new)}, the live one {old.sum()} (p {p:.3f})")
    figures = {name: f"{ours[name]} / {theirs[name]}" for name in _TOLD}
    return Verdict(adapter, domain, cases, not reasons, tuple(reasons), figures)


def _worse(new: np.ndarray, old: np.ndarray) -> float:
    """One-sided exact p-value, 0..1, that `new` is right less often than `old` (McNemar 1947)."""
    lost, won = int((old & ~new).sum()), int((new & ~old).sum())
    return 1.0 if lost + won == 0 else float(binomtest(lost, lost + won, 0.5, alternative="greater").pvalue)


def _classifier(services: Services, store: AdapterStore, adapter: str) -> Classifier:
    if adapter in BASELINES:
        return services.live.load(adapter)
    return AdapterClassifier(services.encoder, store.folder(adapter), services.domain)


def _answered(services: Services, cases: Sequence[Case], classifier: Classifier, console: Console) -> list[Result]:
    asked = replace(services, pipeline=replace(services.pipeline, labelling=Pinned(classifier)))
    told = f"Answering with {classifier.id}"
    return list(track(run(asked, cases, "hybrid"), told, total=len(cases), console=console, transient=True))
