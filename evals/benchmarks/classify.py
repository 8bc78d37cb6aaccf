"""The classifier's benchmark: every arm on the same rows, a process of its own a run, resumable by arm and seed."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import resource
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from scipy.stats import t as student
from sklearn.metrics import roc_auc_score

from adapters.metrics import calibration_error, coverage_at_risk, scores
from domains.spec import Unavailable
from evals.benchmarks.arms import BY_COST, QLORA, UNLABELLED, Task, TrialResult, run
from evals.benchmarks.datasets import Benchmark

_VERSION = 4  # of what a run means: results of another are not reused
_POOL = 12_000  # texts without labels that are read, at most
_RECALL_AT = 0.05  # share of texts in scope that may be refused when out-of-scope recall is told


@dataclass(frozen=True, slots=True)
class BenchmarkRun:
    """The figures of one arm with one seed; shares 0..1."""

    arm: str
    seed: int
    rows: int
    accuracy: float
    macro_f1: float
    calibration_error: float
    coverage_at_95_percent: float  # share of the test rows that can be labelled with at most 5 % wrong
    outside_auroc: dict[str, float]  # score -> area under the curve, empty where nothing is out of scope
    outside_recall: dict[str, float]  # score -> share found when 5 % of what is in scope is refused
    trainable_parameters: int
    seconds: float
    milliseconds_a_text: float
    peak_mb: int
    right: str  # a 1 for each test row that was right, else a 0


@dataclass(frozen=True, slots=True)
class Summary:
    """An arm over its seeds: means, and half the width of a 95 % interval of the mean where there are several seeds."""

    arm: str
    runs: tuple[BenchmarkRun, ...]

    def mean(self, figure: str) -> float:
        """Over seeds."""
        return float(np.mean([getattr(r, figure) for r in self.runs]))

    def half_width(self, figure: str) -> float | None:
        """Student's t; None with one seed."""
        values = [getattr(r, figure) for r in self.runs]
        if len(values) < 2:
            return None
        return float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))


def compare(
    data: Benchmark,
    arms: Sequence[str],
    seeds: int,
    draw: tuple[int | None, int | None],
    epochs: int | None,
    store: Path,
    track: Callable[[list[tuple[str, int]]], Iterator[tuple[str, int]]],
    decoder: str | None = None,
) -> list[Summary]:
    """Run every arm with every seed, or take the result that lies in `store`.

    Args:
        data: the rows.
        arms: names out of `evals.benchmarks.arms.ARMS`.
        seeds: how many, from 0.
        draw: rows in all, and rows a label; None: all.
        epochs: of the trained arms; None: their own.
        store: a folder of results; a file a run.
        track: shows how far it is.
        decoder: for the arm that tunes one.

    Raises:
        Unavailable: a run was killed, for want of memory most likely.
    """
    store.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[BenchmarkRun]] = {arm: [] for arm in arms}
    for arm, seed in track([(arm, seed) for arm in arms for seed in range(seeds)]):
        task = _task(data, seed, draw, epochs)
        if arm in UNLABELLED:
            task = replace(task, unlabelled=data.others(task.train, _POOL, seed))
        elif arm == QLORA:
            task = replace(task, decoder=decoder)
        path = store / f"{_name(arm, task, data)}.json"
        if not path.is_file():
            _keep(path, _apart(arm, task, data))
        found[arm].append(BenchmarkRun(**json.loads(path.read_text(encoding="utf-8"))))
    return [Summary(arm, tuple(runs)) for arm, runs in found.items()]


def recommended(summaries: Sequence[Summary]) -> Summary:
    """The cheapest arm that is no worse than the best: a tie recommends the cheaper model.

    Tied are arms whose accuracies differ by less than 1.96 standard errors of a paired difference over the test rows,
    averaged over seeds.
    """
    best = max(summaries, key=lambda s: s.mean("accuracy"))
    tied = [s for s in summaries if s is best or not _worse(s, best)]
    return min(tied, key=lambda s: BY_COST.index(s.arm))


def _worse(one: Summary, best: Summary) -> bool:
    pairs = list(zip(one.runs, best.runs, strict=False))
    apart = np.mean([_rights(b).astype(float) - _rights(a).astype(float) for a, b in pairs], axis=0)
    error = apart.std(ddof=1) / np.sqrt(len(apart))
    return bool(apart.mean() > 1.96 * error)


def _rights(run: BenchmarkRun) -> np.ndarray:
    return np.asarray(np.frombuffer(run.right.encode(), dtype=np.uint8) == ord("1"))


def _task(data: Benchmark, seed: int, draw: tuple[int | None, int | None], epochs: int | None) -> Task:
    rows, shots = draw
    return Task(
        labels=data.labels,
        train=data.drawn(seed, rows, shots),
        validation=data.validation if draw == (None, None) else (),
        test=tuple(e.text for e in data.test),
        outside=tuple(e.text for e in data.outside),
        known_outside=tuple(e.text for e in data.known_outside),
        seed=seed,
        epochs=epochs,
    )


def _name(arm: str, task: Task, data: Benchmark) -> str:
    digest = hashlib.sha256(repr((_VERSION, arm, task, [e.label for e in data.test])).encode()).hexdigest()[:12]
    return f"{''.join(c if c.isalnum() else '-' for c in arm.lower())}-{task.seed}-{digest}"


def _keep(path: Path, run: BenchmarkRun) -> None:
    beside = path.with_suffix(".writing")
    beside.write_text(json.dumps(asdict(run)) + "\n", encoding="utf-8")
    beside.replace(path)


def _apart(arm: str, task: Task, data: Benchmark) -> BenchmarkRun:
    """In a new process, so that memory is that of this arm alone and nothing is left over from another."""
    spawned = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, mp_context=spawned) as pool:
            outcome, peak = pool.submit(_measured, arm, task).result()
    except BrokenProcessPool:
        raise Unavailable(f"{arm}: its process was killed.", "Most likely for memory: take fewer --rows.") from None
    return _figures(arm, task, data, outcome, peak)


def _measured(arm: str, task: Task) -> tuple[TrialResult, int]:
    outcome = run(arm, task)
    return outcome, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000


def _figures(arm: str, task: Task, data: Benchmark, outcome: TrialResult, peak: int) -> BenchmarkRun:
    wanted = task.numbers(data.test)
    predicted = outcome.probabilities.argmax(1)
    found = scores(predicted, wanted)
    outside = np.arange(len(data.test) + len(data.outside)) >= len(data.test)
    told = outcome.strangeness if data.outside else {}
    return BenchmarkRun(
        arm=arm,
        seed=task.seed,
        rows=len(task.train),
        accuracy=found.accuracy,
        macro_f1=found.macro_f1,
        calibration_error=calibration_error(outcome.probabilities, wanted),
        coverage_at_95_percent=coverage_at_risk(outcome.probabilities, wanted, 0.05),
        outside_auroc={name: float(roc_auc_score(outside, score)) for name, score in told.items()},
        outside_recall={
            name: float((score[outside] > np.quantile(score[~outside], 1 - _RECALL_AT)).mean())
            for name, score in told.items()
        },
        trainable_parameters=outcome.trainable_parameters,
        seconds=round(outcome.seconds, 1),
        milliseconds_a_text=round(outcome.milliseconds_a_text, 2),
        peak_mb=peak,
        right="".join("1" if r else "0" for r in predicted == wanted),
    )
