"""Facts: the catalog of document versions, the two indexes that propose, and the selection of evidence.

Knows nothing of labels, adapters or HTTP. An embedder comes in by LangChain's `Embeddings` interface.
"""
