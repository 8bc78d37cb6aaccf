"""Mails: their parts, encodings and character sets, forwarded and quoted mails, and HTML as mail programs write it."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP, SMTPUTF8, default
from html import escape

from tests.generators import html
from tests.generators.content import Content, Generated, Unread

CHARSETS = {
    "utf-8": "Opłata za {token} wynosi {price}",
    "iso-8859-1": "Die Gebühr für {token} beträgt {amount} Euro",
    "windows-1252": "Prix du {token} – {amount} € à l’avance",
    "iso-8859-15": "Prix du {token} : 25 € à l'avance",
    "koi8-r": "Цена {token} составляет {amount} рублей за месяц",
    "gb18030": "每月价格 {token} 为 {amount} 元",
    "utf-16": "Opłata za {token} wynosi {amount}",
}


def fill(c: Content, template: str) -> str:
    return c.fill(template.replace("{amount}", c.amount()))


def lines(c: Content, count: int = 3, **options: bool) -> str:
    """Paragraphs of plain text whose lines end inside sentences, as mail programs break them."""
    return "\n\n".join(wrapped(c.whole(c.sentence(), **options)) for _ in range(count))


def wrapped(text: str, width: int = 72, end: str = "\n") -> str:
    """A text in lines of at most so many characters."""
    out, line = [], ""
    for word in text.split(" "):
        if line and len(line) + len(word) >= width:
            out.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return end.join([*out, line])


def put_text(
    part: EmailMessage | MIMEPart, c: Content, text: str, subtype: str = "plain", *, other: bool = False
) -> None:
    """Set a part's text in a random transfer encoding; `other` adds a sentence, and the character set that it is in."""
    charset = c.random.choice(list(CHARSETS)) if other else "utf-8"
    if not encodable(text, charset, subtype):
        charset = "utf-8"
    if other:
        feature, c.feature = c.feature, f"{subtype} in {charset}"
        sentence = c.whole(fill(c, CHARSETS[charset]), folded=subtype == "plain")
        text = (
            text.replace("</body>", f"<p>{escape(sentence)}</p></body>")
            if subtype == "html"
            else f"{text}\n\n{sentence}\n"
        )
        c.feature = feature
    if subtype == "html":
        text = text.encode(charset, "xmlcharrefreplace").decode(charset)
    encoding = c.random.choice(["quoted-printable", "base64", "8bit"]) if charset != "utf-16" else "base64"
    part.set_content(text, subtype=subtype, charset=charset, cte=encoding)


def encodable(text: str, charset: str, subtype: str) -> bool:
    """Can the charset hold the text? HTML writes what it cannot hold as references."""
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        return subtype == "html"
    return True


def started(c: Content, subject: str = "") -> EmailMessage:
    """A mail with its headers. The subject is seen; who wrote when may be left out."""
    mail = EmailMessage(policy=default)
    c.feature = "subject"
    subject = subject or c.random.choice(["{}", "Re: {}", "Café {}", "Цена {}", "AW: {} – Preis"]).format(c.name())
    if c.maybe(0.2):
        subject = f"{subject} {c.name()} and {c.name()} for {c.name()}"  # longer than a line of a header
    mail["Subject"] = c.whole(subject, folded=True)
    mail["From"] = f"Office <{c.spare('office@example.org')}>"
    mail["To"] = c.spare("team@example.org")
    mail["Date"] = c.spare("Mon, 2 Mar 2026 09:00:00 +0100")
    return mail


# --- mails; each returns the message and the page that a browser shows for its HTML


Made = tuple[EmailMessage, str]


def plain(c: Content) -> Made:
    mail = started(c)
    c.feature = "plain"
    put_text(mail, c, lines(c, folded=True), other=True)
    return mail, ""


def flowed(c: Content) -> Made:
    """Lines that end in a space go on in the next one."""
    mail = started(c)
    c.feature = "flowed"
    text = "\n\n".join(wrapped(c.whole(c.sentence()), end=" \n") for _ in range(3))
    mail.set_content(text + "\n")
    mail.set_param("format", "flowed")
    return mail, ""


def html_only(c: Content) -> Made:
    mail = started(c)
    page = written(c)
    put_text(mail, c, page, "html", other=c.maybe())
    return mail, str(mail.get_content())


