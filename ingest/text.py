"""Characters and lines: decoding bytes, joining wrapped lines, list marks, raised figures.

Knows the conventions of plain text, not of any language.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from charset_normalizer import from_bytes

from domains.spec import UnsupportedMedia
from ingest.blocks import Block, Reading, clean, row_block
from ingest.limits import Limits

# Symbols for what must survive a parser: a line break inside a block, and a value that is missing. Neither is ever
# written to the canonical text.
LINE_BREAK, HOLE = "\u2424", "\u2426"
_RAISED = str.maketrans("0123456789+-()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾")
_ITEM = re.compile(
    r"(?:(?P<bullet>[•◦▪▫●○■□‣⁃∙·–—*o-])|(?P<number>\d{1,3})[.)]|(?P<letter>\(?[a-z]\)|\(?[ivx]{1,4}\)))\s+(?=\S)"
)
# Leader dots between a label and a value; few dots may be an ellipsis, unless a figure follows.
_LEADERS = re.compile(r"\s*(?:(?:\.\s?){4,}|…{2,}|_{4,})\s*|\s+(?:\.{2,3}|…)\s+(?=[^\w\s]?\d)")
_FULL_LINE = 45  # characters; shorter lines are taken for lines of their own
# Encodings that office software still writes, most likely first; short texts fit many more.
_ENCODINGS = [
    "utf_16",
    "cp1252",
    "cp1250",
    "cp1251",
    "koi8_r",
    "cp1253",
    "cp1254",
    "shift_jis",
    "gb18030",
    "big5",
    "euc_kr",
]


def decode(filename: str, data: bytes, declared: str | None = None) -> str:
    """Text of bytes: by their byte order mark, as UTF-8, as declared, or in the likeliest encoding.

    Raises:
        UnsupportedMedia: the bytes are not text in any encoding.
    """
    for encoding, errors in (("utf-8-sig", "strict"), (declared or "", "strict"), ("utf-8", "surrogatepass")):
        try:
            text = data.decode(encoding, errors) if encoding else "\0"
        except UnicodeDecodeError as error:
            text = data[: error.start].decode(encoding) if error.reason == "truncated data" else "\0"
        except LookupError:
            continue
        if "\0" not in text:
            return re.sub("[\ud800-\udfff]", "", text)
    best = from_bytes(data, cp_isolation=_ENCODINGS).best()
    if best is None or "\0" in str(best):
        raise _not_text(filename)
    return str(best)


def _not_text(filename: str) -> UnsupportedMedia:
    return UnsupportedMedia(f"{filename}: the file is not text.", "Save it as UTF-8 text.")


def raised(text: str) -> str:
    """A figure set above the line behind another figure, in raised digits: `3` and `1` become `3¹`, not `31`.

    What holds more than digits is no footnote mark, such as the cents of a price.
    """
    stripped = text.strip("()[] \u00a0")
    return stripped.translate(_RAISED) if re.fullmatch(r"[\d,]+", stripped) and not stripped.startswith(",") else text


def read_text(filename: str, text: str, limits: Limits) -> Reading:
    """Plain text: paragraphs between empty lines, list items, entries with leader dots."""
    paragraphs = re.split(r"\n[^\S\n]*\n", re.sub(r"\r\n?", "\n", text))
    return Reading(tuple(block for p in paragraphs for block in line_blocks(p.split("\n"))))


def split_lines(block: Block) -> Iterator[Block]:
    """A block with line breaks inside as the lines that a person sees; in headings and rows they are spaces."""
    if LINE_BREAK not in block.text and LINE_BREAK not in "".join(block.context):
        yield block
    elif block.kind in ("heading", "row"):
        cells = tuple(replace(c, column=_spaced(c.column), value=_spaced(c.value)) for c in block.cells)
        yield replace(block, text=_spaced(block.text), cells=cells, context=tuple(map(_spaced, block.context)))
    elif block.kind == "item":
        yield replace(block, text=_spaced(block.text))
    else:
        yield from line_blocks(block.text.split(LINE_BREAK))


def _spaced(text: str) -> str:
    return clean(text.replace(LINE_BREAK, " "))


def line_blocks(
    lines: Sequence[str], full: Sequence[bool] | None = None, known: Counter[str] | None = None
) -> Iterator[Block]:
    """The lines of a paragraph as blocks: wrapped lines are joined, entries and list items stay apart.

    Args:
        lines: the lines as they are on the page.
        full: for each line, whether the next word would not have fitted on it; by default judged by its characters.
        known: counts hyphenated words, see `join_wrapped`.
    """
    kept = [i for i, line in enumerate(lines) if line.strip()]
    full = _full_lines(lines) if full is None else full
    lines, full = [lines[i] for i in kept], [full[i] for i in kept]
    items = _item_lines(lines)
    held: list[str] = []
    for number, line in enumerate(lines):
        if held and (number in items or _is_entry(line) or not (_runs_on(held[-1], line) or full[number - 1])):
            yield _line_block(join_wrapped(held, known), number - len(held) in items)
            held = []
        held.append(line)
    if held:
        yield _line_block(join_wrapped(held, known), len(lines) - len(held) in items)


def _full_lines(lines: Sequence[str]) -> list[bool]:
    """Whether each line was broken because the next word did not fit within the longest line."""
    width = max((len(line.rstrip()) for line in lines), default=0)
    following = [(line.split() or [""])[0] for line in lines[1:]]
    return [
        width >= _FULL_LINE and len(line.rstrip()) + 1 + len(word) > width and not _is_entry(line)
        for line, word in zip(lines, [*following, ""], strict=True)
    ]


def _item_lines(lines: Sequence[str]) -> frozenset[int]:
    """The lines that begin a list item.

    A single number or dash at the start of a line may be part of a wrapped sentence: a number counts beside its
    neighbour, a bullet if the paragraph begins with one or another item precedes it.
    """
    marks = {i: mark for i, line in enumerate(lines) if (mark := _ITEM.match(line.strip()))}
    numbers = {int(mark["number"]) for mark in marks.values() if mark["number"]}
    items: set[int] = set()
    for i, mark in marks.items():
        if mark["number"]:
            in_order = not numbers.isdisjoint({int(mark["number"]) - 1, int(mark["number"]) + 1})
        elif mark["bullet"] == "o":
            in_order = i - 1 in items
        else:
            in_order = i == 0 or 0 in items or sum(m["bullet"] == mark["bullet"] for m in marks.values()) > 1
        if in_order or mark["letter"]:
            items.add(i)
    return frozenset(items)


def _is_entry(line: str) -> bool:
    """Whether leader dots join a label and a value in the line."""
    return _LEADERS.search(line.strip()[1:-1]) is not None


def _runs_on(line: str, following: str) -> bool:
    """Whether a line ends amid a sentence, by the characters on both sides of the break."""
    if _is_entry(line):
        return False
    first, ended = following.strip()[0], line.rstrip()
    if first.islower() or ended.endswith((",", "-", "\u00ad")):
        return True
    return first.isdigit() and ended[-1].islower() and not re.search(r"\d", line)


def join_wrapped(lines: Sequence[str], known: Counter[str] | None = None) -> str:
    """The text of wrapped lines; a word that a hyphen splits over two of them is joined.

    A hyphen is kept where the text spells the word with it elsewhere (`known` counts its words), or where no letters
    meet.
    """
    text = ""
    for line in lines:
        part = line.strip()
        before = re.search(r"(\w*[^\W\d_])[-\u00ad\u2010]$", text)
        after = re.match(r"[^\W\d_]+", part)
        if before and after and after.group()[0].islower():
            hyphenated = f"{before.group(1)}-{after.group()}"
            keep = known is not None and known[hyphenated.casefold()] > 0 and not text.endswith("\u00ad")
            text = (text if keep else text[:-1]) + part
        else:
            text = f"{text} {part}" if text else part
    return text


def _line_block(text: str, is_item: bool) -> Block:
    text = clean(text)
    mark = _ITEM.match(text) if is_item else None
    body = text[mark.end() :] if mark else text
    if leaders := _LEADERS.search(body, 1, len(body) - 1):
        return row_block([(body[: leaders.start()], body[leaders.end() :])])
    if mark:
        return Block("item", body, marker="" if mark["bullet"] else text[: mark.end()].strip())
    return Block("paragraph", body)


# What generators of web sites put between the words: `{% tag %}`, `{{< shortcode >}}`, `:::note`, `{#anchor}`,
# `[!WARNING]`, and values `{{ x }}`. The lengths keep the search linear.
_TAG = re.compile(r"\{%.{0,500}?%\}|\{\{[<%]\s*/.{0,200}?[>%]\}\}|\{[:#][^{}\n]{1,200}\}", re.S)
_LINE_MARK = re.compile(r"^[ \t]*:{3,}.*$|^(?=[ \t]*>)[ \t>]*\[!\w+\][ \t]*$", re.M)
_SHORTCODE = re.compile(r"\{\{[<%]\s*([\w./-]+).{0,500}?[>%]\}\}", re.S)
_VALUE = re.compile(r"\{\{[^{}]{0,500}\}\}")


def without_template_marks(text: str) -> str:
    """Text without a site generator's marks; `HOLE` is where the generator would have put a value."""
    closed = set(re.findall(r"\{\{[<%]\s*/\s*([\w./-]+)", text))
    text = _TAG.sub("", _LINE_MARK.sub("", text))
    text = _VALUE.sub(HOLE, _SHORTCODE.sub(lambda m: "" if m.group(1) in closed else HOLE, text))
    return re.sub(rf"^[ \t]*{HOLE}[ \t]*$", f"\n{HOLE}\n", text, flags=re.M)  # alone in its line: a block of its own
