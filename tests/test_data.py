"""The shipped domain's data: complete, honest, and apart."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from adapters.data import rows as dataset
from domains.seal import open_sealed, openings, refuse_sealed, seal
from domains.spec import DomainError, IntegrityError, load_domain
from evals.cases import read as read_cases
from ingest.drafting import drafted
from ingest.folder import files, submission
from ingest.limits import DEFAULTS
from ingest.metadata import Metadata
from retrieval.lexical import words


@pytest.fixture(scope="module")
def tickets(domain):
    folder = domain.folder / "tickets"
    return {name: dataset.read(folder / f"{name}.jsonl", domain.label_names) for name in ("train", "holdout")}


@pytest.fixture(scope="module")
def drafts(domain):
    return [drafted(submission(p, Metadata(), DEFAULTS), domain, DEFAULTS) for p in files(domain.folder / "documents")]


@pytest.mark.parametrize(("name", "rows", "fewest"), [("train", 900, 25), ("holdout", 250, 8)])
def test_every_label_has_enough_tickets(domain, tickets, name, rows, fewest):
    assert len(tickets[name]) >= rows
    for field, spec in domain.fields.items():
        counts = Counter(row.labels[field] for row in tickets[name])
        assert min(counts[label] for label in spec.names) >= fewest, (field, counts.most_common()[-3:])


def test_no_customer_stands_on_both_sides(tickets):
    assert {r.group for r in tickets["train"]}.isdisjoint(r.group for r in tickets["holdout"])


def shingles(text):
    found = words(text)
    return {tuple(found[i : i + 8]) for i in range(len(found) - 7)}


def test_no_two_tickets_are_alike_across_the_split_or_inside_it(tickets):
    everything = [*tickets["train"], *tickets["holdout"]]
    texts = Counter(" ".join(words(row.text)) for row in everything)
    assert [t for t, n in texts.items() if n > 1] == []
    seen = {}
    for row in everything:
        for run in shingles(row.text.split("\nearlier: ")[0]):
            other = seen.setdefault(run, row)
            assert other.group == row.group, f"{row.id} and {other.id} share “{' '.join(run)}”"


@pytest.mark.slow
def test_no_two_tickets_mean_the_same_in_the_same_words(tickets, encoder):
    rows = [r for r in [*tickets["train"], *tickets["holdout"]] if len(words(r.text)) >= 12]
    vectors = encoder.unit([r.text for r in rows])
    near = np.argwhere(np.triu(vectors @ vectors.T, 1) > 0.93)
    pairs = [(rows[a].id, rows[b].id) for a, b in near if rows[a].group != rows[b].group]
    assert pairs == []


def test_a_second_annotator_labelled_120_and_sometimes_disagrees(domain, tickets):
    lines = (domain.folder / "tickets" / "annotations.jsonl").read_text("utf-8").splitlines()
    second = {row["id"]: row["labels"] for row in map(json.loads, lines)}
    first = {row.id: row.labels for row in tickets["train"]}
    assert len(second) >= 120
    assert second.keys() <= first.keys()
    agreed = [first[i][f] == labels[f] for i, labels in second.items() for f in domain.fields]
    assert 0.6 < sum(agreed) / len(agreed) < 1


def test_tickets_for_training_never_name_what_came_later(tickets):
    assert [r.id for r in tickets["train"] if "studio plan" in r.text.lower()] == []


def test_documents_are_as_many_and_as_various_as_promised(drafts, domain):
    versions = Counter(d.doc_id for d in drafts)
    assert len(versions) >= 30
    assert sum(n >= 2 for n in versions.values()) >= 10
    assert (
        len({d.doc_id for d in drafts if d.effective_from.year >= 2027 or d.effective_from.isoformat() > "2026-11-21"})
        >= 3
    )
    assert len({d.doc_id for d in drafts if d.audience == {"agents"}}) >= 5
    assert {d.filename.rpartition(".")[2] for d in drafts} >= {"md", "html", "pdf", "docx", "csv"}
    assert all(d.audience and d.audience <= set(domain.audiences) for d in drafts)


def test_versions_of_a_document_are_numbered_by_their_dates(drafts):
    for one, other in combinations(drafts, 2):
        if one.doc_id == other.doc_id and other.effective_to is None:
            assert one.effective_from < other.effective_from, (one.doc_id, one.filename, other.filename)


WANTED = {
    "sealed": {
        "time-dependent": 30,
        "new-plan": 15,
        "agents-only": 20,
        "unanswerable": 30,
        "two-questions": 20,
        "thread": 20,
        "settled": 5,
        "told": 5,
        "injection": 15,
        "no-facts": 30,
        "plain": 20,
    },
    "dev": {"time-dependent": 8, "unanswerable": 8, "agents-only": 5, "no-facts": 8},
}


@pytest.mark.parametrize(("which", "cases"), [("sealed", 200), ("dev", 80)])
def test_cases_are_as_many_and_as_various_as_promised(domain, which, cases):
    found = read_cases(domain.folder / "cases" / f"{which}.jsonl", domain)
    assert len(found) >= cases
    assert len({case.id for case in found}) == len(found)
    tags = Counter(tag for case in found for tag in case.tags)
    assert {tag: n for tag, n in WANTED[which].items() if tags[tag] < n} == {}


def test_what_a_case_expects_stands_in_its_documents(domain, drafts):
    texts = {}
    for draft in drafts:
        texts[draft.doc_id] = texts.get(draft.doc_id, "") + "\n" + draft.text
    for case in [
        *read_cases(domain.folder / "cases" / "dev.jsonl", domain),
        *read_cases(domain.folder / "cases" / "sealed.jsonl", domain),
    ]:
        for fact in case.expect.facts:
            for value in fact.values:
                wanted = re.compile(r"\s+".join(map(re.escape, value.split())), re.I)
                assert any(wanted.search(texts.get(d, "")) for d in fact.docs), (case.id, value, fact.docs)


def test_cases_are_no_tickets_of_training(domain, tickets):
    runs = {run: row.id for row in [*tickets["train"], *tickets["holdout"]] for run in shingles(row.text)}
    for case in [
        *read_cases(domain.folder / "cases" / "dev.jsonl", domain),
        *read_cases(domain.folder / "cases" / "sealed.jsonl", domain),
    ]:
        assert shingles(f"{case.ticket.subject}\n{case.ticket.body}").isdisjoint(runs), case.id


def test_a_sealed_file_that_changed_is_refused(tmp_path):
    path = tmp_path / "holdout.jsonl"
    path.write_text("one")
    with pytest.raises(IntegrityError):
        open_sealed(path)
    seal(path)
    assert open_sealed(path) == path
    assert openings(path) == 1
    with pytest.raises(IntegrityError, match="nothing learns"):
        refuse_sealed(path)
    copy = path.with_name("renamed.jsonl")
    copy.write_bytes(path.read_bytes())
    with pytest.raises(IntegrityError, match="nothing learns"):
        refuse_sealed(copy)
    path.write_text("two")
    with pytest.raises(IntegrityError):
        open_sealed(path)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("format: price_answer", "format: nowhere", "nowhere"),
        ("      facts: A right", "      yes: A right", "needs_facts"),
        ("includes: [agents]", "includes: [martians]", "martians"),
        ("next_action:", "next_step:", "next_action"),
        ("name: support", "name: [", "YAML"),
        ("conflict: {facts", "conflicts: {facts", "conflict"),
    ],
)
def test_a_broken_domain_is_refused_with_the_reason(tmp_path, domain, old, new, reason):
    text = (domain.folder / "domain.yaml").read_text("utf-8")
    assert old in text
    (tmp_path / "domain.yaml").write_text(text.replace(old, new))
    (tmp_path / "formats").symlink_to(domain.folder / "formats")
    with pytest.raises(DomainError, match=reason):
        load_domain(str(tmp_path))


def test_a_template_that_states_a_number_is_refused(tmp_path, domain):
    (tmp_path / "domain.yaml").write_text((domain.folder / "domain.yaml").read_text("utf-8"))
    (tmp_path / "formats").mkdir()
    for path in (domain.folder / "formats").glob("*.j2"):
        (tmp_path / "formats" / path.name).write_text(
            path.read_text("utf-8") + ("within 14 days" if "handoff" in path.name else "")
        )
    with pytest.raises(DomainError, match="looks like a fact"):
        load_domain(str(tmp_path))
