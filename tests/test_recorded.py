"""Recorded chat calls. The model behind is a fake, for it may be remote; the file is real."""

from __future__ import annotations

import json

import pytest
from langchain_core.messages import HumanMessage

from adapters.structured import Structured, schema_format
from domains.spec import InvalidInput, NotConfigured
from evals.llm_cache import Recorded
from service.chat_composer import _Answer
from tests.test_chat_composer import Said

ASKED = [HumanMessage("How long?")]


def recorded(path, model, name="fake:one"):
    return Recorded(model=model, name=name, path=path)


def test_a_call_is_made_once_and_repeated_with_what_it_took(tmp_path):
    model, path = Said(text="14 days"), tmp_path / "calls.jsonl"
    first = recorded(path, model)
    assert [first.invoke(ASKED).content for _ in range(2)] == ["14 days", "14 days"]
    one, other = first.taken()
    assert one.call == other.call
    assert (one.repeated, other.repeated) == (False, True)
    assert first.taken() == ()
    assert recorded(path, None).invoke(ASKED).content == "14 days"
    assert len(model.asked) == len(path.read_text().splitlines()) == 1


def test_whatever_changes_the_answer_is_another_call(tmp_path):
    model, path = Said(text="14 days"), tmp_path / "calls.jsonl"
    chat = recorded(path, model)
    chat.invoke(ASKED)
    chat.invoke([HumanMessage("How long, then?")])
    chat.bind(response_format=schema_format("x", {"type": "object"})).invoke(ASKED)
    chat.bind(max_tokens=12).invoke(ASKED)
    recorded(path, model, "fake:two").invoke(ASKED)
    assert len(model.asked) == 5


def test_a_call_that_failed_is_made_again(tmp_path):
    path = tmp_path / "calls.jsonl"
    with pytest.raises(ConnectionError):
        recorded(path, Said(text="down")).invoke(ASKED)
    assert recorded(path, Said(text="up")).invoke(ASKED).content == "up"


def test_what_was_never_asked_needs_a_model(tmp_path):
    with pytest.raises(NotConfigured, match="holds no answer"):
        recorded(tmp_path / "none.jsonl", None).invoke(ASKED)
    with pytest.raises(NotConfigured):  # a comparison ends, rather than counting it as the model's failure
        Structured(recorded(tmp_path / "none.jsonl", None), "x").ask("a", "b", {"type": "object"}, _Answer)
    (tmp_path / "broken.jsonl").write_text(json.dumps({"key": "x"}) + "\n")
    with pytest.raises(InvalidInput, match=r"broken\.jsonl:1"):
        recorded(tmp_path / "broken.jsonl", None)
