"""From a message to the questions in it, each with what else helps to find its answer.

A `Finder` marks the questions, see `adapters.message_tagger`. This module contains no language-specific words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from retrieval.lexical import tokens
from retrieval.sentences import sentence_spans

MAX_QUESTIONS = 8
_BEFORE = 2  # sentences before a question that are read with it
_LONGEST = 600  # characters of context
_MAX_WORDS = 60  # of a message that asks nothing in so many words: its head serves as the question
_SHORT = 30  # words of a message that may be no more than thanks, or a detail
_LEANS = 3  # a question with fewer words that carry meaning needs what was asked before it ("and for two?")

Span = tuple[int, int]  # start and end in a text, end exclusive
Finder = Callable[[str], Sequence[Span]]  # the pieces of a text that ask for something, in their order


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that is asked: `text` as it was written, `context` what else helps to find the answer."""

    text: str
    context: str = ""
    repeated: bool = False  # it was asked earlier in the thread, and what was said since changes it
    record: str = ""  # what the support tool knows of the asker
    sentence: str = ""  # the text with what stands beside it in its sentence and belongs to no other question


@dataclass(frozen=True, slots=True)
class Enquiry:
    """What a message asks."""

    asks: bool = False  # in so many words
    closes: bool = False  # it only thanks, or says that all is well
    questions: tuple[Question, ...] = ()  # at most MAX_QUESTIONS


def enquire(find: Finder, subject: str, body: str, thread: Sequence[str] = (), closing: Sequence[str] = ()) -> Enquiry:
    """The questions of a message in their order; what was asked before if it only adds a detail; else its head.

    Args:
        find: says where a text asks.
        subject: the subject line, may be empty.
        body: the message that is to be answered.
        thread: the customer's earlier messages, oldest first.
        closing: words that close a ticket, in the languages of the domain.
    """
    if asked := list(find(body))[:MAX_QUESTIONS]:
        found = (_in_context(body, asked, n, subject, thread) for n in range(len(asked)))
        return Enquiry(True, questions=tuple(found))
    short = len(body.split()) <= _SHORT
    if short and closing and re.search(rf"(?i)\b(?:{'|'.join(map(re.escape, closing))})\b", body):
        return Enquiry(closes=True)
    if short and thread and (before := enquire(find, subject, thread[-1])).asks:
        # "In pounds, please": what was asked before is still asked, and this is what else is known.
        said = [replace(q, context=f"{q.context} {body}".strip()[-_LONGEST:]) for q in before.questions]
        return Enquiry(questions=tuple(replace(q, repeated=True) for q in said))
    head = " ".join(f"{subject}. {body}".strip(". ").split()[:_MAX_WORDS])
    context = " ".join(thread[-2:])[-_LONGEST:] if short else ""
    return Enquiry(questions=(Question(head, context),) if head else ())


def _in_context(body: str, asked: Sequence[Span], number: int, subject: str, thread: Sequence[str]) -> Question:
    """A question with the subject, the message before, and the sentences before it.

    Other questions have answers of their own: they belong to its context only where it says too little alone, and so
    does an older message.
    """
    start, end = asked[number]
    question = body[start:end] + ("?" if body[end:].lstrip().startswith("?") else "")
    leans = len(tokens(question)) < _LEANS
    told = [part for part in _told_before(body, asked[:number], start, leans) if part]
    parts = (*thread[-2 if leans else -1 :], subject, *told[-_BEFORE:])
    context = " ".join(part for part in parts if part)[-_LONGEST:]
    return Question(question, context, sentence=_sentence(body, asked, number))


def _sentence(body: str, asked: Sequence[Span], number: int) -> str:
    """A question with what stands beside it in its sentence: a day, for example ("back then", "as of 1 March")."""
    start, end = asked[number]
    spans = sentence_spans(body)
    begin = next((a for a, b in spans if a <= start < b), start)
    stop = next((b for _, b in spans if b >= end), end)
    if number and asked[number - 1][1] > begin:
        begin = start  # what stands between two questions belongs to the first
    if number + 1 < len(asked):
        stop = min(stop, asked[number + 1][0])
    return body[begin:stop].strip()


def _told_before(body: str, asked: Sequence[Span], end: int, whole: bool) -> list[str]:
    """The sentences of a body before a place; without the pieces that ask unless `whole`."""
    at, kept = 0, []
    for start, stop in (*(() if whole else asked), (end, end)):
        gap = body[at:start]
        kept += [piece for a, b in sentence_spans(gap) if (piece := gap[a:b].strip(" ,;:")) and tokens(piece)]
        at = stop
    return kept
