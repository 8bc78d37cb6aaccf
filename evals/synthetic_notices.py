"""Notices: short documents that state another value than a document does, for the variants in which somebody errs."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from domains.spec import Domain
from ingest.drafting import Submission, drafted
from ingest.folder import files, submission
from ingest.limits import Limits
from ingest.metadata import Metadata
from retrieval.contents import VersionDraft

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Notice:
    """A line of a document with another value in it."""

    doc_id: str
    title: str
    text: str
    value: str  # what it says instead
    audience: str
    precedence: int
    effective_from: date
    innermost: str  # the audience that the fewest are in

    def to(self, kind: str) -> Notice:
        """The same for a variant: where it is hidden, only those may read it who are in the innermost audience."""
        if kind != "hidden":
            return self
        return replace(self, doc_id=f"{self.doc_id}-hidden", audience=self.innermost, precedence=self.precedence + 10)

    def submission(self) -> Submission:
        """As it is published."""
        stated = Metadata(
            doc_id=self.doc_id,
            title=self.title,
            effective_from=self.effective_from,
            audience=frozenset({self.audience}),
            precedence=self.precedence,
        )
        return Submission(f"{self.doc_id}.md", self.text.encode(), stated)


class Notices:
    """Makes notices out of a domain's documents as they stand on a day."""

    def __init__(self, domain: Domain, day: date) -> None:
        self._day = day
        self._innermost = min(domain.audiences, key=lambda name: len(domain.reach([name])))
        drafts = [
            drafted(submission(p, Metadata(), Limits()), domain, Limits()) for p in files(domain.folder / "documents")
        ]
        in_force = [d for d in drafts if d.effective_from.astimezone(domain.zone).date() <= day]
        latest: dict[str, VersionDraft] = {}
        for draft in sorted(in_force, key=lambda d: d.effective_from):
            latest[draft.doc_id] = draft
        self._latest = latest

    def against(
        self, fact: str, docs: Sequence[str], value: str, when: Mapping[str, str], audience: str
    ) -> Notice | None:
        """A notice that contradicts what a document states, in its own words; None: no line states it with a number."""
        if not _NUMBER.search(value):
            return None
        for doc in docs:
            draft = self._latest.get(doc)
            found = [line for line in draft.text.split("\n") if value in line] if draft else []
            if draft and found:
                line = max(found, key=lambda one: sum(word in one for word in when.values()))
                other = _NUMBER.sub(lambda m: str(2 * int(m.group()) + 1), value, count=1)
                text = f"# {draft.title}\n\n{line.lstrip('- ').replace(value, other)}\n"
                name = f"notice-{fact}-{zlib.crc32(text.encode()):x}"
                return Notice(
                    name, f"Notice: {draft.title}", text, other, audience, draft.precedence, self._day, self._innermost
                )
        return None
