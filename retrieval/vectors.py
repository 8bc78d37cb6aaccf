"""Embeddings as the catalog keeps them: once per content and encoder. The dense index is made of these."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, select

from retrieval.tables import vectors as table

Vectors = npt.NDArray[np.float32]


def load(connection: Connection, encoder: str, content: str) -> Vectors | None:
    """The embeddings of a content, (passages, dimensions), or None where none are kept."""
    return load_many(connection, encoder, [content]).get(content)


def load_many(connection: Connection, encoder: str, contents: Iterable[str]) -> dict[str, Vectors]:
    """Content -> its embeddings, (passages, dimensions); those of which none are kept are left out."""
    own = table.c.content.in_(list(contents)) & (table.c.encoder == encoder)
    rows = connection.execute(select(table.c.content, table.c.dimensions, table.c.data).where(own))
    return {row.content: np.frombuffer(row.data, dtype="<f4").reshape(-1, row.dimensions) for row in rows}


def keep(tx: Connection, encoder: str, content: str, vectors: Vectors) -> None:
    """Keep the embeddings of a content, (passages, dimensions), unless they are there."""
    own = (table.c.content == content) & (table.c.encoder == encoder)
    if not tx.execute(select(table.c.content).where(own)).first():
        data = np.ascontiguousarray(vectors, dtype="<f4").tobytes()
        tx.execute(
            table.insert(),
            {"content": content, "encoder": encoder, "dimensions": vectors.shape[1], "data": data},
        )
