"""Labels by a chat model. The model is a fake, for it may be remote; registry, router and HTTP are real."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from adapters.prompted import Prompted, schema, taxonomy
from adapters.structured import Structured
from domains.spec import NotConfigured
from service.reply import RespondRequest
from tests.test_chat_composer import CALLER, Said

NAMED = {
    "queue": "billing",
    "urgency": "normal",
    "product_area": "subscription",
    "next_action": "send_refund_information",
    "churn_reason": "none",
    "needs_facts": "facts",
}
ASKED = {"ticket": {"body": "Can I have my money back for last month?"}, "mode": "prompt"}


@pytest.fixture
def named(domain):
    """A label of each field that the domain really has."""
    return {
        name: NAMED[name] if NAMED.get(name) in field.labels else field.names[0]
        for name, field in domain.fields.items()
    }


def test_the_model_reads_the_whole_taxonomy_and_can_name_nothing_else(domain, named):
    model = Said(text=json.dumps(named))
    labels = Prompted(domain, Structured(model, "fake:one")).label("Where is my invoice?")
    assert {field: label.value for field, label in labels.items()} == named
    (system, human), kwargs = model.asked[0]
    assert human.content == "Where is my invoice?"
    assert all(spec.description in system.content for f in domain.fields.values() for spec in f.labels.values())
    offered = kwargs["response_format"]["json_schema"]["schema"]["properties"]
    assert {name: tuple(field["enum"]) for name, field in offered.items()} == domain.label_names
    assert schema(domain)["required"] == list(domain.fields)
    assert taxonomy(domain).count("\n\n") == len(domain.fields) - 1


def test_mode_prompt_labels_and_states_no_fact(services, domain, named):
    prompted = Prompted(domain, Structured(Said(text=json.dumps(named)), "fake:one"))
    pipeline = replace(services.pipeline, prompted=prompted, chat=services.pipeline.extractive)
    reply = pipeline.respond(RespondRequest.model_validate(ASKED), CALLER)
    assert reply.mode == "prompt"
    assert {name: label.value for name, label in reply.labels.items()} == named
    assert (reply.citations, reply.route.facts) == ([], False)
    assert reply.provenance.adapters["labels"] == "baseline:prompt"


@pytest.mark.parametrize("told", ["down", '{"queue": "bil'])
def test_a_model_that_does_not_answer_costs_nobody_a_reply(services, domain, told):
    prompted = Prompted(domain, Structured(Said(text=told), "fake:one"))
    pipeline = replace(services.pipeline, prompted=prompted, chat=services.pipeline.extractive)
    reply = pipeline.respond(RespondRequest.model_validate(ASKED), CALLER)
    assert (reply.action, reply.labels, reply.citations) == ("handoff", None, [])


def test_without_a_chat_model_the_baseline_says_what_to_set(services):
    with pytest.raises(NotConfigured, match="needs a chat model"):
        services.live.load("baseline:prompt")


def test_a_domain_without_the_prompt_says_so(domain, tmp_path):
    with pytest.raises(NotConfigured, match=r"labels\.md"):
        Prompted(domain.model_copy(update={"folder": tmp_path}), Structured(Said(text=""), "fake"))
