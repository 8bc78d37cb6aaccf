"""From files to published document versions: read, canonical text, passages, embeddings, one transaction."""
