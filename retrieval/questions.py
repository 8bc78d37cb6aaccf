"""From a messy ticket to the questions in it: quotes, greetings and signatures dropped, each question on its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from retrieval.lexical import tokens
from retrieval.sentences import sentence_spans

MAX_QUESTIONS = 8
_BEFORE = 2  # sentences before a question that are read with it
_LONGEST = 600  # characters of context
_MAX_WORDS = 60  # of a ticket that holds no sentence that asks: its head serves as the question

_QUOTED = re.compile(r"^\s*>")
_SIGNATURE = re.compile(
    r"^\s*(--\s*$|sent from my"
    r"|(many |kind |best |warm |with )*(regards|wishes|thanks|greetings)\b[\s,.!]*(\w+[\s.]*){0,3}$"
    r"|(cheers|sincerely|yours|thx|ty|thank you|br|rgds)\b[^?]{0,25}$)",
    re.I,
)
_GREETING = re.compile(r"^\s*(hi|hello|hey|dear|good (morning|afternoon|evening|day))\b[^,.!?\n]{0,40}[,.!:]\s*", re.I)
_ASKS = re.compile(
    r"\?\s*[\"”’)]*$|(?:^|[:;] )(so |and |also |or |but |then |secondly |second |first |please |pls )*"
    r"(what|whats|what's|how|when|where|which|who|why|is|are|do|does|did|can|could|will|would|should|may|am)\b"
    r"|^(has|have) (i|we|you|it|they|my|our|the|any\w+)\b"
    r"|\b(tell me|let (me|us) know|want(ed)? to know|need to know|like to know|wonder(ing|ed)?|not sure|explain|clarify"
    r"|looking for|i need|we need|i want|we want|i would like|we would like|please (send|confirm|advise|give|quote)|"
    r"curious|question is|price (of|for)|cost of)\b",
    re.I,
)
# "That was all, you may close this": the message of somebody who asks nothing any more.
_CLOSES = re.compile(
    r"\b(thanks?|thank you|thx|solved|fixed|never ?mind|works? (again|now)"
    r"|that was (it|all)|close (this|it|the ticket))\b",
    re.I,
)
_LEAST_WORDS = 2  # that carry meaning
_SHORT = 30  # words of a message that may be no more than thanks, or a detail
# A question without its mark: "can I pay by card, I have no other"
_OPENS = re.compile(
    r"^(can|could|do|does|did|is|are|will|would|may|should|have|has) (i|we|you|it|they|there|my|our|the|your)\b"
    r"|^how (much|many|long|big|often|do|can)\b|^what (is|are|does|do|happens)\b",
    re.I,
)
# Two questions in one sentence: "…, and how many guests are included?", "…, and for how long is that?"
_JOINT = re.compile(
    r",? (?:and|but|also)[, ](?=(?:what|how|when|where|which|who|whether|can|could|do|does|is|are|until|will"
    r"|(?:for|by|since|from|at|in|on|to|until|within) (?:how|what|when|which))\b)",
    re.I,
)
# … or a row of them: "how much is it, how long does it take", where each piece asks.
_ROW = re.compile(
    r", (?=(?:what|how|when|where|which|who|(?:for|by|since|from|at|in|on|to|until|within) (?:how|what|when|which))\b)",
    re.I,
)
# … or a list of them: "(a) where the files lie and (b) who audits you"
_LISTED = re.compile(r"(?:[,;]? (?:and|or) |(?<![^\s:,;.]))\(?\b(?:[a-d]|[1-4]|ii?i?)\) +", re.I)
_LEANS = re.compile(r"^(and|or|also|then|but|so)\b|\b(it|that|this|they|them|those|these|there|one)\b", re.I)
# A pronoun that stands for something of the sentence before: "What does it cost?", not "Is it possible to …?"
_STANDS_FOR = re.compile(
    r"(?:\b(do|does|will|would|for|of|with|about|is|are)|['’]s) (it|that|this|they|them|those|these)\b"
    r"(?= ?([?,]|allow|come|cost|have|hold|include|last|need|work))",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that is asked: `text` as it was written, `context` what else helps to find the answer."""

    text: str
    context: str = ""
    repeated: bool = False  # it was asked earlier in the thread, and what was said since changes it


