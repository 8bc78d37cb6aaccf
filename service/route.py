"""The router: which of labels and facts are asked, and what the reply does. Two pure functions.

`plan` decides before anything is searched, `decide` after; `docs/routing.md` holds their table, and a test walks it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from domains.spec import Domain
from retrieval.questions import Enquiry, Question
from service.ticket import Ticket

if TYPE_CHECKING:
    from adapters.classifier import Label, Labels
    from retrieval.evidence import Evidence

Mode = Literal["hybrid", "tuned", "rag", "prompt"]
Force = Literal["auto", "always", "never"]
Action = Literal["answer", "clarify", "handoff", "refuse"]
Reason = Literal[
    "answered",
    "answered_without_facts",
    "no_evidence",
    "evidence_conflict",
    "unverified_claim",
    "low_confidence",
    "out_of_scope",
    "unsupported_language",
    "needs_information",
    "policy_requires_human",
]
_AGREED = 0.5  # confidence of a next action that abstains, from which on another label that agrees makes it likely
_NO_WORDS = re.compile(r"<[^<>]*>|\S+@\S+|\S+\.\w{2,4}\b")  # placeholders, addresses, names of files
_FEWEST_WORDS = 4  # a message with fewer, and without a question, says too little to act on
GENERAL = "policy_answer"  # the format of facts that no confident label has a format for


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller asks of the router."""

    mode: Mode = "hybrid"
    labels: Force = "auto"
    facts: Force = "auto"


@dataclass(frozen=True, slots=True)
class Route:
    """Which parts are asked, which reply format the labels lead to, and why."""

    labels: bool
    facts: bool
    format: str | None  # None: no label to rely on
    questions: tuple[Question, ...]
    reason: str
    unlabelled: bool = False  # labels were asked and none says what to do: the evidence must be surer
    likely: str | None = None  # no label to rely on, but two that agree: serves where no fact is stated
    foreign: bool = False  # the ticket is in a language that the domain does not declare

    @property
    def without_facts(self) -> str | None:
        """The format where no fact is stated."""
        return self.format or self.likely


@dataclass(frozen=True, slots=True)
class Decision:
    """What the reply does, in which format, and why."""

    action: Action
    reason_code: Reason
    format: str
    labels: Mapping[str, str] = field(default_factory=dict)  # those that are given, for the templates


def wants_labels(options: Options) -> bool:
    """Are labels asked? Only `rag` and a caller who said never go without."""
    return options.labels != "never" and (options.mode != "rag" or options.labels == "always")


def plan(
    ticket: Ticket,
    enquiry: Enquiry,
    labels: Labels | None,
    options: Options,
    domain: Domain,
    foreign: str | None = None,
) -> Route:
    """Decide whether facts are asked, and which questions."""
    form, asked = _format(labels, domain), _asked(ticket, enquiry)
    if labels is not None and asked != "something" and (form is None or _without_facts_does(form, "answer", domain)):
        form = _likeliest(labels, domain, "answer" if asked == "nothing" else "clarify") or form
    refusal = _why_no_facts(labels, form, options, domain)
    if foreign:
        reason = f"the ticket is in {foreign}, not a language of the domain"
        return Route(labels is not None, False, form, (), reason, foreign=True)
    if refusal:
        return Route(labels is not None, False, form, (), refusal)
    found = enquiry.questions if _words(ticket) and asked != "nothing" else ()
    likely = None if form or labels is None else _likely(labels, domain)
    unlabelled = form is None and labels is not None and options.facts != "always"
    return Route(labels is not None, True, form, found, _why_facts(labels, form, options), unlabelled, likely)


def decide(route: Route, labels: Labels | None, evidence: Evidence | None, domain: Domain) -> Decision:
    """Decide the action once the evidence is known; `None` means that no facts were asked."""
    given = {name: label.value for name, label in (labels or {}).items() if not label.abstained}
    return replace(_decided(route, labels, evidence, domain), labels=given)


def _decided(route: Route, labels: Labels | None, evidence: Evidence | None, domain: Domain) -> Decision:
    if form := _for_a_person(route, labels, evidence, domain):
        return Decision("handoff", "policy_requires_human", form)
    if evidence is None:
        return _without_facts(route, labels, domain, asked=False)
    if any(finding.conflict for finding in evidence):
        return Decision("handoff", "evidence_conflict", "conflict")
    if any(finding.units for finding in evidence):
        states = route.format is not None and domain.formats[route.format].facts != "none"
        return Decision("answer", "answered", str(route.format) if states else GENERAL)
    if any(finding.ask or finding.unclear for finding in evidence):
        return Decision("clarify", "needs_information", "clarify")
    return _without_facts(route, labels, domain, asked=True)


