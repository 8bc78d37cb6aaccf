"""Embeddings of journalled tickets: computed when drift is looked at, kept beside the record, so each once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sqlalchemy import Engine, bindparam, select, update

from adapters.encoder import Encoder
from retrieval.catalog_writer import writing
from service.db.tables import journal
from service.monitoring.drift.observed import Observation, Vectors

_BATCH = 64  # texts a pass of the encoder


def vectors_of(engine: Engine, encoder: Encoder, seen: Sequence[Observation]) -> Vectors:
    """Unit vectors of requests under the bare encoder, (requests, dimensions); what is missing is computed and kept.

    Raises:
        Unavailable: the encoder has more work waiting than it takes.
    """
    kept = _kept(engine, encoder, [o.request_id for o in seen])
    missing = [o for o in seen if o.request_id not in kept]
    for start in range(0, len(missing), _BATCH):
        batch = missing[start : start + _BATCH]
        made = dict(zip([o.request_id for o in batch], encoder.unit([o.text for o in batch]), strict=True))
        _keep(engine, encoder, made)
        kept |= made
    if not seen:
        return np.zeros((0, encoder.base.dimensions), dtype=np.float32)
    return np.stack([kept[o.request_id] for o in seen])


def _mark(encoder: Encoder) -> bytes:
    """Six bytes before the numbers that say whose they are: under another encoder they are computed anew."""
    return bytes.fromhex(encoder.fingerprint)


def _kept(engine: Engine, encoder: Encoder, wanted: Sequence[str]) -> dict[str, Vectors]:
    mark = _mark(encoder)
    asked = select(journal.c.request_id, journal.c.vector).where(journal.c.request_id.in_(wanted))
    with engine.connect() as connection:
        found = {row.request_id: bytes(row.vector) for row in connection.execute(asked) if row.vector}
    return {
        one: np.frombuffer(data, dtype="<f4", offset=len(mark))
        for one, data in found.items()
        if data.startswith(mark) and len(data) == len(mark) + 4 * encoder.base.dimensions
    }


def _keep(engine: Engine, encoder: Encoder, made: dict[str, Vectors]) -> None:
    mark = _mark(encoder)
    rows = [{"one": one, "data": mark + vector.astype("<f4").tobytes()} for one, vector in made.items()]
    with writing(engine) as tx:
        tx.execute(
            update(journal).where(journal.c.request_id == bindparam("one")).values(vector=bindparam("data")), rows
        )
