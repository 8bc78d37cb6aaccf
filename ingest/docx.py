"""Word documents, made ready for docling: the XML is normalized so that only what a person sees is left.

In this order: revisions are accepted, wrappers give way to their content, fields and links name their address,
equations become text, paragraphs that are one on the page are joined, and runs lose their formatting: a word that is
partly bold is one word, hidden and struck text goes, raised figures become raised digits.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lxml import etree

from domains.spec import InvalidInput
from ingest.archive import check_archive, counted, parse, relations
from ingest.blocks import Reading
from ingest.limits import Limits
from ingest.structure import blocks_of, convert
from ingest.text import raised
from ingest.word_math import equation_text
from ingest.word_styles import Styles, is_on
from retrieval.contents import LeftOut

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_TEXT_PART = re.compile(r"word/(document|footnotes|endnotes)\d*\.xml")
_DELETED = ("del", "moveFrom")
_OLD_PROPERTIES = tuple(f"{_W}{name}Change" for name in ("pPr", "rPr", "tblPr", "tblPrEx", "tblGrid", "trPr", "tcPr"))
_WRAPPERS = ("ins", "moveTo", "smartTag", "customXml", "dir", "bdo", "fldSimple", "hyperlink", "sdtContent", "sdt")
_WRAPPER_PROPERTIES = tuple(f"{_W}{name}" for name in ("sdtPr", "sdtEndPr", "smartTagPr", "customXmlPr"))
_HYPERLINK = re.compile(r'\s*HYPERLINK\s+(?:"([^"]*)"|([^\s"\\]\S*))', re.I)
_PLAIN = tuple(f"{_W}{name}" for name in ("t", "tab", "br", "cr", "noBreakHyphen", "softHyphen"))
_CONTENT = (f"{_W}t", f"{_W}drawing", f"{_W}pict", f"{_W}object", f"{_W}sym", f"{_W}vMerge")
# Between or inside runs, without a trace on the page.
_RANGES = ("bookmarkStart", "bookmarkEnd", "commentRangeStart", "commentRangeEnd", "permStart", "permEnd")
_MARKS = tuple(f"{_W}{name}" for name in (*_RANGES, "proofErr", "lastRenderedPageBreak"))
_MOST_PARAGRAPHS = 30_000  # of one file; docling takes a millisecond for each, two on a busy machine
_MOST_COLUMNS = 500  # Word allows 63


def read_docx(filename: str, data: bytes, limits: Limits) -> Reading:
    """A text document: body, tables, text boxes, footnotes; not headers, comments, deleted or hidden text."""
    check_archive(filename, data, limits)
    parts, left_out = _prepared(filename, data)
    return Reading(tuple(blocks_of(convert("docx", "document.docx", parts))), left_out)


def _prepared(filename: str, data: bytes) -> tuple[bytes, tuple[LeftOut, ...]]:
    out, images = io.BytesIO(), 0
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(out, "w") as copy:
        names = archive.namelist()
        styles = Styles(parse(archive.read("word/styles.xml")) if "word/styles.xml" in names else ())
        for name in dict.fromkeys(names):
            part = archive.read(name)
            if _TEXT_PART.fullmatch(name):
                root = parse(part)
                addresses = {r.get("Id", ""): r.get("Target", "") for r in relations(archive, name) if _is_external(r)}
                _normalize(root, addresses, styles)
                _check_length(filename, root)
                images += len(root.findall(f".//{_W}drawing//{{*}}blip"))
                part = etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)
            copy.writestr(name, part)
    left_out = (LeftOut(counted(images, "image"), "document"),) if images else ()
    return out.getvalue(), left_out


def _check_length(filename: str, root: Any) -> None:
    if sum(1 for _ in root.iter(f"{_W}p")) > _MOST_PARAGRAPHS:
        raise InvalidInput(f"{filename}: it has more than {_MOST_PARAGRAPHS:,} paragraphs.", "Split it.", "file")


def _is_external(relation: Any) -> bool:
    return bool(relation.get("TargetMode") == "External")


def _normalize(root: Any, addresses: dict[str, str], styles: Styles) -> None:
    _accept_revisions(root)
    _write_addresses(root, addresses)
    _write_equations(root)
    _unwrap_all(root)
    for paragraph in list(root.iter(f"{_W}p")):
        if paragraph.find(f"{_W}pPr/{_W}framePr[@{_W}dropCap]") is not None:
            _join_next(paragraph)
    for table in root.iter(f"{_W}tbl"):
        _fit_grid(table)
    for run in list(root.iter(f"{_W}r")):
        _resolve_run(run, styles)
    for note in [*root.iter(f"{_W}footnoteReference", f"{_W}endnoteReference")]:
        note.addprevious(_text_element(raised(note.get(f"{_W}id", ""))))
        _remove(note)
    _simplify(root)


# --- revisions


def _accept_revisions(root: Any) -> None:
    """Remove what was deleted or moved away: rows, cells, ends of paragraphs, and text."""
    _remove_all(root.iter(*_OLD_PROPERTIES))
    _remove_all(mark.getparent().getparent() for mark in root.findall(f".//{_W}trPr/{_W}del"))
    _remove_all(mark.getparent().getparent() for mark in root.findall(f".//{_W}tcPr/{_W}cellDel"))
    _remove_all(row for row in root.iter(f"{_W}tr") if next(row.iter(f"{_W}tc"), None) is None)
    _remove_all(table for table in root.iter(f"{_W}tbl") if next(table.iter(f"{_W}tr"), None) is None)
    ended = [p for name in _DELETED for p in root.findall(f".//{_W}pPr/{_W}rPr/{_W}{name}/../../..")]
    _remove_all(root.iter(*(f"{_W}{name}" for name in _DELETED)))
    for paragraph in ended:
        _join_next(paragraph)


def _remove_all(nodes: Iterable[Any]) -> None:
    for node in list(nodes):
        _remove(node)


def _remove(node: Any) -> None:
    if node.getparent() is not None:
        node.getparent().remove(node)


def _join_next(paragraph: Any) -> None:
    """Put a paragraph's content at the start of the next one, if a paragraph follows."""
    following = next((node for node in paragraph.itersiblings() if node.tag in (f"{_W}p", f"{_W}tbl")), None)
    if following is None or following.tag != f"{_W}p":
        return
    properties = following.find(f"{_W}pPr")
    for child in reversed([child for child in paragraph if child.tag != f"{_W}pPr"]):
        following.insert(0 if properties is None else 1, child)
    _remove(paragraph)


