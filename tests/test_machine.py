"""A state machine: anything that can happen to documents, in any order, against a plain model of what should hold.

A second shelf gets everything but the hidden documents. What a public caller sees must be the same on both: words,
ranks, scores, and the token that stands for the revision.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import event

from domains.spec import load_domain
from tests.shelf import HashEmbedder, Shelf

DOMAIN = load_domain("support")
DAY_ZERO = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = ["vault", "seal", "courier", "parcel", "harbour", "lantern"]
DOCS = st.sampled_from(["alpha", "beta"])
TEXTS = st.integers(0, 2)
DAYS = st.integers(0, 4)
AUDIENCES = st.sampled_from([("public",), ("public",), ("agents",)])
CALLERS = st.sampled_from([frozenset({"public"}), frozenset({"public", "customers"}), DOMAIN.readable_by(["agents"])])


class Crash(BaseException):
    """The process is gone."""


@dataclass
class Document:
    """The model: what was said of one document, and when it was known."""

    versions: list[tuple[int, int, int | None, str, int, int]] = field(default_factory=list)  # …, text, revision
    ends: list[tuple[int, int]] = field(default_factory=list)
    limits: list[tuple[str, int]] = field(default_factory=list)  # audience of a restriction, revision

    def stands(self, start, end, audience, text, restrict=False):
        """Is just this in effect from its start: not ended, corrected or restricted since, and nothing to restrict?"""
        last_end = max((known for _, known in self.ends), default=0)
        latest = max((v for v in self.versions if v[1] == start), default=None)
        if latest is None or latest[1:5] != (start, end, audience, text) or latest[5] <= last_end:
            return False
        hides = restrict and audience == "agents" and any(self.open_to_all(v) for v in self.versions)
        return not hides and (audience == "agents" or self.open_to_all(latest))

    def open_to_all(self, version):
        return version[3] == "public" and not any(a == "agents" and r > version[5] for a, r in self.limits)

    def holding(self, day, revision, readable):
        alive = [
            v
            for v in self.versions
            if v[5] <= revision
            and v[1] <= day
            and (v[2] is None or day < v[2])
            and not any(at <= day and v[5] < known <= revision for at, known in self.ends)
        ]
        best = max(alive, key=lambda v: (v[1], v[0]), default=None)
        limited = best and any(a not in readable for a, known in self.limits if known > best[5])  # at any revision
        return best if best and best[3] in readable and not limited else None


def text_of(number):
    a, b, c = (WORDS[(number + k) % len(WORDS)] for k in range(3))
    return f"# {a}\n\nThe {a} costs {40 + number} EUR a month.\n\n## {b}\n\nA {b} takes {number + 2} hours by {c}.\n"


def day(number):
    return DAY_ZERO + timedelta(days=number)


def stated(number):
    return day(number).isoformat()


class Documents(RuleBasedStateMachine):
    """Publishing, correcting, retracting, purging, crashing, reopening, asking."""

    steps = 0

    @invariant()
    def counted(self):
        Documents.steps += 1

    @initialize()
    def open(self):
        self.folder = Path(tempfile.mkdtemp())
        self.shelf, self.twin = (Shelf(self.folder / n, DOMAIN, HashEmbedder(), 3) for n in ("main", "twin"))
        self.model: dict[str, Document] = {}
        self.hidden = 0

    def teardown(self):
        if hasattr(self, "shelf"):
            self.shelf.close()
            self.twin.close()
            shutil.rmtree(self.folder)

    @rule(
        doc=DOCS,
        text=TEXTS,
        start=DAYS,
        length=st.sampled_from([None, 2]),
        audience=AUDIENCES,
        restrict=st.sampled_from([False, False, True]),
    )
    def publish(self, doc, text, start, length, audience, restrict):
        end = None if length is None else start + length
        stands = self.model.get(doc, Document()).stands(start, end, *audience, text, restrict)
        for shelf in (self.twin, self.shelf):
            done = self._publish(shelf, doc, text, start, length, audience, restrict)
            assert done.status == ("unchanged" if stands else "published")
        self._learn(doc, done, text, start, length, audience)
        if restrict and not stands:
            self.model[doc].limits.append((*audience, done.revision))

    @rule(doc=DOCS, text=TEXTS, start=DAYS, audience=AUDIENCES, after=st.integers(0, 25))
    def crash_while_publishing(self, doc, text, start, audience, after):
        done = self._crashing(lambda: self._publish(self.shelf, doc, text, start, None, audience), after)
        last = max((v.version for v in self.shelf.catalog.timeline().history(doc).versions), default=0)
        known = max((v[0] for v in self.model.get(doc, Document()).versions), default=0)
        if done or last > known:
            again = self._publish(self.twin, doc, text, start, None, audience)
            self._learn(doc, done or again, text, start, None, audience, self.shelf.catalog.head())

    @rule(doc=DOCS, at=DAYS)
    def retract(self, doc, at):
        if doc in self.model:
            for shelf in (self.twin, self.shelf):
                revision = shelf.publisher.retract(doc, day(at), "test")
            self.model[doc].ends.append((at, revision))

    @rule(doc=DOCS)
    def purge(self, doc):
        if doc in self.model:
            for shelf in (self.twin, self.shelf):
                shelf.publisher.purge(doc, None, "test")
            self.model[doc] = Document()

    @rule(doc=DOCS, which=st.integers(0, 3))
    def purge_one_version(self, doc, which):
        versions = self.model.get(doc, Document()).versions
        if versions:
            gone = versions.pop(which % len(versions))
            for shelf in (self.twin, self.shelf):
                shelf.publisher.purge(doc, gone[0], "test")

    @rule(doc=DOCS, after=st.integers(0, 40))
    def crash_while_purging(self, doc, after):
        if doc in self.model:
            self._crashing(lambda: self.shelf.publisher.purge(doc, None, "test"), after)
            if not self.shelf.catalog.timeline().history(doc).versions:
                self.twin.publisher.purge(doc, None, "test")
                self.model[doc] = Document()

    @rule(text=TEXTS, start=DAYS)
    def publish_hidden(self, text, start):
        self.hidden += 1
        name = f"hidden-{self.hidden % 4}"
        self._publish(self.shelf, name, text, start, None, ("agents",))

    @rule()
    def reopen(self):
        self._reopen()

    @rule(caller=CALLERS, when=DAYS, back=st.integers(0, 6), query=st.sampled_from(WORDS))
    def ask(self, caller, when, back, query):
        revision = max(0, self.shelf.catalog.head() - back)
        view = self.shelf.catalog.view(caller, day(when), revision)
        seen = {(v.doc_id, v.version) for v in view.versions if not v.doc_id.startswith("hidden")}
        held = {d: h for d, m in self.model.items() if (h := m.holding(when, revision, caller))}
        assert seen == {(d, h[0]) for d, h in held.items()}
        for hit in self.shelf.retriever.search(view, query):
            text = self.shelf.catalog.text(hit.version.content)
            assert text[hit.passage.start : hit.passage.end] == hit.passage.text
            assert (hit.version.doc_id, hit.version.version) in {(v.doc_id, v.version) for v in view.versions}

    @rule(when=DAYS, query=st.sampled_from(WORDS))
    def what_is_hidden_changes_nothing(self, when, query):
        def seen(shelf):
            view = shelf.catalog.view(frozenset({"public"}), day(when))
            hits = shelf.retriever.search(view, f"what does a {query} cost?")
            return view.token, [(h.version.doc_id, h.version.version, h.passage.key, h.score) for h in hits]

        assert seen(self.shelf) == seen(self.twin)

    @rule()
    def verify(self):
        assert self.shelf.publisher.upkeep.verify().problems == ()

    def _publish(self, shelf, doc, text, start, length, audience, restrict=False):
        end = {} if length is None else {"effective_to": stated(start + length)}
        options = {"allow_widen": True, "restrict_history": restrict}
        return shelf.publish(doc, text_of(text), stated(start), audience, **options, **end)

    def _learn(self, doc, done, text, start, length, audience, revision=None):
        if done.status == "published":
            end = None if length is None else start + length
            known = revision or done.revision
            self.model.setdefault(doc, Document()).versions.append((done.version, start, end, *audience, text, known))

    def _crashing(self, work, after):
        """Do something and crash before the n-th SQL statement or Chroma write, then open what is left."""
        left = [after]

        def count(*_):
            left[0] -= 1
            if left[0] < 0:
                raise Crash

        event.listen(self.shelf.engine, "before_cursor_execute", count)
        try:
            return work()
        except Crash:
            return None
        finally:
            event.remove(self.shelf.engine, "before_cursor_execute", count)
            self._reopen()

    def _reopen(self):
        self.shelf.close()
        self.shelf = Shelf(self.folder / "main", DOMAIN, HashEmbedder(), 3)


def test_anything_that_can_happen_to_documents():
    given = settings(max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Documents, settings=given)
    assert Documents.steps >= 2000, "fewer steps than promised"
