"""What judges which text answers a question, as the service uses it: the trained reader, a cross-encoder, or neither.

Each keeps of a text what it needs to judge it later, as bytes, and turns its score into a probability by two numbers
that were fitted on questions it did not learn from (Platt 1999).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from scipy.special import expit
from sentence_transformers import CrossEncoder
from torch import nn

from adapters.base import Features
from adapters.encoder import Encoder
from adapters.evidence import Pair, load, logits, manifest_of, read
from domains.spec import Domain, IntegrityError, NotConfigured

SHIPPED = Path(__file__).parent / "reader"  # learnt from thirty-one organisations; a domain may have its own
_CALIBRATION = "calibration.json"


@dataclass(frozen=True, slots=True)
class ScoreCalibration:
    """How the scores of a question's texts become probabilities, and from which one on a text answers.

    A logistic function of a text's score and of all scores together (see `mass_of`): the reader learnt by a softmax
    over a list, so that a high score counts for less where other texts score as high.
    """

    slope: float
    intercept: float
    sufficient: float  # 0..1
    risk: float  # the share of wrong answers among those given for which `sufficient` was set
    questions: int  # by which it was fitted
    mass: float = 0.0  # slope of the mass of all scores; below 0
    sufficient_unlabelled: float = 0.0  # as `sufficient`, where the next action abstains

    def probability(self, scores: Features, groups: Sequence[Hashable] = ()) -> Features:
        """0..1, of each text that was scored for one question: (texts,); for `groups` see `mass_of`."""
        logits = self.slope * scores + self.mass * mass_of(scores, groups) + self.intercept
        return np.asarray(expit(logits), dtype=np.float32)


def mass_of(scores: Features, groups: Sequence[Hashable] = ()) -> Features:
    """The logarithm of the softmax's denominator over the scores and "nothing answers", whose score is 0: (texts,).

    Texts of one group, such as the rows of a table, are no rivals of each other: they are all about the same, and which
    of them is right the circumstances tell. For each of them the group counts as its best.
    """
    shares = np.exp(np.asarray(scores, dtype=np.float64))
    total = 1.0 + shares.sum()
    if not groups:
        return np.full(len(shares), np.log(total))
    number = {group: n for n, group in enumerate(dict.fromkeys(groups))}
    of = np.array([number[group] for group in groups])
    best = np.zeros(len(number))
    np.maximum.at(best, of, shares)
    return np.asarray(np.log(total - np.bincount(of, weights=shares)[of] + best[of]))


class Scorer(Protocol):
    """Gives raw scores; `Calibrated` makes probabilities of them."""

    name: str

    def read(self, texts: Sequence[Pair]) -> list[bytes]:
        """What is kept of texts."""
        ...

    def score(self, question: Pair, readings: Sequence[bytes]) -> Features:
        """How well each text answers a question: (texts,)."""
        ...


class Trained:
    """The evidence reader, run by the encoder's worker.

    Args:
        encoder: shares its base and its thread.
        folder: what `adapters.evidence.save` wrote.

    Raises:
        IntegrityError: see `adapters.evidence.load`.
    """

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        manifest, self._reader = load(folder, encoder.base, encoder.merged)
        self.name, self._encoder = manifest.id, encoder

    def read(self, texts: Sequence[Pair]) -> list[bytes]:
        compute = partial(read, self._encoder.base, self._reader)
        return [reading.packed() for reading in self._encoder.run((id(self), "texts"), compute, texts)]

    def score(self, question: Pair, readings: Sequence[bytes]) -> Features:
        compute = partial(read, self._encoder.base, self._reader)
        (asked,) = self._encoder.run((id(self), "question"), compute, [question])
        return logits(self._reader, asked, readings)


class Bare:
    """The encoder without any adapter: the cosine of question and text."""

    def __init__(self, encoder: Encoder) -> None:
        self.name, self._encoder = f"bare@{encoder.fingerprint}", encoder

    def read(self, texts: Sequence[Pair]) -> list[bytes]:
        vectors = self._encoder.unit([_joined(pair) for pair in texts])
        return [np.rint(vector * 127).astype(np.int8).tobytes() for vector in vectors]

    def score(self, question: Pair, readings: Sequence[bytes]) -> Features:
        there = np.stack([np.frombuffer(reading, dtype=np.int8) for reading in readings]).astype(np.float32) / 127
        return np.asarray(there @ self._encoder.unit([_joined(question)])[0], dtype=np.float32)


class Cross:
    """A cross-encoder: it reads question and text together, so that nothing but the words can be kept.

    Args:
        encoder: whose worker runs it.
        source: hub id or path.

    Raises:
        NotConfigured: it is not there, or gives more than one score.
    """

    def __init__(self, encoder: Encoder, source: str) -> None:
        try:
            self._model = CrossEncoder(source, activation_fn=nn.Identity())
        except (OSError, ValueError) as error:
            told = str(error).splitlines()[0]
            raise NotConfigured(f"FORMFACT_READER: `{source}` cannot be loaded: {told}", _HOW) from None
        if (count := self._model.num_labels) != 1:
            raise NotConfigured(f"FORMFACT_READER: `{source}` gives {count} scores for a text, not one.", _HOW)
        name = Path(source).name[:60]
        self.name, self._encoder = f"cross:{name}@{zlib.crc32(source.encode()):08x}", encoder

    def read(self, texts: Sequence[Pair]) -> list[bytes]:
        return [_joined(pair).encode() for pair in texts]

    def score(self, question: Pair, readings: Sequence[bytes]) -> Features:
        pairs = [(_joined(question), reading.decode()) for reading in readings]
        compute: Callable[[list[tuple[str, str]]], Features] = partial(self._model.predict, show_progress_bar=False)
        return np.asarray(self._encoder.run((id(self), "pairs"), compute, pairs), dtype=np.float32)


def _joined(pair: Pair) -> str:
    """A text after its surroundings, as one string: the other readers have no segments."""
    return " ".join(part for part in (pair[1], pair[0]) if part)


_HOW = "Give the folder of an evidence reader, the hub id or path of a cross-encoder, or none."


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A scorer whose scores are probabilities: what `retrieval.readings.Reader` asks for."""

    scorer: Scorer
    calibration: ScoreCalibration

    @property
    def name(self) -> str:
        """What readings are kept under."""
        return self.scorer.name

    @property
    def fingerprint(self) -> str:
        """Names what it answers: another calibration makes other answers of the same readings."""
        return f"{self.name}+{zlib.crc32(repr(self.calibration).encode()):08x}"

    @property
    def sufficient(self) -> float:
        """The probability from which on a text answers, 0..1."""
        return self.calibration.sufficient

    @property
    def sufficient_unlabelled(self) -> float:
        """The same where no label says what the customer wants, 0..1."""
        return max(self.calibration.sufficient, self.calibration.sufficient_unlabelled)

    def read(self, texts: Sequence[Pair]) -> list[bytes]:
        """What is kept of texts, so that a question need not wait for it."""
        return self.scorer.read(texts) if texts else []

    def score(self, question: Pair, readings: Sequence[bytes]) -> Features:
        """The raw scores: (texts,)."""
        return self.scorer.score(question, readings)

    def judge(
        self, question: Pair, readings: Sequence[bytes], record: str = "", groups: Sequence[Hashable] = ()
    ) -> Features:
        """The probability that each text answers a question, 0..1: (texts,).

        Args:
            question: its words, and what was said around them.
            readings: of the texts.
            record: what is known of the customer, in words; it is read before what surrounds the question.
            groups: see `mass_of`.
        """
        text, around = question
        scores = self.score((text, f"{record} {around}".strip()), readings)
        return self.calibration.probability(scores, groups)


