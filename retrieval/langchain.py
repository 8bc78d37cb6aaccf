"""The retriever as LangChain's users know it: a `BaseRetriever` that any chain can take.

It reads as one fixed caller; the date may be fixed too. Metadata carry what a citation needs.
"""

from __future__ import annotations

from datetime import datetime

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from retrieval.retriever import Retriever
from retrieval.timestamps import now


class PolicyRetriever(BaseRetriever):
    """Passages that these audiences may read, at `moment` (default: whenever it is asked)."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    retriever: Retriever
    audiences: frozenset[str]
    moment: datetime | None = None
    k: int = 8

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        catalog, limit = self.retriever.catalog, self.k if k is None else k
        hits = catalog.reading(
            lambda: catalog.view(self.audiences, self.moment or now()),
            lambda view: self.retriever.search(view, query, limit=limit),
        )
        return [
            Document(
                page_content=hit.passage.in_context,
                metadata={
                    "doc_id": hit.version.doc_id,
                    "version": hit.version.version,
                    "title": hit.version.title,
                    "start": hit.passage.start,
                    "end": hit.passage.end,
                    "score": hit.score,
                },
            )
            for hit in hits
        ]
