"""Every broken or hostile file ends in text or in a refusal that names the file and the reason, within the limits."""

from __future__ import annotations

import http.server
import io
import threading
import time
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domains.spec import InvalidInput
from ingest.blocks import render
from ingest.guard import read_within
from ingest.limits import Limits
from tests.generated_files import FORMATS, generate
from tests.hostile_files import HOSTILE, docx_of, foreign_entity, page, with_part

LIMITS = Limits(read_seconds=20, read_bytes=1_000_000_000)
# These reach a limit, end the reading process, or take seconds to make: `make test-slow` runs them.
LONG = frozenset(
    """bomb.xlsx|60,000 parts.docx|wide cell.docx|100,000 runs.docx|50,000 rows.docx|10,000 columns.xlsx|far cell.xlsx
    a million empty rows.xlsx|a million styled cells.xlsx|merged all.xlsx|huge row number.xlsx|deep divs.html
    deep lists.html|deep quotes.html|deep tables.html|deep letters.html|unclosed.html|misnested.html|100,000 cells.html
    many rules.html|100,000 attributes.html|one long attribute.html|only brackets.html|10,000 columns.md|template.md
    brackets.md|pictures.md|references.md|forms in forms.pdf|inflating.pdf|inflating twice.pdf|crossing lines.pdf
    5,000 siblings.eml|long subject.eml|deep quotes.eml|deep page.eml|wrote wrote.eml|one long line.eml|only quotes.csv
    only commas.csv|10,000 columns.csv|open quote.csv|dots.txt|empty lines.txt|one long line.txt""".replace(
        "\n    ", "|"
    ).split("|")
)
STARTING = 40  # seconds that a new reading process may take on a busy machine; not part of any limit


def ends_well(name: str, data: bytes) -> str:
    """The stored text, or the refusal. Any other exception is a failure."""
    begun = time.monotonic()
    text, refused = read_or_refusal(name, data)
    assert time.monotonic() - begun < LIMITS.read_seconds + STARTING
    if refused:
        assert text.startswith(f"{name}: "), "the refusal names the file"
        assert len(text) > len(name) + 12, "the refusal names the reason"
    text.encode()  # an unpaired surrogate could be neither stored nor sent
    assert "\0" not in text
    return text


def read_or_refusal(name: str, data: bytes) -> tuple[str, bool]:
    try:
        return render(read_within(LIMITS, name, data).blocks), False
    except InvalidInput as refusal:  # UnsupportedMedia and TooLarge are kinds of it
        return refusal.detail, True


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.hostile if n in LONG else ()) for n in HOSTILE])
def test_it_is_read_or_refused_by_name_and_the_next_file_is_read(name):
    ends_well(name, HOSTILE[name]())
    assert "5 EUR" in ends_well("after.txt", b"The next one costs 5 EUR.")


FUZZ = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
MADE = st.sampled_from([(name, seed) for name in FORMATS for seed in range(4)])


@FUZZ
@given(MADE, st.floats(0, 1))
def test_a_file_that_was_cut_off_is_read_or_refused(made, part):
    file = generate(*made)
    ends_well(file.filename, file.data[: int(len(file.data) * part)])


@FUZZ
@given(MADE, st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=40))
def test_a_file_with_flipped_bits_is_read_or_refused(made, flips):
    file = generate(*made)
    data = bytearray(file.data)
    for place, bit in flips:
        data[int(place * len(data))] ^= 1 << bit
    ends_well(file.filename, bytes(data))


@FUZZ
@given(st.sampled_from(["docx", "xlsx"]), st.data())
def test_a_part_with_flipped_bits_is_read_or_refused(format_name, data):
    """The archive itself is whole: the XML inside it is not."""
    file = generate(format_name, data.draw(st.integers(0, 3)))
    part = "word/document.xml" if format_name == "docx" else "xl/worksheets/sheet1.xml"
    inside = bytearray(part_of(file.data, part))
    for place in data.draw(st.lists(st.integers(0, len(inside) - 1), min_size=1, max_size=20)):
        inside[place] ^= 1 << (place % 8)
    ends_well(file.filename, with_part(file.data, part, bytes(inside)))


def part_of(data: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(name)


@FUZZ
@given(st.sampled_from([".csv", ".docx", ".eml", ".html", ".md", ".pdf", ".txt", ".xlsx"]), st.binary(max_size=300))
def test_any_bytes_under_any_ending_are_read_or_refused(ending, data):
    ends_well(f"any{ending}", data)


@pytest.mark.parametrize(
    "format_name", [pytest.param(f"{data}.{name}") for name in FORMATS for data in FORMATS if data != name]
)
def test_a_file_under_the_ending_of_another_format_is_read_or_refused(format_name):
    data, _, name = format_name.partition(".")
    text = ends_well(f"misnamed.{name}", generate(data, 1).data)
    assert "<html" not in text


def test_no_file_of_the_server_comes_into_the_text(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("glaubrinost")
    local = [
        ("entity.docx", foreign_entity(str(secret))),
        (
            "frame.html",
            page(f'<iframe src="{secret.as_uri()}"></iframe><link rel="stylesheet" href="{secret.as_uri()}">'),
        ),
        ("include.md", f"It costs 5 EUR.\n\n![x]({secret.as_uri()})\n".encode()),
        ("link.html", page(f'<img src="{secret}"><object data="{secret.as_uri()}"></object>')),
    ]
    for name, data in local:
        assert "glaubrinost" not in ends_well(name, data)


def test_reading_fetches_nothing():
    """Pictures, style sheets, frames and external entities stay where they are."""
    asked: list[str] = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at = f"http://127.0.0.1:{server.server_port}"
    head = f'<link rel="stylesheet" href="{at}/link"><style>@import url("{at}/import");p{{background:url({at}/css)}}</style><base href="{at}/">'
    body = f'<img src="{at}/img"><iframe src="{at}/frame"></iframe><object data="{at}/object"></object><script src="{at}/js"></script>'
    mail = b"From: a@x.example\nSubject: x\nContent-Type: text/html\n\n" + page(body, head)
    document = f'<?xml version="1.0"?><!DOCTYPE x SYSTEM "{at}/dtd">'.encode() + part_of(
        docx_of("<w:p/>"), "word/document.xml"
    )
    rels = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId90" TargetMode="External" '
        f'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/image" Target="{at}/docx-image"/></Relationships>'
    )
    files = [
        ("page.html", page(body, head)),
        ("page.md", f"It costs 5 EUR.\n\n![x]({at}/md) <img src='{at}/md-img'>\n".encode()),
        ("mail.eml", mail),
        ("dtd.docx", with_part(docx_of("<w:p/>"), "word/document.xml", document)),
        ("rels.docx", with_part(generate("docx", 1).data, "word/_rels/document.xml.rels", rels.encode())),
    ]
    for name, data in files:
        ends_well(name, data)
    server.shutdown()
    server.server_close()
    assert asked == []
