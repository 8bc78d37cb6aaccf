"""A reviewed reply as an eval case: what was right once has to stay right.

The ticket is the scrubbed one of the journal, asked as its own caller at its own instant. Where the reviewer said that
the answer was right, what it stated becomes what is expected; else a person has to say it under `expect`, and the tag
`annotate` keeps the case from being run before. The shape is that of `evals/cases.py`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from retrieval.quantities import figures_as_written

if TYPE_CHECKING:
    from service.records.reviews import Review

ANNOTATE, REVIEWED = "annotate", "reviewed"
_MARK = re.compile(r"\s*\[\d+\]")


def case_of(review: Review) -> dict[str, Any]:
    """The case of a review that somebody judged, the newest judgement counting."""
    record, said = review.record, review.judged[-1].judgement
    request, reply = record.request, record.reply
    facts = _facts(reply)
    known = bool(said.answer_right) and (bool(facts) or not reply["citations"])
    names = ("subject", "body", "channel", "thread")
    ticket = {name: request[name] for name in names if request.get(name)}
    ticket["thread"] = [{"from": m["sender"], "text": m["text"]} for m in ticket.get("thread", ())]
    expect = {"actions": [reply["action"]], "labels": dict(said.labels), "facts": facts if known else []}
    return {
        "id": f"rv-{record.request_id}",
        "tags": [REVIEWED if known else ANNOTATE],
        "ticket": ticket,
        "customer": request.get("customer") or {},
        "audiences": sorted(record.audiences),
        "as_of": (record.outputs or {}).get("moment", ""),
        "expect": expect,
    }


def _facts(reply: dict[str, Any]) -> list[dict[str, Any]]:
    """What each claim states and its quotes hold: its figures as they are written, or all its words."""
    cited = {c["n"]: c for c in reply["citations"]}
    found = []
    for claim in reply["answer"]["claims"]:
        quotes = [cited[n] for n in claim["citations"] if n in cited]
        quoted, text = " ".join(q["quote"] for q in quotes), _MARK.sub("", claim["text"])
        values = [v for v in figures_as_written(text) if v in quoted] or ([text] if text in quoted else [])
        if quotes and values:
            found.append({"docs": sorted({q["doc_id"] for q in quotes}), "values": list(dict.fromkeys(values))})
    return found