def written(c: Content) -> str:
    """The HTML of a mail, with what mail programs put around the text."""
    body = html.body(c, most=6)
    c.feature = "mail frame"
    kind = c.random.choice(["bare", "outlook", "newsletter", "signature", "list"])
    if kind == "outlook":
        only = f"<!--[if mso]><p>{c.hide()}</p><![endif]-->"
        empty = "<p class=MsoNormal><o:p>&nbsp;</o:p></p>"
        body = f"<div class=WordSection1>{only}{body}{empty}<p class=MsoNormal>{html.sentence(c)}<o:p></o:p></p></div>"
    elif kind == "newsletter":
        unseen = f'<div style="display:none;max-height:0;overflow:hidden">{c.hide()}</div>'
        body = f'{unseen}<table width="100%"><tr><td align="center"><table width="600"><tr><td>{body}</td></tr></table></td></tr></table>'
    elif kind == "list":  # a mailing list's foot, which some programs write behind the page
        return f"<html><head><style>{html.RULES}</style></head><body>{body}</body></html><p>{html.sentence(c)}</p>"
    elif kind == "signature":
        body += f'<div class="gmail_signature">{c.spare(c.token())}</div>'
    return f"<html><head><style>{html.RULES}</style></head><body>{body}</body></html>"


def alternative(c: Content) -> Made:
    """The same text as plain text and as HTML."""
    mail = started(c)
    c.feature = "alternative"
    texts = [c.whole(c.sentence()) for _ in range(3)]
    put_text(mail, c, "\n\n".join(wrapped(text) for text in texts))
    page = f"<html><body>{''.join(f'<p>{html.split(c, text)}</p>' for text in texts)}</body></html>"
    mail.add_alternative(page, subtype="html")
    return mail, page


def poor_alternative(c: Content) -> Made:
    """Plain text that is less than the HTML: a mail program shows the HTML."""
    mail = started(c)
    page = written(c)
    c.feature = "poor alternative"
    stub = c.random.choice(["Your mail program does not show HTML.", "View this mail in a browser.", " "])
    mail.set_content(c.spare(stub))
    mail.add_alternative(page, subtype="html")
    return mail, page


def attachments(c: Content) -> Made:
    """Text with files, which are named as left out."""
    mail = started(c)
    c.feature = "attachments"
    put_text(mail, c, lines(c, 2))
    name = f"{c.token()}.pdf"
    c.unread.append(Unread(c.token(), (name, "attachment")))
    mail.add_attachment(b"%PDF-1.4 x", maintype="application", subtype="pdf", filename=name)
    if c.maybe():
        inside, other = c.spare(c.token()), f"{c.token()}.txt"
        c.unread.append(Unread(inside, (other, "attachment")))
        mail.add_attachment(inside, filename=other)
    return mail, ""


def several_texts(c: Content) -> Made:
    """Text before and behind an attachment, and a foot that a mailing list adds."""
    mail = started(c)
    c.feature = "several texts"
    mail.make_mixed()
    for number in range(3):
        part = MIMEPart(policy=default)
        put_text(part, c, lines(c, 1))
        if number and c.maybe():
            part["Content-Disposition"] = "inline"
        mail.attach(part)
        if number == 0:
            mail.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="x.png")
    return mail, ""


def forwarded(c: Content, depth: int = 0) -> Made:
    """A mail inside a mail, some of them inside another one."""
    mail = started(c)
    c.feature = "forwarded"
    put_text(mail, c, lines(c, 1))
    maker = forwarded if depth == 0 and c.maybe(0.3) else c.random.choice([plain, alternative, attachments])
    inner, _ = maker(c, 1) if maker is forwarded else maker(c)
    mail.add_attachment(inner)
    return mail, ""


def forwarded_inline(c: Content) -> Made:
    mail = started(c)
    c.feature = "forwarded inline"
    head = c.random.choice(
        ["---------- Forwarded message ---------", "-----Original Message-----", "Begin forwarded message:"]
    )
    c.spare(f"{head} From Date To Subject Tue 24 Nov 2026 at 9:00")
    top = c.whole("Please see below.")
    name = c.name()
    who = f"From: Bob <{c.spare('bob@example.org')}>\nDate: Tue, 24 Nov 2026 at 9:00\nSubject: {c.show(name)}\nTo: Ann <{c.spare('ann@example.org')}>"
    mail.set_content(f"{top}\n\n{head}\n{who}\n\n{lines(c, 2)}\n")
    c.spare("Bob Ann")
    return mail, ""


