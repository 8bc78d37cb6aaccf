"""The adapter's card: written from figures, and the shipped one belongs to the shipped adapter."""

from __future__ import annotations

import json

import pytest

from adapters.card import ADAPTER, CardInputs, evaluate, write_card
from adapters.classifier import AdapterClassifier
from adapters.data import rows
from adapters.data.personal import detection
from adapters.data.quality import agreement
from adapters.data.sources import annotated, annotator_pairs

_FEW = 120  # rows of each kind: enough for every slice


@pytest.fixture(scope="module")
def classifier(encoder, domain):
    return AdapterClassifier(encoder, domain.folder / "adapter", domain)


def test_a_card_tells_figures_slices_agreement_and_personal_data(classifier, encoder, domain, tagger, tmp_path):
    tickets = domain.folder / "tickets"
    every = rows.split(rows.read(tickets / "train.jsonl", domain.label_names))
    split = rows.Split(every.train[:_FEW], every.validation[:_FEW], every.calibration[:_FEW])
    figures = evaluate(classifier, encoder, split, split.calibration)
    grounds = CardInputs(
        agreement(annotator_pairs(annotated(tickets, domain.label_names)), domain.label_names, domain.ordinal),
        detection(tickets / "personal.jsonl", tickets / "train.jsonl", "test", tagger.scrub),
    )
    write_card(tmp_path, domain, figures, grounds, {"id": classifier.id})
    card = json.loads((tmp_path / "card.json").read_text("utf-8"))
    assert set(card["fields"]) == set(card["grounds"]["agreement"]) == set(domain.fields)
    for field in card["fields"].values():
        names = {s["name"].partition(":")[0] for s in field["slices"]}
        assert names >= {"length", "channel", "region", "written_by"}
        short = next(s for s in field["slices"] if s["name"].startswith("length: up to"))
        assert 0 < short["rows"] < len(split.calibration)
        assert 0 <= field["methods"][ADAPTER]["accuracy"] <= 1
    told = (tmp_path / "card.md").read_text("utf-8")
    assert all(
        part in told for part in ("## Slices", "## Agreement of two annotators", "| PERSON |", "Coverage at 5 %")
    )


def test_the_shipped_card_is_that_of_the_shipped_adapter(classifier, domain):
    card = json.loads((domain.folder / "adapter" / "card.json").read_text("utf-8"))
    assert card["id"] == classifier.id
    assert all(field["slices"] for field in card["fields"].values())
    assert set(card["grounds"]["agreement"]) == set(domain.fields)
    assert "all" in card["grounds"]["personal_data"]