def _for_a_person(route: Route, labels: Labels | None, evidence: Evidence | None, domain: Domain) -> str | None:
    """The format of a ticket that a person takes, whatever was found.

    A next action is probable enough for that (a break-in, a legal demand); or it is given, its format belongs to a
    person, and documents do not contradict each other.
    """
    label = labels["next_action"] if labels else None
    for value, confidence in _candidates(label) if label else ():
        least = domain.fields["next_action"].labels[value].person_first
        if least is not None and confidence >= least:
            return domain.format_of(value)
    if evidence is None or any(finding.conflict for finding in evidence):
        return None
    form = route.without_facts
    return form if form and _without_facts_does(form, "handoff", domain) else None


def _candidates(label: Label) -> list[tuple[str, float]]:
    """The label and those that were not chosen, each with its confidence."""
    return [(label.value, label.confidence), *((a.value, a.confidence) for a in label.alternatives)]


def _format(labels: Labels | None, domain: Domain) -> str | None:
    if labels is None or labels["next_action"].abstained:
        return None
    return domain.format_of(labels["next_action"].value)


def _likely(labels: Labels, domain: Domain) -> str | None:
    """The format of a next action that abstains, where `needs_facts` does not and agrees that it states none.

    "Nothing more is needed" is said on a label that is given, or not at all.
    """
    action, need = labels["next_action"], labels["needs_facts"]
    form = domain.format_of(action.value)
    if _without_facts_does(form, "answer", domain):
        return None
    agreed = need.value == "no_facts" and not need.abstained and domain.formats[form].facts == "none"
    return form if agreed and action.confidence >= _AGREED and not action.out_of_scope else None


def _asked(ticket: Ticket, enquiry: Enquiry) -> Literal["something", "nothing", "unclear"]:
    """What a message asks: nothing if it only thanks or closes, unclear if it says too little ("see attached")."""
    if enquiry.closes:
        return "nothing"
    says_little = len(_words(ticket)) < _FEWEST_WORDS and not ticket.thread and not enquiry.asks
    return "unclear" if says_little else "something"


def _words(ticket: Ticket) -> list[str]:
    """The words of subject and body, without placeholders, addresses and names of files."""
    return _NO_WORDS.sub(" ", f"{ticket.subject} {ticket.body}").split()


def _without_facts_does(form: str, action: str, domain: Domain) -> bool:
    """Whether a format states no fact and leads to an action."""
    return domain.formats[form].facts == "none" and domain.formats[form].action == action


def _likeliest(labels: Labels, domain: Domain, action: str) -> str | None:
    """The format of the likeliest next action among those that state no fact and lead to an action."""
    for value, _ in sorted(_candidates(labels["next_action"]), key=lambda found: -found[1]):
        form = domain.format_of(value)
        if _without_facts_does(form, action, domain):
            return form
    return None


def _why_no_facts(labels: Labels | None, form: str | None, options: Options, domain: Domain) -> str | None:
    """The reason why no facts are asked, or None where they are."""
    if options.mode in ("tuned", "prompt"):
        return f"mode {options.mode} asks no facts"
    if options.facts != "auto" or labels is None:
        return "the caller said facts: never" if options.facts == "never" else None
    need = labels["needs_facts"]
    if need.value == "no_facts" and not need.abstained and form and domain.formats[form].facts == "none":
        return f"needs_facts is no_facts ({need.confidence:.2f}) and {form} states none"
    return None


def _why_facts(labels: Labels | None, form: str | None, options: Options) -> str:
    if options.facts == "always":
        return "the caller said facts: always"
    if labels is None:
        return "no labels are asked, so facts are"
    if form is None:
        why = "the ticket is out of scope" if labels["next_action"].out_of_scope else "next_action abstained"
        return f"{why}, so evidence decides"
    return f"next_action is {labels['next_action'].value}, which leads to {form}; facts may be needed"


def _without_facts(route: Route, labels: Labels | None, domain: Domain, asked: bool) -> Decision:
    if route.foreign:
        return Decision("handoff", "unsupported_language", "handoff")
    form = route.without_facts
    if form is None:
        return Decision("handoff", _why_no_label(labels, asked), "handoff")
    if domain.formats[form].facts == "required":
        return Decision("handoff", "no_evidence", "handoff")
    return _by_format(form, domain)


def _why_no_label(labels: Labels | None, asked: bool) -> Reason:
    if labels and labels["next_action"].out_of_scope:
        return "out_of_scope"
    return "low_confidence" if labels and not asked else "no_evidence"


def _by_format(form: str, domain: Domain) -> Decision:
    """What a format does when it states no fact."""
    match domain.formats[form].action:
        case "clarify":
            return Decision("clarify", "needs_information", form)
        case "handoff":
            return Decision("handoff", "policy_requires_human", form)
        case _:
            return Decision("answer", "answered_without_facts", form)
