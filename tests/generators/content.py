"""What a generated file says, drawn from a seed and recorded while it is written.

Sentences look like those of support documents. Each holds at least one invented word or amount that occurs nowhere
else in the file, so that a lost sentence, an added one and a swapped cell can all be told from each other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.generators.words import words

NOUNS = [
    "account",
    "archive",
    "backup",
    "berth",
    "booking",
    "branch",
    "bundle",
    "cabin",
    "camera",
    "canoe",
    "carrier",
    "contract",
    "copy",
    "course",
    "courier",
    "deposit",
    "desk",
    "device",
    "discount",
    "fitting",
    "garage",
    "hall",
    "helmet",
    "insurance",
    "invoice",
    "key",
    "kiosk",
    "laptop",
    "lease",
    "lesson",
    "licence",
    "locker",
    "membership",
    "mooring",
    "notice",
    "order",
    "pallet",
    "parcel",
    "pass",
    "permit",
    "plan",
    "plot",
    "printer",
    "rental",
    "repair",
    "reader",
    "room",
    "seat",
    "session",
    "shelf",
    "shipment",
    "signature",
    "storage",
    "studio",
    "supplement",
    "tariff",
    "tent",
    "ticket",
    "tour",
    "transfer",
    "trial",
    "upgrade",
    "vault",
    "visa",
    "voucher",
]
TEMPLATES = (
    "The {noun} {token} costs {price} a month.",
    "A {noun} of kind {token} may be cancelled up to {number} days before it begins.",
    "Since {date} the {noun} {token} is {percent} cheaper.",
    "The {token} {noun} opens at {time} and closes at {time}.",
    "If the {noun} is {token}, we refund {percent} of the price within {number} working days.",
    "Please bring the {noun} and the {token} to the {noun} desk before {time}.",
    "No {noun} is sold without {token}; the fee is {price}.",
    "Customers with a {token} {noun} pay {price} instead of {price}.",
    "{token} is the name of the {noun} that we deliver on {date}.",
)
UNITS = frozenset(
    ["%", "€", "$", "£", "chf", "eur", "usd", "days", "kg", "from", "max"]
)  # nothing else stands for these
OTHER_SCRIPTS = {
    "Cyrillic": "Цена {token} составляет {price} за месяц",
    "Greek": "Η τιμή {token} είναι {price} τον μήνα",
    "Arabic": "سعر الاشتراك {token} هو {price} في الشهر",
    "Hebrew": "מחיר המנוי {token} הוא {price} לחודש",
    "Chinese": "每月价格 {token} 为 {price} 元",
    "Hindi": "मासिक शुल्क {token} है {price} रुपये",
    "Polish": "Opłata za {token} wynosi {price} złotych miesięcznie",
}


@dataclass(frozen=True)
class Fact:
    """A value of a table that one line must hold with the names of its row and its columns.

    `columns` is the path of column names from the top header row down. `levels` holds, for each step of that path, all
    names of that header row: the nearest one before the value must be the value's own.
    """

    row: tuple[str, ...]
    columns: tuple[str, ...]
    value: str
    levels: tuple[tuple[str, ...], ...] = ()
    others: tuple[str, ...] = ()  # other ways to write the value


@dataclass(frozen=True)
class Unread:
    """Something that a reader may leave out only if it reports that: a word of `mentions` is in what it reports."""

    value: str  # need not be reported if the text holds it after all
    mentions: tuple[str, ...]


@dataclass(frozen=True)
class Generated:
    """A file, and what a reader of it must and must not find."""

    filename: str
    data: bytes
    visible: tuple[str, ...]  # what a person sees, in order, as `words` gives it
    hidden: tuple[str, ...]  # what nobody sees
    rows: tuple[Fact, ...]
    phrases: tuple[str, ...]  # each on one line, unbroken
    optional: frozenset[str]  # may be left out: running lines, menus, struck text, quoted mail
    addresses: tuple[str, ...]  # behind links; the text keeps them
    unread: tuple[Unread, ...]
    same: dict[str, tuple[str, ...]]  # a visible word -> other ways to write it
    once: frozenset[str]  # words outside tables that occur once; twice in the stored text means text read twice
    ordered: tuple[str, ...]  # of `once`, those whose order the format defines
    folded: tuple[str, ...]  # of `visible`, what a browser's innerText leaves out: folded answers, filled fields
    features: dict[str, str]  # word -> the feature that wrote it
    page: bytes = b""  # what a browser is to show for it
    may_refuse: bool = False  # a refusal is right, too


@dataclass
class Content:
    """The source of a file's words, and the record of what became of them."""

    seed: object
    feature: str = ""
    visible: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    optional: set[str] = field(default_factory=set)
    rows: list[Fact] = field(default_factory=list)
    phrases: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    same: dict[str, tuple[str, ...]] = field(default_factory=dict)
    loose: set[str] = field(default_factory=set)
    tabular: set[str] = field(default_factory=set)
    folded: list[str] = field(default_factory=list)
    features: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(f"{self.seed}")  # a string: the same on every run and machine
        self.common = frozenset(words(" ".join((*NOUNS, *TEMPLATES, *OTHER_SCRIPTS.values(), "margin"))))
        self.used = set(self.common)

    # --- words

    def unique(self, draw: Callable[[], str]) -> str:
        """A word that occurs nowhere else in the file."""
        while True:
            text = draw()
            key = " ".join(words(text))
            if key not in self.used:
                self.used.add(key)
                return text

    def token(self) -> str:
        """An invented word that can be pronounced, such as `brivosta`."""
        return self.unique(lambda: "".join(self._syllable() for _ in range(self.random.choice([3, 3, 4]))))

    def _syllable(self) -> str:
        start = self.random.choice(
            [
                "b",
                "br",
                "d",
                "dr",
                "f",
                "g",
                "gl",
                "k",
                "kl",
                "l",
                "m",
                "n",
                "p",
                "pr",
                "r",
                "s",
                "st",
                "t",
                "tr",
                "v",
                "z",
            ]
        )
        return start + self.random.choice("aeiou")

    def noun(self) -> str:
        return self.random.choice(NOUNS)

    def name(self) -> str:
        """A name of two words, such as `Locker brivosta`."""
        return f"{self.noun().capitalize()} {self.token()}"

    def amount(self) -> str:
        """A number with two decimals, some with thousands: `17.30`, `1,250.00`."""
        return self.unique(lambda: f"{self.random.choice([5, 90, 900, 9000]) * self.random.random() + 1:,.2f}")

    def price(self) -> str:
        return self.random.choice(["{} EUR", "€{}", "{} €", "CHF {}", "${}"]).format(self.amount())

    def percent(self) -> str:
        return self.unique(lambda: f"{self.random.randrange(1, 99)}.{self.random.randrange(1, 10)}") + "%"

    def date(self) -> str:
        year, month, day = self.random.randrange(2019, 2031), self.random.randrange(1, 13), self.random.randrange(1, 29)
        return f"{year}-{month:02}-{day:02}"

    def time(self) -> str:
        return f"{self.random.randrange(6, 23)}:{self.random.randrange(60):02}"

    def number(self) -> int:
        return self.random.randrange(2, 99)

    def maybe(self, chance: float = 0.5) -> bool:
        return self.random.random() < chance

    def fill(self, template: str) -> str:
        """A template with its marks filled in, each mark on its own."""
        pieces = template.replace("}", "{").split("{")
        draw = {n: getattr(self, n) for n in ("noun", "token", "price", "percent", "date", "time", "number")}
        return "".join(str(draw[p]()) if i % 2 else p for i, p in enumerate(pieces))

    def sentence(self) -> str:
        return self.fill(self.random.choice(TEMPLATES))

    def foreign(self, scripts: Sequence[str] = tuple(OTHER_SCRIPTS)) -> str:
        """A sentence in another script."""
        return self.fill(OTHER_SCRIPTS[self.random.choice(scripts)])

    def address(self) -> str:
        """A link's target, recorded as one that the text keeps."""
        name = self.token()
        self.features[name] = self.feature
        made = f"https://example.org/{name}"
        self.addresses.append(made)
        return made

    # --- the record

    def _note(self, text: str) -> list[str]:
        found = words(text)
        for word in found:
            if (
                word not in self.common and word not in UNITS
            ):  # else the first feature that uses it would be blamed for all
                self.features.setdefault(word, self.feature)
            self.used.add(word)
        return found

    def show(self, text: str, *, loose: bool = False, folded: bool = False, repeats: bool = False) -> str:
        """Record text that a person sees.

        Args:
            text: what is seen.
            loose: the format does not say where it belongs, as with a text box.
            folded: a browser's innerText leaves it out although a reader keeps it.
            repeats: a reader may write it more than once, as a condition with each item below it.
        """
        found = self._note(text)
        self.visible += found
        if loose:
            self.loose |= set(found)
        if folded:
            self.folded += found
        if repeats:
            self.tabular |= set(found)
        return text

    def whole(self, text: str, **options: bool) -> str:
        """Record text that a person sees and that one line must hold unbroken."""
        self.phrases.append(text)
        return self.show(text, **options)

    def cell(self, text: str) -> str:
        """Record the text of a table's cell, which rows may repeat."""
        return self.show(text, repeats=True)

    def hide(self, text: str | None = None) -> str:
        """Record text that nobody sees: its invented words are looked for."""
        text = text or f"{self.token()} {self.noun()} margin {self.token()}"
        self.hidden += [w for w in self._note(text) if w not in self.common and len(w) > 3]
        return text

    def spare(self, text: str) -> str:
        """Record text that a reader may keep or leave out."""
        self.optional |= set(self._note(text))
        return text

    def equal(self, shown: str, *others: str) -> str:
        """Record that a shown text may be stored in other ways: each of its words may be missing if one of them is there."""
        for word in words(shown):
            if word not in UNITS:
                ways = (other for other in others if words(other) != [word])
                self.same[word] = (*self.same.get(word, ()), *ways)
        return shown

    def made(self, filename: str, data: bytes, page: bytes = b"", *, may_refuse: bool = False) -> Generated:
        """The finished file."""
        counts = {word: self.visible.count(word) for word in set(self.visible)}
        once = (
            {
                w
                for w, n in counts.items()
                if n == 1 and len(w) > 3 and w not in self.tabular and w not in words(" ".join(self.addresses))
            }
            - self.optional
            - self.common
        )
        return Generated(
            filename,
            data,
            tuple(self.visible),
            tuple(sorted(set(self.hidden) - set(self.visible))),
            tuple(self.rows),
            tuple(self.phrases),
            frozenset(self.optional),
            tuple(self.addresses),
            tuple(self.unread),
            dict(self.same),
            frozenset(once),
            tuple(w for w in self.visible if w in once and w not in self.loose),
            tuple(self.folded),
            dict(self.features),
            page,
            may_refuse,
        )