def questions(subject: str, body: str, thread: Sequence[str] = ()) -> tuple[Question, ...]:
    """The questions of a ticket, at most `MAX_QUESTIONS`, in their order; the whole ticket where no sentence asks.

    There is none in a short message that only thanks or closes.

    Args:
        subject: the subject line, may be empty.
        body: the message that is to be answered.
        thread: the customer's earlier messages, oldest first.
    """
    text = own_words(body)
    parts = [part for sentence in sentences(text) for part in _parts(sentence)]
    asking = [p for p in parts if p.asks]
    chosen = [p.text for p in [p for p in asking if p.pointed] or asking][:MAX_QUESTIONS]
    if not chosen and len(text.split()) <= _SHORT:
        if _CLOSES.search(text):
            return ()
        if before := questions(subject, thread[-1]) if thread else ():
            # "In pounds, please": what was asked before is still asked, and this is what else is known.
            said = [replace(q, context=f"{q.context} {text}".strip()[-_LONGEST:]) for q in before]
            return tuple(replace(q, repeated=True) for q in said)
    if not chosen:
        chosen = [" ".join(f"{subject}. {text}".strip(". ").split()[:_MAX_WORDS])]
    earlier = " ".join(own_words(t) for t in thread[-2:])
    return tuple(_in_context(q, subject, [p.text for p in parts], chosen, earlier) for q in chosen if q)


@dataclass(frozen=True, slots=True)
class _Part:
    """A sentence, or a piece of one that may be a question of its own."""

    text: str
    asks: bool
    pointed: bool  # it stands under a question mark, or in a list of what is asked


def _parts(sentence: str) -> list[_Part]:
    head, *items = (piece.strip(" ,;:") for piece in _LISTED.split(sentence))
    if _ASKS.search(sentence) and len(items) > 1:
        return [_Part(p, listed, listed) for p, listed in ((head, False), *((i, True) for i in items)) if p]
    whole = items[0] if items and not head else sentence
    pointed = whole.rstrip('"”’) ').endswith("?") or _OPENS.search(whole) is not None
    pieces = [piece for joint in _JOINT.split(whole) for piece in _row(joint)]
    if not all(map(_asks_something, pieces)):
        pieces = [whole]  # "… and what percentage?" says nothing alone
    return [_Part(p, _ASKS.search(p) is not None and _asks_something(p), pointed) for p in pieces]


def _row(text: str) -> list[str]:
    """The pieces between commas if each asks; "If we leave, when does it end?" is one question with its condition."""
    pieces = _ROW.split(text)
    return pieces if all(_ASKS.search(piece) and _asks_something(piece) for piece in pieces) else [text]


def asks(text: str) -> bool:
    """Whether a text asks something."""
    return any(part.asks for sentence in sentences(text) for part in _parts(sentence))


def closes(text: str) -> bool:
    """Whether a short message only thanks or closes."""
    own = own_words(text)
    return not asks(own) and len(own.split()) <= _SHORT and _CLOSES.search(own) is not None


def _asks_something(text: str) -> bool:
    """Are there words to look for: "Why?" has none, and "Is it much?" too few."""
    return len(set(tokens(text))) >= _LEAST_WORDS


def own_words(text: str) -> str:
    """The text without quoted lines, greeting and signature; unchanged where nothing would be left."""
    kept: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if _SIGNATURE.match(line) and any(k.strip() for k in kept):
            break
        if not _QUOTED.match(line):
            kept.append(line)
    return _GREETING.sub("", "\n".join(kept).strip(), count=1).strip() or text.strip()


def sentences(text: str) -> list[str]:
    """The sentences of a text, stripped, with a paragraph's end as a sentence's end."""
    return [text[start:end] for start, end in sentence_spans(text)]


def _in_context(question: str, subject: str, parts: Sequence[str], asked: Sequence[str], earlier: str) -> Question:
    """A question with what surrounds it: subject, the sentence before it, and the thread where it leans on it.

    The sentence before it is no other question, unless this one leans on that: two questions have two answers.
    """
    told = list(parts[: parts.index(question)]) if question in parts else []
    stands_for = _STANDS_FOR.search(question) is not None
    if not stands_for:
        told = [p for p in told if p not in asked]
    before = " ".join(told[-_BEFORE:])
    on_thread = bool(earlier) and (len(tokens(question)) < 3 or _LEANS.search(question) is not None)
    context = " ".join(part for part in (earlier if on_thread else "", subject, before) if part)
    return Question(question, context[-_LONGEST:])
