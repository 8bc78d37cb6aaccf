"""What a domain must define, and the errors that every layer shares.

A domain is a folder with `domain.yaml` (taxonomy, audiences, slots, reply formats), `formats/` (Jinja templates),
`documents/`, `tickets/`, `cases/` and `adapter/`. This module reads and checks the definition; it knows nothing of
retrieval, models or HTTP.

Errors (each carries a remedy in words, and whether a retry may help):

    FormfactError
    ├── InvalidInput            what was sent is wrong
    │   ├── TooLarge            … or larger than a limit
    │   └── UnsupportedMedia    … or of a type that nobody here reads
    ├── NotFound                it does not exist, or not for this caller
    ├── Conflict                it contradicts what is stored
    ├── NotConfigured           a setting is missing
    ├── Unavailable             another process or service is in the way; retry
    │   ├── TooMany             … or the caller asks more than it may
    │   └── StaleView           … or a purge erased words that were being read
    ├── IntegrityError          stored bytes are not what they should be
    └── DomainError             the domain's folder is incomplete or contradicts itself
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from string import Formatter
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

DOMAINS = Path(__file__).parent


class FormfactError(Exception):
    """Anything that went wrong in a way we can name.

    Args:
        detail: what is wrong, in words for the person who must act.
        remedy: what to do about it.
    """

    retry: ClassVar[bool] = False

    def __init__(self, detail: str, remedy: str = "") -> None:
        super().__init__(f"{detail} {remedy}".strip())
        self.detail = detail
        self.remedy = remedy


class InvalidInput(FormfactError):
    """What was sent is wrong; `field` names the part."""

    def __init__(self, detail: str, remedy: str = "", field: str = "") -> None:
        super().__init__(detail, remedy)
        self.field = field


class TooLarge(InvalidInput):
    """Larger than a limit that a setting holds."""


class UnsupportedMedia(InvalidInput):
    """Of a type that no reader here reads."""


class NotFound(FormfactError):
    """It does not exist, or not for this caller: the two are never told apart."""


class Conflict(FormfactError):
    """It contradicts what is stored."""


class NotConfigured(FormfactError):
    """A setting is missing."""


class Unavailable(FormfactError):
    """Another process or service is in the way; trying again after `retry_after` seconds may help."""

    retry: ClassVar[bool] = True

    def __init__(self, detail: str, remedy: str = "", retry_after: float = 1.0) -> None:
        super().__init__(detail, remedy)
        self.retry_after = retry_after


class TooMany(Unavailable):
    """The caller asked more often, or for more at once, than it may."""


class StaleView(Unavailable):
    """A purge erased words that were being read; a view taken now does not hold them."""

    def __init__(self) -> None:
        super().__init__("Documents were erased while this was answered.", "Ask again.")


class IntegrityError(FormfactError):
    """Stored bytes are not what they should be: a checksum, a label map, a schema."""


class DomainError(FormfactError):
    """The domain's folder is incomplete or contradicts itself."""


def first_fault(error: ValidationError) -> tuple[str, str]:
    """Where the first wrong value stands, in names joined by dots, and what is wrong with it; never the value."""
    first = error.errors()[0]
    return ".".join(map(str, first["loc"])), first["msg"]


class Frozen(BaseModel):
    """A value that comes from a file: unknown keys are rejected, and nothing changes after it is read."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LabelSpec(Frozen):
    """One value of a field; `description` is what an annotator reads.

    `person_first`: the probability of a next action from which on a person takes the ticket, whatever documents say.
    """

    description: str
    format: str | None = None
    person_first: float | None = Field(None, gt=0, le=1)


class LabelField(Frozen):
    """One question that the classifier answers about a ticket."""

    description: str
    labels: dict[str, LabelSpec]
    ordinal: bool = False
    risk: float = Field(0.05, gt=0, lt=1)  # share of wrong labels, among those given, that the domain accepts

    @field_validator("labels", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: {"description": v} if isinstance(v, str) else v for k, v in value.items()}

    @model_validator(mode="after")
    def _at_least_two(self) -> LabelField:
        if len(self.labels) < 2:
            raise ValueError("a field needs two labels or more")
        return self

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Label names in the order of the file, which is the order of the logits."""
        return tuple(self.labels)