def scorer_of(source: str, domain: Domain, encoder: Encoder) -> Scorer:
    """What a setting names: a folder or hub id, `none`, or empty for the domain's own reader or the shipped one.

    Under an encoder that neither was trained on, the bare encoder takes their place; it needs its own calibration.

    Raises:
        NotConfigured: it is not there.
        IntegrityError: it is not what was saved, or a named one was trained on another encoder.
    """
    if source == "none":
        return Bare(encoder)
    if source:
        ours = (Path(source) / "head.safetensors").is_file()
        return Trained(encoder, Path(source)) if ours else Cross(encoder, source)
    for folder in (domain.folder / "evidence" / "adapter", SHIPPED):
        if folder.is_dir() and manifest_of(folder).encoder == encoder.fingerprint:
            return Trained(encoder, folder)
    return Bare(encoder)


def calibrated(scorer: Scorer, domain: Domain | None = None) -> Calibrated:
    """A scorer with the calibration that the domain has for it, else with the general one.

    Raises:
        NotConfigured: nobody calibrated it.
    """
    for folder in (SHIPPED,) if domain is None else (domain.folder / "evidence", SHIPPED):
        if found := _kept(folder).get(scorer.name):
            return Calibrated(scorer, found)
    raise NotConfigured(f"Nobody calibrated the evidence reader {scorer.name}.", _CALIBRATE)


def keep(scorer: Scorer, calibration: ScoreCalibration, folder: Path) -> None:
    """Keep a calibration in a folder, beside those of other readers."""
    folder.mkdir(parents=True, exist_ok=True)
    there = {name: asdict(found) for name, found in _kept(folder).items()} | {scorer.name: asdict(calibration)}
    (folder / _CALIBRATION).write_text(json.dumps(there, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _kept(folder: Path) -> dict[str, ScoreCalibration]:
    path = folder / _CALIBRATION
    if not path.is_file():
        return {}
    try:
        return {name: ScoreCalibration(**row) for name, row in json.loads(path.read_text(encoding="utf-8")).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{path}: {error}", _CALIBRATE) from None


_CALIBRATE = "Run `formfact adapters calibrate-evidence`; with --general if the domain has no questions of its own."
