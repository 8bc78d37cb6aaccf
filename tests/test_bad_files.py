"""Files that mean harm or were made by accident: each gets a clear refusal, and harms nothing beside it."""

from __future__ import annotations

import io
import zipfile

import openpyxl
import pytest
from reportlab.pdfgen import canvas

from domains.spec import InvalidInput, TooLarge
from ingest.folder import files, ingest, submission
from ingest.guard import read_within
from ingest.limits import DEFAULTS, Limits
from ingest.metadata import Metadata
from tests.shelf import EVERYONE

SMALL = Limits(file_bytes=2_000_000, unpacked_bytes=5_000_000, pdf_pages=20, text_characters=50_000, read_seconds=20)


def pdf(pages, lines=3):
    out = io.BytesIO()
    drawn = canvas.Canvas(out)
    for page in range(pages):
        for line in range(lines):
            drawn.drawString(72, 800 - 12 * (line % 60), f"Page {page} says that line {line} costs {line} EUR.")
        drawn.showPage()
    drawn.save()
    return out.getvalue()


def looping_pdf():
    """A page whose form draws itself, under a page tree that is its own child."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [2 0 R 3 0 R] /Count 2 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R /Resources << /XObject << /F 5 0 R >> >> >>",
        b"<< /Length 5 >>\nstream\n/F Do\nendstream",
        b"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /F 5 0 R >> >> /Length 11 >>\nstream\n/F Do /F Do\nendstream",
    ]
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + table
    return out + b"trailer << /Root 1 0 R /Size 6 >>\nstartxref\n%d\n%%%%EOF\n" % start


def bomb(ending):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        inner = "word/document.xml" if ending == "docx" else "xl/workbook.xml"
        archive.writestr(inner, b"<a>" + b" " * 20_000_000)
    return out.getvalue()


def sheet(*rows):
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def entities():
    """An office file whose XML would grow a thousandfold by entities that hold entities."""
    out = io.BytesIO()
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    xml = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><w:document xmlns:w="x"><w:t>&l9;</w:t></w:document>'
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("word/document.xml", xml)
        archive.writestr("[Content_Types].xml", xml)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("long.pdf", pdf(21), "21 pages"),
        ("loop.pdf", looping_pdf(), "loop.pdf"),
        ("bomb.docx", bomb("docx"), "unpacks"),
        ("bomb.xlsx", bomb("xlsx"), "unpacks"),
        ("laughs.docx", entities(), "damaged"),
        ("laughs.xlsx", entities(), "damaged"),
        ("no.xlsx", b"PK\x03\x04 no archive", "damaged"),
        ("empty.xlsx", sheet(), "no words"),
        ("no.eml", b"\x00\x01 nothing", "not a mail"),
        ("big.csv", b"a,b\n" + b"1,2\n" * 600_000, "larger than"),
        ("wordy.txt", b"word " * 20_000, "characters"),
    ],
)
def test_it_is_refused_by_name_and_soon(name, data, told):
    with pytest.raises(InvalidInput) as raised:
        read_within(SMALL, name, data)
    assert name in str(raised.value)
    assert told in str(raised.value)
    assert read_within(SMALL, "after.txt", b"The next one is read."), "nothing is left behind"


def test_what_takes_too_long_or_too_much_memory_is_stopped():
    with pytest.raises(InvalidInput, match="not read within"):
        read_within(Limits(read_seconds=1.5), "slow.pdf", pdf(300, lines=50))
    with pytest.raises(InvalidInput, match="memory"):
        read_within(Limits(read_bytes=20_000_000), "hungry.pdf", pdf(100, lines=50))


def test_a_file_over_the_limit_is_not_even_opened(tmp_path):
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(200_000_000)
    with pytest.raises(TooLarge, match="larger than 20,000,000 bytes"):
        submission(path, Metadata(), DEFAULTS)


def test_links_out_of_the_folder_and_unreadable_files_are_refused_and_the_rest_is_published(shelf, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "outside.md").write_text("# Outside\n\nNot for you: 99 EUR.\n")
    (folder / "a.md").symlink_to(tmp_path / "outside.md")
    (folder / "b.md").symlink_to(tmp_path / "nowhere.md")
    (folder / "c.md").write_text("# C\n\nC costs 5 EUR.\n")
    outcomes = list(
        ingest(
            [*files(folder), folder / "gone.md"],
            lambda s: shelf.publisher.publish(s, "test", EVERYONE),
            Metadata(audience=frozenset({"public"}), effective_from="2026-01-01"),
            DEFAULTS,
            folder,
        )
    )
    assert [(o.path.name, bool(o.published)) for o in outcomes] == [("a.md", False), ("c.md", True), ("gone.md", False)]
    assert "leads out" in outcomes[0].refusal


@pytest.mark.parametrize(
    "name", ["../../etc/passwd.md", "/etc/passwd.md", "a\x00b.md", "..", "-.md", "x" * 5000 + ".md"]
)
def test_names_lead_nowhere(shelf, name):
    before = sorted(shelf.home.parent.iterdir())
    outcome = next(published_or_refused(shelf, submission_of(name, b"# T\n\nIt costs 5 EUR.\n")))
    assert "/" not in outcome
    assert "\x00" not in outcome
    assert sorted(shelf.home.parent.iterdir()) == before


def published_or_refused(shelf, submitted):
    try:
        yield shelf.publisher.publish(submitted, "test", EVERYONE).doc_id
    except InvalidInput as error:
        yield error.field


def submission_of(name, data):
    from ingest.drafting import Submission

    return Submission(name, data, Metadata(audience=frozenset({"public"}), effective_from="2026-01-01"))


def test_another_title_under_a_known_id_is_refused_until_it_is_meant(shelf):
    shelf.publish("prices", "# Prices\n\nIt costs 5 EUR.\n", title="Prices")
    with pytest.raises(InvalidInput, match="allow_retitle"):
        shelf.publish("prices", "# Refunds\n\nRefunds take 9 days.\n", "2026-05-01", title="Refunds")
    assert (
        shelf.publish("prices", "# New\n\nIt costs 6 EUR.\n", "2026-05-01", title="New", allow_retitle=True).version
        == 2
    )