class Slot(Frozen):
    """A circumstance that can change an answer, with the words that name each value.

    Words in capitals match case-sensitively: `US`, but not `us`. A lower-case value does not match after a word in
    `not_after` or before a word in `not_before`, where it is a common noun ("our team", "business hours"). Before a
    word in `unit_before`, a value is the unit of a price ("the monthly rate") and not a fact about the customer.
    """

    ask: str
    values: dict[str, tuple[str, ...]]
    not_after: tuple[str, ...] = ()
    not_before: tuple[str, ...] = ()
    unit_before: tuple[str, ...] = ()


class Dates(Frozen):
    """How a date that a question is about is told from others; dateparser knows the rest of the domain's languages."""

    ask: str = "the day that this is about"
    then: tuple[str, ...] = ()  # words that lean on a past date named before: "then", "on that day"
    never: tuple[str, ...] = ()  # words that mislead the date parser: rates, durations, "mid" before a month


class Audience(Frozen):
    """Who may read. `includes` names the audiences whose members belong to this one too."""

    description: str
    includes: tuple[str, ...] = ()


class ReplyFormat(Frozen):
    """A reply format; its template is `formats/<name>.j2`.

    `facts` says whether a reply of this format must state facts (`required`), may (`optional`) or never does
    (`none`). `action` is what the reply does when no fact is stated.
    """

    facts: Literal["required", "optional", "none"]
    action: Literal["answer", "clarify", "handoff"] = "answer"