# --- wrappers, fields, links, equations


def _unwrap_all(root: Any) -> None:
    """Let wrappers give way to their content; the placeholder of an empty content control is not content."""
    for control in root.iter(f"{_W}sdt"):
        if is_on(control.find(f"{_W}sdtPr/{_W}showingPlcHdr")):
            for text in control.iter(f"{_W}t"):
                text.text = ""
    for wrapper in list(root.iter(*(f"{_W}{name}" for name in _WRAPPERS))):
        for child in [child for child in wrapper if child.tag not in _WRAPPER_PROPERTIES]:
            wrapper.addprevious(child)
        _remove(wrapper)


def _write_addresses(root: Any, addresses: dict[str, str]) -> None:
    """Write a link's address behind its text, unless the text shows it: links by relation and by field."""
    for link in root.iter(f"{_W}hyperlink", f"{_W}fldSimple"):
        target = addresses.get(link.get(f"{_R}id", "")) or _field_address(link.get(f"{_W}instr", ""))
        if written := _written_address(target, "".join(t.text or "" for t in link.iter(f"{_W}t"))):
            etree.SubElement(link, f"{_W}r").append(_text_element(written))
    _write_field_addresses(root)


@dataclass
class _Field:
    """A complex field that is open: its instruction, and where its result begins among the texts of the part."""

    instruction: str = ""
    result: int | None = None


def _write_field_addresses(root: Any) -> None:
    fields, texts = list[_Field](), list[str]()
    for node in list(root.iter(f"{_W}fldChar", f"{_W}instrText", f"{_W}t")):
        kind = node.get(f"{_W}fldCharType")
        if node.tag == f"{_W}t":
            texts.append(node.text or "")
        elif kind == "begin":
            fields.append(_Field())
        elif not fields:
            continue  # a damaged field
        elif kind == "separate":
            fields[-1].result = len(texts)
        elif kind == "end":
            _end_field(fields.pop(), node, texts)
        else:
            fields[-1].instruction += node.text or ""


def _end_field(field: _Field, end: Any, texts: list[str]) -> None:
    target = _field_address(field.instruction)
    result = [] if field.result is None or not target else texts[field.result :]
    if result and (written := _written_address(target, "".join(result))):
        end.addprevious(_text_element(written))


