"""The service that most teams would write first, to compare Formfact's speed with.

`SentenceTransformer.encode` in float32, an unmerged PEFT model with a linear head a field, langchain-chroma with a
`where` filter on audience and dates, and the three nearest chunks as the answer, behind FastAPI. The adapter, the
documents and the tickets are Formfact's. It has no evidence reader, no verification, no journal and no redaction.

    python -m evals.benchmarks.straightforward chunks.jsonl --domain support --port 8001
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
import uvicorn
from fastapi import FastAPI
from langchain_chroma import Chroma
from langchain_core.embeddings import Embeddings
from peft import PeftModel
from pydantic import BaseModel
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer

from adapters.base import SentenceBase
from domains.spec import load_domain

_ALWAYS = 2**53.0  # an end that does not come; Chroma compares numbers alone
_AT_ONCE = 500  # chunks that are embedded and added together


class Ask(BaseModel):
    """A request."""

    subject: str = ""
    body: str
    as_of: float  # seconds since 1970


class _Encoded(Embeddings):
    def __init__(self, model: SentenceTransformer) -> None:
        self._model = model

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[float(x) for x in row] for row in self._model.encode(texts, normalize_embeddings=True)]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def service(chunks: Path, domain_name: str) -> FastAPI:
    """The service over chunks: lines with `text`, `doc_id`, `audiences`, `since` and `until` (seconds, or null)."""
    domain = load_domain(domain_name)
    model = SentenceBase(domain.encoder).sentence
    store = Chroma("chunks", _Encoded(model))
    rows = [json.loads(line) for line in chunks.read_text(encoding="utf-8").splitlines()]
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        store.add_texts([row["text"] for row in some], [_metadata(row) for row in some])
    folder = domain.folder / "adapter"
    adapted: Any = PeftModel.from_pretrained(SentenceBase(domain.encoder).network, str(folder)).eval()
    heads = load_file(folder / "heads.safetensors")
    api = FastAPI()

    @api.get("/readyz")
    def ready() -> dict[str, str]:
        return {"status": "ready"}

    @api.post("/respond")
    def respond(ask: Ask) -> dict[str, Any]:
        text = f"{ask.subject}\n{ask.body}".strip()
        within: Any = {"$and": [{"public": True}, {"since": {"$lte": ask.as_of}}, {"until": {"$gt": ask.as_of}}]}
        hits = store.similarity_search(text, k=3, filter=within)
        tokens = model.tokenizer([text], truncation=True, max_length=256, return_tensors="pt")
        with torch.inference_mode():
            states = adapted(**tokens).last_hidden_state
            pooled = (states * tokens["attention_mask"][..., None]).sum(1) / tokens["attention_mask"].sum()
            labels = {
                name: names[int((pooled @ heads[f"{name}.weight"].T + heads[f"{name}.bias"]).argmax())]
                for name, names in domain.label_names.items()
            }
        answer = "\n\n".join(hit.page_content for hit in hits)
        return {"labels": labels, "answer": answer, "citations": [hit.metadata["doc_id"] for hit in hits]}

    return api


def _metadata(row: dict[str, Any]) -> dict[str, Any]:
    until = _ALWAYS if row["until"] is None else row["until"]
    return {"doc_id": row["doc_id"], "public": "public" in row["audiences"], "since": row["since"], "until": until}


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("chunks", type=Path)
    asked.add_argument("--domain", default="support")
    asked.add_argument("--port", type=int, required=True)
    told = asked.parse_args()
    uvicorn.run(service(told.chunks, told.domain), host="127.0.0.1", port=told.port, log_level="warning")
