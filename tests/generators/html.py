"""Web pages. `body` is also what HTML mails are made of."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from tests.generators import tables
from tests.generators.content import Content, Generated


def split(content: Content, sentence: str) -> str:
    """A sentence as markup in which inline tags split words and join them to their neighbours."""
    out = []
    for word in sentence.split(" "):
        if len(word) < 5 or content.maybe(0.7):
            out.append(escape(word))
            continue
        at = content.random.randrange(2, len(word) - 1)
        first, rest = escape(word[:at]), escape(word[at:])
        patterns = ["<b>{}</b>{}", "{}<i>{}</i>", "{}<wbr>{}", "{}&shy;{}", "<b>{}</b><b>{}</b>", "{}&#8203;{}"]
        patterns += [
            '<span class="k">{}</span>{}',
            "{}<!-- x -->{}",
            "<em><u>{}</u></em>{}",
            '{}<font color="red">{}</font>',
        ]
        # A soft hyphen or the like inside a number would be odd; a tag is not.
        pattern = content.random.choice(patterns[:2] + patterns[4:5] if word[:1].isdigit() else patterns)
        out.append(pattern.format(first, rest))
    return content.random.choice([" ", " ", "\n", "&nbsp;"]).join(out) if content.maybe(0.2) else " ".join(out)


def sentence(content: Content) -> str:
    """A visible sentence as markup."""
    return split(content, content.whole(content.sentence()))


# --- features: each returns markup of blocks


def heading(content: Content) -> str:
    level = content.random.randrange(2, 5)
    return f"<h{level}>{split(content, content.whole(content.name()))}</h{level}>"


def paragraphs(content: Content) -> str:
    return "".join(f"<p>{sentence(content)} {sentence(content)}</p>" for _ in range(content.random.randrange(1, 4)))


def unclosed(content: Content) -> str:
    """Markup as people type it: nothing is closed, tags in capitals."""
    return f"<P>{sentence(content)}<P>{sentence(content)}<UL><LI>{sentence(content)}<LI>{sentence(content)}</UL>"


def divs(content: Content) -> str:
    """Text in `div` alone, also beside blocks."""
    inner = f"{sentence(content)}<div>{sentence(content)}</div>{sentence(content)}<p>{sentence(content)}</p>{sentence(content)}"
    return f"<div><div>{inner}</div></div>"


def breaks(content: Content) -> str:
    lines = [escape(content.whole(content.sentence())) for _ in range(3)]
    return f"<p>{'<br>'.join(lines)}</p>"


def amounts(content: Content) -> str:
    """An amount split over tags; cents as a raised part."""
    whole, cents = content.unique(
        lambda: f"{content.random.randrange(100, 999)}.{content.random.randrange(10, 99)}"
    ).split(".")
    other = content.amount()
    content.show("It costs €")
    content.show(f"{whole}.{cents}")
    content.whole(f"a month, {other} EUR a year")
    number = f"<b>{other[:1]}</b><b>{other[1:]}</b>"
    return f"<p>It costs <span>€</span><span>{whole}</span><sup>.{cents}</sup> a month, {number} EUR a year.</p>"


def footnote_marks(content: Content) -> str:
    amount, note = content.amount(), content.token()
    content.show(f"A {note} costs")
    content.show(amount)
    content.spare("1")
    content.show("EUR")
    mark = content.random.choice(
        ["<sup>1</sup>", '<sup><a href="#fn">1</a></sup>', "¹", '<span style="vertical-align:super">1</span>']
    )
    return f'<p>A {note} costs {amount}{mark} EUR.</p><p id="fn"><sup>1</sup> {sentence(content)}</p>'


def lowered(content: Content) -> str:
    """A sign that is lowered is part of its word."""
    word = content.token()
    content.show(f"{word} CO2 saved")
    return f"<p>{word} CO<sub>2</sub> saved</p>"


def links(content: Content) -> str:
    address, name, mail = content.address(), content.token(), f"{content.token()}@example.org"
    content.show(f"See the {name} page or write to {mail}")
    return f'<p>See the <a href="{address}">{name} page</a> or write to <a href="mailto:{mail}">{mail}</a>.</p>'


def list_of_conditions(content: Content) -> str:
    """Conditions with what holds under each below them, and text behind the inner list."""
    items = []
    for _ in range(2):
        condition = split(content, content.whole(f"On the {content.name()} plan:", repeats=True))
        inner = "".join(f"<li>{sentence(content)}</li>" for _ in range(2))
        items.append(f"<li>{condition}<ul>{inner}</ul>{sentence(content) if content.maybe() else ''}</li>")
    return f"<ul>{''.join(items)}</ul>"


def numbered(content: Content) -> str:
    kind = content.random.choice(["", ' type="a"', ' start="4"', " reversed"])
    content.spare("0 1 2 3 4 5 6 7 a b c")
    items = "".join(f"<li><p>{sentence(content)}</p><p>{sentence(content)}</p></li>" for _ in range(3))
    return f"<ol{kind}>{items}</ol>"


def definitions(content: Content) -> str:
    """Terms and definitions; a pair is a fact like that of a table without header."""
    labels, out = [content.name() for _ in range(3)], []
    for label in labels:
        value = content.price()
        content.cell(label)
        content.cell(value)
        content.rows.append(tables.Fact((), (label,), value, (tuple(labels),)))
        out.append(f"<dt>{label}</dt><dd>{value}</dd>")
    return f"<dl>{''.join(out)}</dl>"


def details(content: Content) -> str:
    question, answer = (
        content.whole(f"What does the {content.name()} cost?"),
        content.whole(content.sentence(), folded=True),
    )
    return f"<details><summary>{question}</summary><p>{answer}</p></details>"


def caption(content: Content) -> str:
    """A table and a picture with captions."""
    above = content.whole(f"All prices in {content.token()} without tax")
    grid = tables.table(content, (tables.plain, tables.tall_labels))
    below = content.whole(f"The {content.token()} from above")
    alt = content.spare(content.token())
    return f'{table_markup(grid, f"<caption>{above}</caption>")}<figure><img src="x.png" alt="{alt}"><figcaption>{below}</figcaption></figure>'


def table(content: Content) -> str:
    grid = tables.table(content)
    if content.maybe(0.2):
        return as_sections(grid)
    return table_markup(grid)


def table_markup(grid: tables.Grid, inside: str = "") -> str:
    rows = ["".join(cell_markup(cell) for cell in row) for row in grid.rows]
    return f"<table>{inside}{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def cell_markup(cell: tables.Cell, inside: str = "") -> str:
    name = "th" if cell.head else "td"
    spans = (f' colspan="{cell.columns}"' if cell.columns > 1 else "") + (
        f' rowspan="{cell.rows}"' if cell.rows > 1 else ""
    )
    return f"<{name}{spans}>{escape(cell.text).replace(chr(10), '<br>')}{inside}</{name}>"


def as_sections(grid: tables.Grid) -> str:
    """With `thead` and `tbody`, and cells of the header that are not `th`."""
    rows = [
        "<tr>" + "".join(cell_markup(tables.Cell(c.text, c.columns, c.rows)) for c in row) + "</tr>"
        for row in grid.rows
    ]
    top = f"<thead>{''.join(rows[: grid.heads])}</thead>" if grid.heads else ""
    return f"<table>{top}<tbody>{''.join(rows[grid.heads :])}</tbody></table>"


def nested_table(content: Content) -> str:
    """A table in a cell: its values belong to the row that the cell is in."""
    column, inner = content.name(), content.name()
    out = [f"<tr><th>{content.cell(content.name())}</th><th>{content.cell(column)}</th></tr>"]
    for _ in range(2):
        label, price, value = content.name(), content.price(), content.price()
        content.cell(f"{label} {price}")
        content.cell(f"{inner} {value}")
        content.rows += [
            tables.Fact((label,), (column,), price),
            tables.Fact((label,), (inner,), value),
        ]
        out.append(f"<tr><td>{label}</td><td>{price}<table><tr><td>{inner}</td><td>{value}</td></tr></table></td></tr>")
    return f"<table>{''.join(out)}</table>"


def lists_in_cells(content: Content) -> str:
    label, first, second = content.name(), content.token(), content.price()
    out = f"<tr><th>{content.cell(content.name())}</th><th>{content.cell(content.name())}</th></tr>"
    content.cell(f"{label} {first} {second}")
    content.rows += [tables.Fact((label,), (), first), tables.Fact((label,), (), second)]
    return f"<table>{out}<tr><td>{label}</td><td><ul><li>{first}</li><li>{second}</li></ul></td></tr></table>"


def layout_table(content: Content) -> str:
    """A table that only places blocks on the page, as mails and old pages have."""
    text = (
        f"<h3>{split(content, content.whole(content.name()))}</h3><p>{sentence(content)}</p><p>{sentence(content)}</p>"
    )
    return f'<table width="600" role="presentation"><tr><td><table><tr><td>{text}</td></tr></table></td></tr></table>'


def struck(content: Content) -> str:
    old, new = content.amount(), content.amount()
    tag = content.random.choice(
        ["<s>{}</s>", "<del>{}</del>", "<strike>{}</strike>", '<span style="text-decoration: line-through">{}</span>']
    )
    name = content.token()
    content.show(f"The {name} costs")
    content.spare(old)
    content.show(f"{new} EUR")
    return f"<p>The {name} costs {tag.format(old)} {new} EUR.</p>"


HIDDEN = (
    '<p style="display:none">{}</p>',
    '<p style="color:red; DISPLAY : none !important;">{}</p>',
    '<div class="gone"><p>{}</p></div>',
    '<p class="k off">{}</p>',
    '<p id="secret">{}</p>',
    "<p hidden>{}</p>",
    "<p><span hidden=''>{}</span></p>",
    "<!-- <p>{}</p> -->",
    '<p style="visibility:hidden">{}</p>',
    '<p><span class="unseen">{}</span></p>',
    "<template><p>{}</p></template>",
    "<script>var text = '{}';</script>",
    "<style>.x::before {{ content: '{}' }}</style>",
    '<div class="outer"><p class="inner">{}</p></div>',
    '<input type="hidden" value="{}">',
    "<dialog>{}</dialog>",
    "<datalist id=d><option>{}</option></datalist>",
    "<p><abbr title='{}'></abbr></p>",
    "<noscript>{}</noscript>",
)
RULES = (
    ".gone{display:none} p.off { display : none } #secret{display:none} .unseen{visibility:hidden}"
    " .outer > .inner{display:none} .block{display:block} .menu{display:none} .menu.open{display:block}"
    " @media print{.screen{display:none}} @media screen{.paper{display:none}}"
)


def hidden(content: Content) -> str:
    """Text that is not on the page, in two of many ways, between sentences that are."""
    first, second = content.random.sample(HIDDEN, 2)
    return f"<p>{sentence(content)}</p>{first.format(content.hide())}<p>{sentence(content)}</p>{second.format(content.hide())}"


def hidden_cells(content: Content) -> str:
    """A hidden row and a hidden cell."""
    label, price, column = content.name(), content.price(), content.name()
    out = f"<tr><th>{content.cell(content.name())}</th><th>{content.cell(column)}</th></tr>"
    content.cell(f"{label} {price}")
    content.rows.append(tables.Fact((label,), (column,), price))
    out += f'<tr style="display:none"><td>{content.hide()}</td><td>{content.hide()}</td></tr>'
    out += f'<tr><td>{label}</td><td>{price}<span style="display:none">{content.hide()}</span></td></tr>'
    return f"<table>{out}</table>"


SEEMS_HIDDEN = (
    '<div class="menu open">{}</div>',
    '<p aria-hidden="true">{}</p>',
    '<p class="screen">{}</p>',
    '<div style="visibility:hidden"><p style="visibility:visible">{}</p></div>',
    '<p style="display:block">{}</p>',
    '<p data-note="display:none">{}</p>',
)


def seems_hidden(content: Content) -> str:
    """Text that a careless reader takes for hidden, in two of several ways."""
    first, second = content.random.sample(SEEMS_HIDDEN, 2)
    shown = content.whole(f"Set display: none for {content.token()} & <b>{content.token()}</b>")
    return f"<p>{escape(shown)}</p>" + first.format(sentence(content)) + second.format(sentence(content))


def styled_blocks(content: Content) -> str:
    """Inline elements that a style turns into blocks: their words do not run together."""
    first, second = content.token(), content.token()
    content.show(f"{first} {second}")
    return f'<div><span class="block">{first}</span><span style="display:block">{second}</span></div>'


def form(content: Content) -> str:
    """Controls: what is on them is visible; filled values and choices may be kept."""
    legend, label, button = (content.whole(content.name()) for _ in range(3))
    choices = "".join(f"<option>{content.spare(content.token())}</option>" for _ in range(2))
    value = content.spare(content.token())
    return (
        f"<form><fieldset><legend>{legend}</legend><label>{label} <input value='{value}'></label>"
        f"<select>{choices}</select><textarea>{content.spare(content.token())}</textarea><button>{button}</button></fieldset></form>"
    )


def article(content: Content) -> str:
    """Parts with a header and a footer of their own, and a remark at the side: all of it is content."""
    name = content.whole(content.name())
    top, text, side, end = (sentence(content) for _ in range(4))
    return (
        f"<article><header><h2>{name}</h2><p>{top}</p></header><section><p>{text}</p><aside>{side}</aside></section>"
        f"<footer><p>{end}</p></footer></article>"
    )


def quotes(content: Content) -> str:
    return (
        f"<blockquote><p>{sentence(content)}</p>{sentence(content)}</blockquote>"
        f"<pre>{escape(content.whole(content.sentence()))}\n  {escape(content.whole(content.sentence()))}</pre>"
        f"<address>{sentence(content)}<br>{sentence(content)}</address>"
    )


def keys(content: Content) -> str:
    name = content.whole(f"Press Ctrl + {content.token()} to print")
    return f"<p>Press <kbd>Ctrl</kbd> + <kbd>{name.split()[3]}</kbd> to <code>print</code></p>"


def entities(content: Content) -> str:
    first, second = content.token(), content.amount()
    content.whole(f"Café {first} für {second} € – 5 < 6 & “gut”")
    return f"<p>Caf&eacute; {first} f&uuml;r {second}&nbsp;&#8364; &ndash; 5 &lt; 6 &amp; &#x201C;gut&rdquo;</p>"


def scripts(content: Content) -> str:
    return "".join(f"<p>{escape(content.whole(content.foreign()))}</p>" for _ in range(2))


FEATURES: tuple[Callable[[Content], str], ...] = (
    heading,
    paragraphs,
    unclosed,
    divs,
    breaks,
    amounts,
    footnote_marks,
    lowered,
    links,
    list_of_conditions,
    numbered,
    definitions,
    details,
    caption,
    table,
    table,
    table,
    table,
    nested_table,
    lists_in_cells,
    layout_table,
    struck,
    hidden,
    hidden,
    hidden_cells,
    seems_hidden,
    styled_blocks,
    form,
    article,
    quotes,
    keys,
    entities,
    scripts,
)
# What a page in a charset can hold, and how the page declares it.
CHARSETS = {
    "windows-1252": "Gebühr für {token}: {price} – „fällig“",
    "iso-8859-15": "Prix du {token} : 25 €, payé à l'avance",
    "koi8-r": "Цена {token} составляет 15 EUR за месяц",
    "utf-16": "Opłata za {token} wynosi {price}",
    "utf-8": "Opłata za {token} wynosi {price}",
    "shift_jis": "料金 {token} は {number} 円です",
}


def body(content: Content, features: tuple[Callable[[Content], str], ...] = FEATURES, most: int = 9) -> str:
    """Blocks of a few random features."""
    out = []
    for feature in content.random.choices(features, k=content.random.randrange(3, most)):
        content.feature = feature.__name__
        out.append(feature(content))
    return content.random.choice(["", "\n", "\n  "]).join(out)


def framed(content: Content, inner: Callable[[], str]) -> str:
    """The page around its content: heading, menu, cookie notice, footer."""
    content.feature = "frame"
    title = f"<h1>{content.whole(content.name())}</h1>"
    frame = content.random.choice(["bare", "main", "form", "divs", "heading outside"])
    menu = f"<nav><ul><li>{content.spare(content.token())}</li><li>{content.spare('Log in')}</li></ul></nav>"
    cookies = f"<div id='cookie-banner'><p>{content.spare('We use cookies, accept all?')}</p></div>"
    end = f"<footer><p>{content.spare('© Example, imprint')}</p></footer>"
    if frame == "bare":
        return title + inner()
    if frame == "main":
        return f"{menu}{cookies}<main>{title}{inner()}</main>{end}"
    if frame == "form":  # as old servers' pages are: all of the page is one form
        return f"<form action='x.aspx'><input type=hidden name=state value='{content.hide()}'>{title}{inner()}</form>"
    if frame == "divs":
        return f"{menu}<div class='wrap'><div class='content'>{title}{inner()}</div></div>{end}"
    return f"{menu}{title}<main>{inner()}</main>{end}"


def document(content: Content, charset: str, head: str = "") -> str:
    """A whole page."""
    middle = framed(content, lambda: body(content))
    content.feature = f"charset {charset}"
    middle += f"<p>{escape(content.whole(content.fill(CHARSETS[charset])))}</p>"
    title = content.spare(content.name())
    if content.maybe(0.1):  # no frame of a page at all
        return f"{head}<style>{RULES}</style>{middle}"
    return f"<!doctype html><html><head>{head}<title>{title}</title><style>{RULES}</style></head><body>{middle}</body></html>"


def declared(content: Content, charset: str) -> str:
    if charset == "utf-16":
        return ""  # its byte order mark declares it
    return content.random.choice(
        [f'<meta charset="{charset}">', f'<meta http-equiv="Content-Type" content="text/html; charset={charset}">']
    )


def generate(seed: object) -> Generated:
    """A page."""
    content = Content(f"html {seed}")
    charset = content.random.choice(["utf-8"] * 6 + list(CHARSETS))
    page = document(content, charset, declared(content, charset))
    data = page.encode(charset, "xmlcharrefreplace")
    if charset == "utf-8" and content.maybe(0.1):
        data = b"\xef\xbb\xbf" + data
    return content.made(f"page-{seed}.html", data, data)
