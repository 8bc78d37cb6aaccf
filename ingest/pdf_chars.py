"""The characters of a PDF page as a person sees them: hidden ones dropped, words put together, link addresses written.

A character is pdfplumber's dictionary: its text, its box in points from the top left corner, its font. Knows nothing of
lines and columns.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from pdfplumber.utils.text import extract_words

from ingest.pdf_layout import Word
from ingest.text import raised

Char = dict[str, Any]
Box = tuple[float, float, float, float]  # left, top, right, bottom
Link = tuple[str, Box]  # address and place
Place = tuple[float, float]  # of a character's origin, as the file gives it: from the page's lower left corner

_SMALLEST = 2.0  # points; smaller type is not readable
_RAISED_SIZE = 0.85  # of its neighbour's size: a footnote mark is smaller
_SPACE_WIDTH = 0.2  # of the type size: the narrowest space between words
_DOUBLE = 0.1  # of the type size: letters nearer than this are one, drawn twice; the narrowest letters are 0.2 wide


def visible_chars(page: Any, links: Sequence[Link], hidden: Sequence[Place]) -> list[Char]:
    """The characters of a page (of pdfplumber), with the addresses of links behind the linked words.

    `hidden` is where the file has invisible characters.
    """
    seen = _without_doubles(_without_hidden(page, _visible(page), hidden))
    return _with_addresses(_with_raised_marks(seen), links)


def _without_hidden(page: Any, chars: list[Char], hidden: Sequence[Place]) -> list[Char]:
    places = {_nearest(*_turned(page, x, y)) for x, y in hidden}
    if not places:
        return chars
    return [char for char in chars if places.isdisjoint(_near(*_nearest(*char["matrix"][4:])))]


def _nearest(x: float, y: float) -> tuple[int, int]:
    return round(x), round(y)


def _near(x: int, y: int) -> set[tuple[int, int]]:
    """The whole points around a place: two programs differ in its fractions."""
    return {(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)}


def _turned(page: Any, x: float, y: float) -> Place:
    """A place of the file where pdfplumber has it: turned with the page, from the corner of its medium."""
    left, bottom, right, top = page.page_obj.mediabox
    turned = {90: (y - bottom, right - x), 180: (right - x, top - y), 270: (top - y, x - left)}
    return turned.get(page.page_obj.rotate % 360, (x - left, y - bottom))


def _visible(page: Any) -> list[Char]:
    """The characters on the page that a person can see: large enough, and not white on white."""
    filled = [r for r in (*page.rects, *page.curves) if r.get("fill") and not _is_white(r.get("non_stroking_color"))]
    backgrounds = [*filled, *page.images]
    left, top, right, bottom = page.bbox
    return [
        char
        for char in page.chars
        if char["size"] >= _SMALLEST
        and left <= (char["x0"] + char["x1"]) / 2 <= right
        and top <= (char["top"] + char["bottom"]) / 2 <= bottom
        and (not _is_white(char.get("non_stroking_color")) or any(_lies_on(char, b) for b in backgrounds))
    ]


def _is_white(color: Any) -> bool:
    if not isinstance(color, tuple | list) or not all(isinstance(c, int | float) for c in color):
        return False
    return all(c == 0 for c in color) if len(color) == 4 else bool(color) and all(c >= 1 for c in color)


def _lies_on(char: Char, thing: Char) -> bool:
    return is_inside(char, (thing["x0"], thing["top"], thing["x1"], thing["bottom"]))


def is_inside(char: Char, box: Box) -> bool:
    """Whether the middle of a character is in a box."""
    x, y = (char["x0"] + char["x1"]) / 2, (char["top"] + char["bottom"]) / 2
    return bool(box[0] <= x <= box[2] and box[1] <= y <= box[3])


def _without_doubles(chars: Iterable[Char]) -> list[Char]:
    """Drop what is drawn a second time, slightly shifted, to look bold."""
    kept: list[Char] = []
    places: dict[tuple[str, int, int, int], list[Char]] = {}
    for char in chars:
        reach = _DOUBLE * char["size"]
        key, column, row = (char["text"], round(char["size"])), int(char["x0"] / reach), int(char["top"] / reach)
        near = [c for x in (-1, 0, 1) for y in (-1, 0, 1) for c in places.get((*key, column + x, row + y), ())]
        if any(abs(c["x0"] - char["x0"]) < reach and abs(c["top"] - char["top"]) < reach for c in near):
            continue
        places.setdefault((*key, column, row), []).append(char)
        kept.append(char)
    return kept


def _with_raised_marks(chars: Sequence[Char]) -> list[Char]:
    """Small digits raised beside a larger character are written as raised digits, on their neighbour's line."""
    if not chars:
        return []
    sizes = statistics.median(c["size"] for c in chars)
    marks = [c for c in chars if c["text"].isdigit() and c["size"] < sizes * _RAISED_SIZE and c["upright"]]
    changed: dict[int, Char] = {}
    for mark in sorted(marks, key=lambda c: c["x0"]):
        neighbour = next((changed.get(id(c), c) for c in chars if _raises(changed.get(id(c), c), mark)), None)
        if neighbour is not None:
            place = {k: neighbour[k] for k in ("top", "bottom", "doctop", "size")}
            changed[id(mark)] = {**mark, **place, "text": raised(mark["text"])}
    return [changed.get(id(c), c) for c in chars]


