"""LangChain's own standard tests of a retriever, on the shipped documents, and what is ours to promise beside them."""

from __future__ import annotations

import pytest
from langchain_core.documents import Document
from langchain_tests.integration_tests import RetrieversIntegrationTests

from retrieval.langchain import PolicyRetriever

PUBLIC = frozenset({"public"})


class TestStandard(RetrieversIntegrationTests):
    """Every test of the suite; none is skipped or expected to fail."""

    @pytest.fixture(autouse=True)
    def _shipped(self, services):
        self.parts = services

    @property
    def retriever_constructor(self):
        return PolicyRetriever

    @property
    def retriever_constructor_params(self):
        return {"retriever": self.parts.pipeline.retriever, "audiences": PUBLIC}

    @property
    def retriever_query_example(self):
        return "How long do I have to ask for a refund?"


def test_a_chain_sees_what_its_caller_may_read_and_no_more(services):
    def titles(audiences):
        found = PolicyRetriever(retriever=services.pipeline.retriever, audiences=frozenset(audiences), k=20)
        documents = found.invoke("Which discount may an agent give to keep a customer?")
        assert all(isinstance(d, Document) and d.metadata["end"] > d.metadata["start"] for d in documents)
        return {d.metadata["doc_id"] for d in documents}

    assert any(name.startswith("agent-") for name in titles({"public", "customers", "agents"}))
    assert not any(name.startswith("agent-") for name in titles(PUBLIC))
