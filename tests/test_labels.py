"""Personal data, calibration and the joined head, on worked examples and on the marked tickets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from adapters import calibrate, ngram_head
from adapters.calibrate import NEVER, distances, idle, scope, threshold
from adapters.data.personal import detection
from adapters.ngram_head import Known, mixture
from adapters.trainer import contrastive


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Kind regards,\nAnna Kowalska", "Kind regards,\n<PERSON>"),
        ("my name is Fatima, I need help", "my name is <PERSON>, I need help"),
        ("Please ask Dr. Voss about it", "Please ask <PERSON> about it"),
        ("I asked my colleague Paulo and he said no.", "I asked my colleague <PERSON> and he said no."),
        ("The Team plan in May costs more, says Mark.", "The Team plan in May costs more, says <PERSON>."),
        ("order 2026-004711 of 3 June, 57 EUR", "order 2026-004711 of 3 June, 57 EUR"),
        ("call +32 9 555 01 44 or write to a.b@c.example", "call <PHONE> or write to <EMAIL>"),
        ("blocked from 203.0.113.7 since 12:30:15", "blocked from <IP> since 12:30:15"),
        ("IBAN NL91ABNA0417164300 please", "IBAN <IBAN> please"),
        ("card 4242 4242 4242 4242", "card <CARD>"),
        ("THIS IS UNACCEPTABLE", "THIS IS UNACCEPTABLE"),
        ("Thanks,\nTeam", "Thanks,\nTeam"),
        ("Our cottage is at 14 Mill Lane, York YO1 7HH. Send it there.", "Our cottage is at <ADDRESS>. Send it there."),
    ],
)
def test_personal_data_goes_and_everything_else_stays(tagger, text, wanted):
    assert tagger.scrub([text]) == [wanted]
    assert tagger.scrub([wanted]) == [wanted], "what was scrubbed stays as it is"


def test_personal_data_of_the_marked_tickets_is_found(domain, tagger):
    tickets = domain.folder / "tickets"
    found = detection(tickets / "personal.jsonl", tickets / "train.jsonl", "test", tagger.scrub)
    assert found["EMAIL"].f2 == found["PHONE"].f2 == 1
    assert found["all"].f2 > 0.85


@pytest.mark.parametrize(
    "text", ["a" * 50_000, "Ab " * 16_000, "A." * 25_000, "Dear " * 10_000, "1 " * 25_000, "A b\n" * 12_000]
)
def test_long_and_odd_texts_are_read_to_their_end(tagger, text):
    (found,) = tagger.scrub.personal([text])
    assert {one.kind for one in found} <= {"PERSON", "ADDRESS"}


def test_a_threshold_promises_no_more_than_its_rows_can_show():
    sure = np.tile(np.array([[0.9, 0.1]], np.float32), (32, 1))
    right = np.zeros(32, np.int64)
    assert threshold(sure, right, 0.05) == pytest.approx(0.9), "0.95 to the 32nd is below 0.2"
    assert threshold(sure[:31], right[:31], 0.05) == NEVER, "31 rows are too few"
    mixed = np.concatenate([sure, np.tile(np.array([[0.6, 0.4]], np.float32), (5, 1))])
    assert threshold(mixed, np.array([0] * 32 + [1] * 5), 0.05) == pytest.approx(0.9)
    assert threshold(mixed, np.array([0] * 37), 0.05) == pytest.approx(0.6)


@pytest.mark.parametrize("skill", [1.5, 3, 6])
def test_a_promised_risk_is_seldom_refuted_on_rows_that_nobody_saw(skill):
    """At most one simulated adapter in twenty, which is what the test on the holdout errs by itself."""
    draw, refuted, covered = np.random.default_rng(1), 0, 0.0
    for _ in range(300):
        chance = draw.beta(skill, 1, size=398 + 272) * 0.6 + 0.4
        scores = np.stack([chance, np.zeros_like(chance)], axis=1).astype(np.float32)
        wrong = (draw.uniform(size=len(chance)) > chance).astype(np.int64)
        accepted = scores[398:, 0] >= threshold(scores[:398], wrong[:398], 0.05)
        covered += accepted.mean() / 300
        if accepted.any():
            bad = int(wrong[398:][accepted].sum())
            refuted += binomtest(bad, int(accepted.sum()), 0.05, alternative="greater").pvalue < 0.05
    assert refuted <= 0.05 * 300
    assert covered > {1.5: 0.08, 3: 0.25, 6: 0.5}[skill], "and it does not buy that by abstaining always"


def test_thresholds_that_divide_nothing_are_told():
    told = idle({"a": NEVER, "b": 0.4, "c": 0.8}, {"a": 3, "b": 2, "c": 2})
    assert told.keys() == {"a", "b"}
    assert "always" in told["a"]
    assert "never" in told["b"]


def test_scope_refuses_the_share_it_was_told_to():
    inside = np.linspace(0, 1, 199, dtype=np.float32)
    limit = scope(inside, 0.1)
    assert (inside > limit).mean() <= 0.1
    assert scope(inside[:5], 0.01) == float("inf"), "five rows cannot promise one in a hundred"


def test_distance_is_that_of_the_tenth_neighbour():
    bank = np.eye(12, dtype=np.float32)
    assert distances(bank[:1], bank)[0] == pytest.approx(1.0), "nine others are as near as the tenth"
    assert distances(bank[:1], np.repeat(bank[:1], 10, axis=0))[0] == pytest.approx(0.0)


def test_a_mixture_lies_between_its_parts():
    one, other = np.array([[2.0, 0.0]], np.float32), np.array([[0.0, 4.0]], np.float32)
    assert mixture(one, other, 0.0).argmax() == 0
    assert mixture(one, other, 1.0).argmax() == 1
    assert mixture(one, other, 0.5).argmax() == 1


def test_the_joined_head_learns_words_and_chooses_its_weight_on_validation():
    texts = [f"error E{n % 2} in report {n}" for n in range(40)]
    numbers = {"kind": np.array([n % 2 for n in range(40)])}
    frozen = np.ones((40, 4), np.float32)
    useless = {"kind": np.tile(np.array([[5.0, 0.0, 0.0]], np.float32), (40, 1))}
    fitted = ngram_head.fit(Known(texts, frozen, numbers, {}), {"kind": 3}, Known(texts, frozen, numbers, useless))
    assert fitted.tensors["mix"][0] == 1.0, "a tuned head that says the same of everything gets no weight"
    logits = fitted.logits(["error E1 in report 99"], frozen[:1], {})["kind"]
    assert logits.argmax() == 1
    assert logits[0, 2] < -20, "a label without a row is never given"


def test_the_contrastive_loss_pulls_equal_labels_together():
    near = torch.tensor([[1.0, 0.0], [1.0, 0.05], [0.0, 1.0], [0.05, 1.0]])
    labels = torch.tensor([0, 0, 1, 1])
    assert contrastive(near, labels) < contrastive(near, torch.tensor([0, 1, 0, 1]))
    assert contrastive(near, torch.tensor([0, 1, 2, 3])) == 0


def test_a_temperature_is_found_that_was_put_in():
    draw = np.random.default_rng(0)
    logits = draw.normal(size=(4000, 4)).astype(np.float32) * 2
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    targets = np.array([draw.choice(4, p=p) for p in chances])
    assert calibrate.temperature(logits * 3, targets) == pytest.approx(3, rel=0.1)