class Domain(Frozen):
    """The definition of a domain; see `domains/support/domain.yaml` for one with every part."""

    name: str
    title: str
    description: str
    time_zone: str
    languages: tuple[str, ...]
    encoder: str
    audiences: dict[str, Audience]
    slots: dict[str, Slot] = Field(default_factory=dict)
    dates: Dates = Dates()
    closing: tuple[str, ...] = ()  # words that close a ticket, in a short message that asks nothing
    evidence_risk: float = Field(0.3, gt=0, lt=1)  # share of answers that may be wrong, to questions written to be hard
    evidence_risk_unlabelled: float = Field(0.2, gt=0, lt=1)  # the same where the next action abstains
    fields: dict[str, LabelField]
    formats: dict[str, ReplyFormat]
    sentences: tuple[str, ...] = ()  # how table rows are told: `{Plan} costs {Price}`, with the names of columns
    folder: Path = Field(exclude=True)

    @cached_property
    def risks(self) -> dict[str, float]:
        """Field -> the share of wrong labels, among those given, that is accepted."""
        return {name: field.risk for name, field in self.fields.items()}

    @cached_property
    def slot_words(self) -> frozenset[str]:
        """Every word or phrase that names the value of a slot, in lower case."""
        return frozenset(
            words.casefold()
            for slot in self.slots.values()
            for value, phrases in slot.values.items()
            for words in (value, *phrases)
        )

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone in which a bare date starts."""
        return ZoneInfo(self.time_zone)

    @cached_property
    def fingerprint(self) -> str:
        """`name@sha256:…` over the definition and the templates: what an adapter and a verdict are bound to."""
        digest = hashlib.sha256()
        for path in [self.folder / "domain.yaml", *sorted((self.folder / "formats").glob("*.j2"))]:
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        return f"{self.name}@sha256:{digest.hexdigest()[:16]}"

    @cached_property
    def label_names(self) -> dict[str, tuple[str, ...]]:
        """Field -> label names, in the order of the logits."""
        return {name: field.names for name, field in self.fields.items()}

    @cached_property
    def ordinal(self) -> frozenset[str]:
        """Fields whose labels have an order."""
        return frozenset(name for name, field in self.fields.items() if field.ordinal)

    def prompt(self, name: str) -> str:
        """What a chat model is told: the file `prompts/NAME.md`.

        Raises:
            NotConfigured: the domain has none.
        """
        path = self.folder / "prompts" / f"{name}.md"
        if not path.is_file():
            raise NotConfigured(f"{path} is not there.", "Write the prompt, or do without a chat model.")
        return path.read_text(encoding="utf-8").strip()

    def reach(self, audiences: Iterable[str]) -> frozenset[str]:
        """Every audience whose members may read what is addressed to `audiences`."""
        named = frozenset(audiences)
        return named | frozenset(inner for name in named for inner in self.audiences[name].includes)

    def readable_by(self, held: Iterable[str]) -> frozenset[str]:
        """The audiences to which whoever holds `held` belongs: these, and those that include one of them."""
        names = frozenset(held)
        return names | frozenset(a for a, spec in self.audiences.items() if not names.isdisjoint(spec.includes))

    def widens(self, old: Iterable[str], new: Iterable[str]) -> bool:
        """Would `new` admit somebody whom `old` does not?"""
        return not self.reach(new) <= self.reach(old)

    def format_of(self, next_action: str) -> str:
        """The reply format that a next action leads to."""
        return self.fields["next_action"].labels[next_action].format or "handoff"

    @field_validator("audiences", mode="before")
    @classmethod
    def _short_audiences(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: {"description": v} if isinstance(v, str) else v for k, v in value.items()}

    @model_validator(mode="after")
    def _fields_for_the_router(self) -> Domain:
        for needed in ("next_action", "needs_facts"):
            if needed not in self.fields:
                raise ValueError(f"fields: `{needed}` is missing; the router reads it")
        if set(self.fields["needs_facts"].labels) != {"facts", "no_facts"}:
            raise ValueError("fields.needs_facts: the labels must be `facts` and `no_facts`")
        return self

    @field_validator("sentences")
    @classmethod
    def _sentences_are_templates(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for sentence in value:
            parsed = list(Formatter().parse(sentence))
            if any(re.search(r"\d|[€$£%]", text) for text, *_ in parsed) or not any(name for _, name, *_ in parsed):
                raise ValueError(f"`{sentence}` states a number itself, or names no column")
        return value

    @model_validator(mode="after")
    def _audiences_declared(self) -> Domain:
        for name, audience in self.audiences.items():
            if unknown := set(audience.includes) - set(self.audiences):
                raise ValueError(f"audiences.{name}: includes {sorted(unknown)}, which nobody declared")
        return self

    @model_validator(mode="after")
    def _formats_complete(self) -> Domain:
        for name, label in self.fields["next_action"].labels.items():
            if label.format not in self.formats:
                raise ValueError(f"fields.next_action.{name}: format `{label.format}` is not among the formats")
        for name in REQUIRED_FORMATS - set(self.formats):
            raise ValueError(f"formats: `{name}` is missing")
        for name in self.formats:
            _check_template(self.folder / "formats" / f"{name}.j2")
        return self


# The formats that the service itself falls back on, whatever the labels say.
REQUIRED_FORMATS = frozenset({"policy_answer", "handoff", "clarify", "conflict"})


def _check_template(path: Path) -> None:
    """Refuse a template that is missing or that states a number: numbers are facts, and facts come from documents."""
    if not path.is_file():
        raise ValueError(f"formats: the template {path.name} is missing")
    prose = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.S)
    if found := re.search(r"\d|[€$£%]", prose):
        raise ValueError(f"formats/{path.name}: `{found.group()}` looks like a fact; facts belong in documents")


def load_domain(name: str) -> Domain:
    """Read and check the domain `name` (a folder of `domains/`, or a path).

    Raises:
        DomainError: the folder or its `domain.yaml` is missing, or the definition contradicts itself.
    """
    folder = DOMAINS / name if (DOMAINS / name).is_dir() else Path(name)
    path = folder / "domain.yaml"
    if not path.is_file():
        raise DomainError(
            f"The domain `{name}` has no {path}.", "Name a folder of domains/, or a path that holds a domain.yaml."
        )
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Domain(**raw, folder=folder)
    except yaml.YAMLError as error:
        raise DomainError(f"{path} is no valid YAML: {error}", "Mend the line it names.") from error
    except (ValidationError, TypeError) as error:
        raise DomainError(f"{path}: {error}", "domains/support/domain.yaml shows a complete definition.") from error