def _raises(char: Char, mark: Char) -> bool:
    """Whether a mark is at the upper right of a character."""
    beside = -0.1 * char["size"] <= mark["x0"] - char["x1"] <= 0.3 * char["size"]
    higher = char["top"] - 0.5 * char["size"] <= mark["top"] and mark["bottom"] <= char["bottom"] - 0.1 * char["size"]
    return bool(beside and higher and mark["size"] < char["size"] * _RAISED_SIZE and not char["text"].isspace())


def _with_addresses(chars: list[Char], links: Sequence[Link]) -> list[Char]:
    """The address behind a link may be the answer: it is written behind the link's text."""
    printed = [i for i, char in enumerate(chars) if not char["text"].isspace()]
    written = list(chars)
    for shown, numbers in _linked(chars, printed, links):
        text = "".join(chars[i]["text"] for i in numbers)
        if shown.rstrip("/") not in text:
            last = numbers[-1]
            written[last] = {**chars[last], "text": f"{chars[last]['text']} ({shown})"}
    return written


def _linked(chars: Sequence[Char], printed: Sequence[int], links: Sequence[Link]) -> list[tuple[str, list[int]]]:
    """The addresses to show, and the characters of each link; the parts of a link over several lines are one."""
    found: list[tuple[str, list[int]]] = []
    order = {number: place for place, number in enumerate(printed)}
    for address, box in links:
        shown, numbers = _shown(address), [i for i in printed if is_inside(chars[i], box)]
        if not shown or not numbers:
            continue
        if found and found[-1][0] == shown and 0 <= order[numbers[0]] - order[found[-1][1][-1]] <= 1:
            found[-1][1].extend(numbers)
        else:
            found.append((shown, numbers))
    return found


def _shown(address: str) -> str:
    """An address as it is written; empty if it leads nowhere that a person can use."""
    if address.startswith(("http://", "https://")):
        return address
    return address.removeprefix("mailto:").partition("?")[0] if address.startswith("mailto:") else ""


def words_of(chars: Sequence[Char]) -> list[Word]:
    """The words on a page; a font may change inside a word."""
    return [_word(w) for w in extract_words(list(chars), True, x_tolerance_ratio=_SPACE_WIDTH, y_tolerance=3)]


def turned_words(chars: Sequence[Char], direction: str) -> list[Word]:
    """The words of text that runs up (`btt`) or down (`ttb`) the page."""
    return [_word(w) for w in extract_words(list(chars), True, char_dir_rotated=direction)]


def _word(found: dict[str, Any]) -> Word:
    text = found["text"].replace("(cid:127)", "•")  # how the bullet of the standard fonts is given
    size = statistics.median(c["size"] for c in found["chars"])
    # Fonts may give no width for a bullet.
    box = (found["x0"], max(found["x1"], found["x0"] + _SPACE_WIDTH * size), found["top"], found["bottom"])
    return Word(text, *box, size, all("bold" in c["fontname"].casefold() for c in found["chars"]))