def answered_above(c: Content) -> Made:
    """An answer above the mail that it quotes; what is quoted may be left out."""
    mail = started(c)
    c.feature = "answered above"
    answer = lines(c, 2)
    old = c.spare(c.sentence())
    introduced = c.random.choice(
        [
            "On Mon, 2 Feb 2026 at 10:00, Office <office@example.org> wrote:\n",
            "Am 02.02.2026 um 10:00 schrieb Office:\n",
            "On Mon, 2 Feb 2026 at 10:00, Office <\noffice@example.org> wrote:\n",
        ]
    )
    c.spare(introduced)
    mail.set_content(f"{answer}\n\n{introduced}> {old}\n> \n>> {c.spare(c.sentence())}\n")
    return mail, ""


def answered_between(c: Content) -> Made:
    """Answers below each question that the mail quotes."""
    mail = started(c)
    c.feature = "answered between"
    introduced = "On Mon, 2 Feb 2026 at 10:00, Office <office@example.org> wrote:"
    c.spare(introduced)
    pairs = [f"> {c.spare(c.sentence())}\n\n{c.whole(c.sentence())}\n" for _ in range(2)]
    mail.set_content(f"{introduced}\n" + "\n".join(pairs))
    return mail, ""


def answered_in_html(c: Content) -> Made:
    mail = started(c)
    c.feature = "answered in HTML"
    answer = f"<div dir=ltr>{html.sentence(c)}<div><br></div><div>{html.sentence(c)}</div></div>"
    head = c.spare("On Mon, 2 Feb 2026 at 10:00 Office wrote:")
    old = f'<div class="gmail_quote"><div class="gmail_attr">{head}</div><blockquote class="gmail_quote">{c.spare(c.sentence())}</blockquote></div>'
    page = f"<html><body>{answer}<br>{old}</body></html>"
    put_text(mail, c, page, "html")
    return mail, page


def signed_off(c: Content) -> Made:
    """A signature, which may be left out."""
    mail = started(c)
    c.feature = "signed off"
    mail.set_content(f"{lines(c, 2)}\n\n-- \n{c.spare(c.token())}\n{c.spare(c.token())}\n")
    return mail, ""


def related(c: Content) -> Made:
    """HTML with a picture that the mail carries."""
    mail = started(c)
    c.feature = "related"
    page = f'<html><body><p>{html.sentence(c)}</p><img src="cid:a@x" alt="{c.spare(c.token())}"><p>{html.sentence(c)}</p></body></html>'
    put_text(mail, c, page, "html")
    mail.add_related(b"\x89PNG", "image", "png", cid="<a@x>")
    return mail, page


def listed(c: Content) -> Made:
    """Plain text with lists and a price list made of spaces."""
    mail = started(c)
    c.feature = "listed"
    top, items = c.whole(c.sentence()), [c.whole(c.sentence()) for _ in range(3)]
    rows = []
    for _ in range(3):
        label, price = c.name(), c.price()
        c.show(f"{label} {price}")
        rows.append(f"{label:<28}{price}")
    mail.set_content(f"{top}\n\n" + "\n".join(f"* {item}" for item in items) + "\n\n" + "\n".join(rows) + "\n")
    return mail, ""


MAILS: tuple[Callable[[Content], Made], ...] = (
    plain,
    plain,
    flowed,
    html_only,
    html_only,
    html_only,
    alternative,
    poor_alternative,
    attachments,
    several_texts,
    forwarded,
    forwarded,
    forwarded_inline,
    answered_above,
    answered_between,
    answered_in_html,
    signed_off,
    related,
    listed,
)


def generate(seed: object) -> Generated:
    """A mail."""
    c = Content(f"eml {seed}")
    kind = c.random.random()
    if kind < 0.06:
        return undeclared(c, seed)
    mail, page = c.random.choice(MAILS)(c)
    policy = c.random.choice([default, SMTP, SMTPUTF8])
    data = mail.as_bytes(policy=policy)
    return c.made(f"mail-{seed}.eml", data, f"<meta charset=utf-8>{page}".encode() if page else b"")


def undeclared(c: Content, seed: object) -> Generated:
    """A mail whose bytes are in another character set than it declares, or in one that does not exist."""
    c.feature = "undeclared"
    declared = c.random.choice(
        ["", "Content-Type: text/plain; charset=utf-8\n", "Content-Type: text/plain; charset=x-unknown\n"]
    )
    head = (
        f"From: a@example.org\nSubject: {c.whole(c.name(), folded=True)}\n{declared}Content-Transfer-Encoding: 8bit\n"
    )
    text = "\n\n".join(c.whole(fill(c, "Die Gebühr für {token} beträgt {amount} € im Jahr")) for _ in range(3))
    c.spare("a@example.org")
    return c.made(f"mail-{seed}.eml", f"{head}\n{text}\n".encode("cp1252"), may_refuse=True)
