"""What judges which text answers a question, as the service uses it: the trained reader, a cross-encoder, or neither.

Each keeps of a text what it needs to judge it later, as bytes, and turns its score into a probability by two numbers
that were fitted on questions it did not learn from (Platt 1999).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from scipy.special import expit
from sentence_transformers import CrossEncoder

from adapters.base import Features
from adapters.encoder import Encoder
from adapters.evidence import Pair, joined, load, logits, read
from domains.spec import Domain, IntegrityError, NotConfigured

SHIPPED = Path(__file__).parent / "reader"  # learnt from thirty-one organisations; a domain may have its own
_CALIBRATION = "calibration.json"


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a score becomes a probability, and from which probability on a text answers."""

    slope: float
    intercept: float
    sufficient: float  # 0..1
    risk: float  # the share of wrong answers among those given for which `sufficient` was set
    questions: int  # by which it was fitted

    def probability(self, scores: Features) -> Features:
        """0..1, of each score."""
        return np.asarray(expit(self.slope * scores + self.intercept), dtype=np.float32)


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
        compute = partial(read, self._encoder.base, self._reader, half=True)
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
        vectors = self._encoder.unit([joined(pair) for pair in texts], bulk=True)
        return [np.rint(vector * 127).astype(np.int8).tobytes() for vector in vectors]

    def score(self, question: Pair, readings: Sequence[bytes]) -> Features:
        there = np.stack([np.frombuffer(reading, dtype=np.int8) for reading in readings]).astype(np.float32) / 127
        return np.asarray(there @ self._encoder.unit([joined(question)])[0], dtype=np.float32)


class Cross:
    """A cross-encoder: it reads question and text together, so that nothing but the words can be kept.

    Args:
        encoder: whose worker runs it.
        source: hub id or path.

    Raises:
        NotConfigured: it is not there.
    """

    def __init__(self, encoder: Encoder, source: str) -> None:
        try:
            self._model = CrossEncoder(source)
        except (OSError, ValueError) as error:
            told = str(error).splitlines()[0]
            raise NotConfigured(f"FORMFACT_READER: `{source}` cannot be loaded: {told}", _HOW) from None
        self.name, self._encoder = f"cross:{source}"[:100], encoder

    def read(self, texts: Sequence[Pair]) -> list[bytes]:
        return [joined(pair).encode() for pair in texts]

    def score(self, question: Pair, readings: Sequence[bytes]) -> Features:
        pairs = [(joined(question), reading.decode()) for reading in readings]
        compute: Callable[[list[tuple[str, str]]], Features] = partial(self._model.predict, show_progress_bar=False)
        return np.asarray(self._encoder.run((id(self), "pairs"), compute, pairs), dtype=np.float32)


_HOW = "Give the folder of an evidence reader, the hub id or path of a cross-encoder, or none."


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A scorer whose scores are probabilities: what `retrieval.readings.Reader` asks for."""

    scorer: Scorer
    calibration: Calibration

    @property
    def name(self) -> str:
        """What readings are kept under."""
        return self.scorer.name

    @property
    def sufficient(self) -> float:
        """The probability from which on a text answers, 0..1."""
        return self.calibration.sufficient

    def read(self, texts: Sequence[Pair]) -> list[bytes]:
        """What is kept of texts, so that a question need not wait for it."""
        return self.scorer.read(texts) if texts else []

    def score(self, question: Pair, readings: Sequence[bytes]) -> Features:
        """The raw scores: (texts,)."""
        return self.scorer.score(question, readings)

    def judge(self, question: Pair, readings: Sequence[bytes]) -> Features:
        """The probability that each text answers a question, 0..1: (texts,)."""
        return self.calibration.probability(self.score(question, readings))


def scorer_of(source: str, domain: Domain, encoder: Encoder) -> Scorer:
    """What a setting names: a folder or hub id, `none`, or empty for the domain's own reader or the shipped one.

    A shipped reader is left alone under another encoder than it was trained on.

    Raises:
        NotConfigured: it is not there.
        IntegrityError: it is not what was saved.
    """
    if source == "none":
        return Bare(encoder)
    if source:
        ours = (Path(source) / "head.safetensors").is_file()
        return Trained(encoder, Path(source)) if ours else Cross(encoder, source)
    own = domain.folder / "evidence" / "adapter"
    folder = own if own.is_dir() else SHIPPED
    if encoder.base.source != domain.encoder:
        return Bare(encoder)
    return Trained(encoder, folder)


def calibrated(scorer: Scorer, domain: Domain) -> Calibrated:
    """A scorer with the calibration that the domain has for it, else the one that the shipped readers have.

    Raises:
        NotConfigured: nobody calibrated it.
    """
    for folder in (domain.folder / "evidence", SHIPPED):
        if found := _kept(folder).get(scorer.name):
            return Calibrated(scorer, found)
    raise NotConfigured(f"Nobody calibrated the reader {scorer.name}.", "Run `formfact adapters calibrate-evidence`.")


def keep(scorer: Scorer, calibration: Calibration, folder: Path) -> None:
    """Keep a calibration beside those of other readers."""
    there = {name: asdict(found) for name, found in _kept(folder).items()} | {scorer.name: asdict(calibration)}
    (folder / _CALIBRATION).write_text(json.dumps(there, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _kept(folder: Path) -> dict[str, Calibration]:
    path = folder / _CALIBRATION
    if not path.is_file():
        return {}
    try:
        return {name: Calibration(**row) for name, row in json.loads(path.read_text(encoding="utf-8")).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{path}: {error}", "Run `formfact adapters calibrate-evidence`.") from None