def _field_address(instruction: str) -> str:
    found = _HYPERLINK.match(instruction)
    return (found[1] or found[2] or "") if found else ""


def _written_address(address: str, text: str) -> str:
    shown = address.removeprefix("mailto:")
    is_address = address.startswith(("http://", "https://", "mailto:"))
    return f" ({shown})" if is_address and shown.rstrip("/") not in text else ""


def _text_element(text: str) -> Any:
    written = etree.Element(f"{_W}t")
    written.text = text
    written.set(_SPACE, "preserve")
    return written


def _write_equations(root: Any) -> None:
    """Replace each equation by a run; one that is set apart keeps its distance from the text around it."""
    for equation in list(root.iter(f"{_M}oMath")):
        run, text = etree.Element(f"{_W}r"), equation_text(equation)
        block = equation.getparent()
        apart = block.tag == f"{_M}oMathPara"
        run.append(_text_element(f" {text} " if apart else text))
        (block if apart else equation).addprevious(run)
        _remove(equation)
    _remove_all(root.iter(f"{_M}oMathPara"))


# --- tables and runs


def _fit_grid(table: Any) -> None:
    """Give a table as many grid columns as its widest row takes: docling drops cells beyond the declared ones."""
    grid = table.find(f"{_W}tblGrid")
    if grid is None:
        grid = etree.Element(f"{_W}tblGrid")
        table.insert(0 if table.find(f"{_W}tblPr") is None else 1, grid)
    widest = max((_row_width(row) for row in table.iterchildren(f"{_W}tr")), default=0)
    for _ in range(len(grid), min(widest, _MOST_COLUMNS)):
        etree.SubElement(grid, f"{_W}gridCol")


def _row_width(row: Any) -> int:
    """How many grid columns a row takes; spans that make no sense are set right."""
    before = row.find(f"{_W}trPr/{_W}gridBefore")
    spans = [cell.find(f"{_W}tcPr/{_W}gridSpan") for cell in row.iterchildren(f"{_W}tc")]
    return _span(before, 0) + sum(_span(span, 1) for span in spans)


def _span(given: Any, otherwise: int) -> int:
    if given is None:
        return otherwise
    text = given.get(f"{_W}val", "")
    count = min(int(text), _MOST_COLUMNS) if re.fullmatch(r"[0-9]{1,12}", text) else otherwise
    given.set(f"{_W}val", str(count))
    return count


def _resolve_run(run: Any, styles: Styles) -> None:
    """Remove a run's formatting, and what it hides or strikes; write a raised figure in raised digits."""
    own = run.find(f"{_W}rPr")
    effective = styles.of_run(run)
    if is_on(effective.get("vanish")):
        _remove(run)
        return
    if is_on(effective.get("strike")) or is_on(effective.get("dstrike")):
        for text in run.iter(f"{_W}t"):
            text.text = ""
    before = _run_before(run)
    if before is not None and _text_of(before)[-1:].isdigit() and styles.is_raised(effective, before):
        for text in run.iter(f"{_W}t"):
            text.text = raised(text.text or "")
    if own is not None and own.find(f"{_W}vanish") is None:
        _remove(own)
    elif own is not None:  # hiding is switched off, which overrules the paragraph's style
        _remove_all(child for child in own if child.tag != f"{_W}vanish")


def _simplify(root: Any) -> None:
    """Drop rows without content, and make one run of neighbours: docling takes a millisecond for each."""
    _remove_all(row for row in root.iter(f"{_W}tr") if next(row.iter(*_CONTENT), None) is None)
    _remove_all(root.iter(*_MARKS))
    target = None  # the run that the next one may join
    for run in [run for run in root.iter(f"{_W}r") if _is_plain(run)]:
        if target is not None and run.getprevious() is target:
            target.extend(list(run))
            _remove(run)
        else:
            target = run


def _is_plain(run: Any) -> bool:
    """Whether a run holds nothing but text."""
    return all(child.tag in _PLAIN for child in run)


def _text_of(node: Any) -> str:
    return "".join(text.text or "" for text in node.iter(f"{_W}t"))


def _run_before(run: Any) -> Any:
    """The closest sibling before that has text."""
    return next((node for node in run.itersiblings(preceding=True) if _text_of(node)), None)
