"""Markdown as wikis and site generators hold it: CommonMark, the usual extensions, HTML, front matter, template marks."""

from __future__ import annotations

from collections.abc import Callable

from tests.generators import html, tables
from tests.generators.content import Content, Generated, Unread


def split(content: Content, sentence: str) -> str:
    """A sentence with emphasis around words and inside them."""
    out = []
    for word in sentence.split(" "):
        if len(word) < 5 or not word.isalpha() or content.maybe(0.7):
            out.append(word.replace("<", "&lt;").replace("*", r"\*"))
            continue
        at = content.random.randrange(2, len(word) - 1)
        pattern = content.random.choice(
            ["**{}**{}", "{}*{}*", "<b>{}</b>{}", "{}&shy;{}", "**{}{}**", "_{}{}_", "`{}{}`", "{}<wbr>{}"]
        )
        out.append(pattern.format(word[:at], word[at:]))
    return " ".join(out)


def sentence(c: Content) -> str:
    return split(c, c.whole(c.sentence()))


# --- features: each returns a block


def heading(c: Content) -> str:
    text = split(c, c.whole(c.name()))
    mark = c.random.choice(["## {}", "### {} ###", "{}\n-----", "## {} {{#" + c.hide(c.token()) + "}}"])
    return mark.format(text)


def paragraphs(c: Content) -> str:
    return "\n\n".join(f"{sentence(c)}\n{sentence(c)}" for _ in range(c.random.randrange(1, 4)))


def hard_breaks(c: Content) -> str:
    return "  \n".join(sentence(c) for _ in range(2)) + "\\\n" + sentence(c)


def escapes(c: Content) -> str:
    first, second = c.token(), c.amount()
    c.show(f"1. {first} costs {second} € & *nothing* else _really_ <b> #1")
    return rf"1\. {first} costs {second} &euro; &amp; \*nothing\* else \_really\_ \<b\> \#1"


def links(c: Content) -> str:
    first, second, third, mail = c.token(), c.token(), c.token(), f"{c.token()}@example.org"
    one, two, three = c.address(), c.address(), c.address()
    c.show(f"See {first} page or {second} or {third} or write to {mail}")
    c.show(three)
    alt, title = c.spare(c.token()), c.spare(c.token())
    return (
        f'See [{first} page]({one} "{title}") or [{second}][{second}] or [{third}] or write to <{mail}>\n<{three}>'
        f" ![{alt}](x.png)\n\n[{second}]: {two}\n[{third}]: {c.address()} 'x'"
    )


def list_of_conditions(c: Content) -> str:
    out = []
    for _ in range(2):
        out.append(f"- {split(c, c.whole(f'On the {c.name()} plan:', repeats=True))}")
        out += [f"  - {sentence(c)}" for _ in range(2)]
    return "\n".join(out)


def loose_list(c: Content) -> str:
    """Items of several paragraphs, and text that goes on in the next line."""
    return "\n\n".join(f"* {sentence(c)}\n\n  {sentence(c)}\n{sentence(c)}" for _ in range(2))


def numbered(c: Content) -> str:
    c.spare("1 2 3 4 5 6 7 8 9 10")
    start = c.random.randrange(1, 8)
    return "\n".join(f"{start + i}{c.random.choice('.')} {sentence(c)}" for i in range(3))


def tasks(c: Content) -> str:
    c.spare("x")
    return "\n".join(f"- [{mark}] {sentence(c)}" for mark in ("x", " ", "X"))


def definitions(c: Content) -> str:
    """Terms with definitions, an extension that many site generators have."""
    labels, out = [c.name() for _ in range(2)], []
    for label in labels:
        value = c.price()
        c.cell(f"{label} {value}")
        out.append(f"{label}\n: {value}")
    return "\n\n".join(out)


PIPED = (tables.plain, tables.years, tables.gaps, tables.hard_cells)


def table(c: Content) -> str:
    grid = tables.table(c, PIPED)
    edge = c.random.choice(["|", ""]) if grid.kind != "gaps" else "|"
    rows = []
    for number, row in enumerate(grid.rows):
        cells = [cell.text.replace("|", r"\|").replace("\n", "<br>") for cell in row]
        rows.append(f"{edge} {' | '.join(cells)} {edge}".strip())
        if number == 0:
            rows.append(
                "|".join(["", *[c.random.choice([" --- ", ":--", " :-: "]) for _ in row], ""])
                if edge
                else " | ".join(["---"] * len(row))
            )
    return "\n".join(rows)


def html_table(c: Content) -> str:
    return html.table_markup(tables.table(c))


def details(c: Content) -> str:
    question = c.whole(f"What does the {c.name()} cost?")
    answer = split(c, c.whole(c.sentence(), folded=True))
    return f"<details>\n<summary>{question}</summary>\n\n{answer}\n\n</details>"


def html_blocks(c: Content) -> str:
    first = f'<div class="note">\n<p>{c.whole(c.sentence())}</p>\n</div>'
    second = f"<div>\n\n{sentence(c)}\n\n</div>"
    name = c.token()
    c.show(f"Press Ctrl {name} now")
    return f"{first}\n\n{second}\n\nPress <kbd>Ctrl</kbd> <kbd>{name}</kbd> <span class='x'>now</span>"


def footnote_marks(c: Content) -> str:
    amount, name = c.amount(), c.token()
    c.show(f"A {name} costs {amount}")
    c.spare("1")
    c.show("EUR")
    return f"A {name} costs {amount}<sup>1</sup> EUR"


def footnotes(c: Content) -> str:
    amount, name, mark = c.amount(), c.token(), c.spare(c.token())
    c.show(f"A {name} costs {amount}")
    c.show("EUR")
    c.spare("1 2 3 4")
    note = c.whole(c.sentence(), loose=True)
    return f"A {name} costs {amount}[^{mark}] EUR\n\n[^{mark}]: {note}"


def struck(c: Content) -> str:
    old, new, name = c.amount(), c.amount(), c.token()
    c.show(f"The {name} costs")
    c.spare(old)
    c.show(f"{new} EUR")
    return f"The {name} costs {c.random.choice(['~~{}~~', '<del>{}</del>', '<s>{}</s>']).format(old)} {new} EUR"


def code(c: Content) -> str:
    """Code is text, also where it looks like markup; with a template's mark in it, it is read or reported."""
    if c.maybe(0.2):
        text = f"send --to {{{{ {c.spare(c.token())} }}}} {c.token()}"
        c.spare(text)
        c.unread.append(Unread(text, ("template",)))
    else:
        text = f"send --to {c.token()} <b>{c.token()}</b>"
        c.show(text)
    language = c.hide(c.token()) if c.maybe(0.3) else c.random.choice(["", "sh"])
    return (
        f"```{language}\n{text}\n```"
        if c.maybe()
        else "    " + text
        if not language
        else f"~~~ {language}\n{text}\n~~~"
    )


def inline_code(c: Content) -> str:
    first, second = c.token(), c.token()
    c.show(f"Use {first} <{second}> here")
    return f"Use `{first}` ``<{second}>`` here"


def quotes(c: Content) -> str:
    return f"> {sentence(c)}\n> {sentence(c)}\n>\n> > {sentence(c)}\n> - {sentence(c)}"


def hidden(c: Content) -> str:
    """Comments and hidden elements."""
    kinds = [
        "<!-- {} -->",
        "<!--\n{}\n\n{}\n-->",
        '<div style="display:none">\n{}\n</div>',
        "<p hidden>{}</p>",
        "[//]: # ({})",
        "[comment]: <> ({})",
        "<script>\nvar x = '{}';\n</script>",
    ]
    kind = c.random.choice(kinds)
    block = kind.replace("{}", c.hide(), 1)
    block = block.replace("{}", c.hide()) if "{}" in block else block
    return f"{sentence(c)}\n\n{block}\n\n{sentence(c)}"


def hidden_inline(c: Content) -> str:
    """A comment and a hidden element inside a sentence."""
    name = c.token()
    c.whole(f"The {name} closes at noon")
    mark = c.random.choice(["<!-- {} -->", '<span style="display:none">{}</span>', "<span hidden>{}</span>"])
    return f"The {name} {mark.format(c.hide())} closes at noon"


def templates(c: Content) -> str:
    """Marks of site generators around text; their own words are not text."""
    kind = c.random.choice(["fence", "shortcode", "include", "value", "admonition", "alert", "attribute"])
    if kind == "fence":
        c.spare("note")
        return f":::note\n{sentence(c)}\n:::"
    if kind == "shortcode":
        name = c.hide(c.token())
        return f'{{{{< {name} size="2" >}}}}\n{sentence(c)}\n{{{{< /{name} >}}}}'
    if kind == "include":
        return f"{{% include {c.hide(c.token())}.html %}}\n\n{sentence(c)}"
    if kind == "value":
        name = c.token()  # a sentence without its value is better left out, and reported
        c.spare(f"The {name} costs EUR")
        c.unread.append(Unread(name, ("template",)))
        return f"The {name} costs {{{{ site.{c.hide(c.token())} }}}} EUR."
    if kind == "admonition":
        c.spare("note")
        return f'!!! note "{c.show(c.name())}"\n    {sentence(c)}'
    if kind == "alert":
        c.spare("WARNING")
        return f"> [!WARNING]\n> {sentence(c)}"
    return f"{sentence(c)}\n{{: .{c.hide(c.token())} }}"


def scripts(c: Content) -> str:
    return "\n\n".join(c.whole(c.foreign()) for _ in range(2))


def rules(c: Content) -> str:
    return f"{sentence(c)}\n\n---\n\n{sentence(c)}\n\n***\n\n{sentence(c)}"


FEATURES: tuple[Callable[[Content], str], ...] = (
    heading,
    heading,
    paragraphs,
    paragraphs,
    hard_breaks,
    escapes,
    links,
    list_of_conditions,
    loose_list,
    numbered,
    tasks,
    definitions,
    table,
    table,
    table,
    html_table,
    html_table,
    details,
    html_blocks,
    footnote_marks,
    footnotes,
    struck,
    code,
    inline_code,
    quotes,
    hidden,
    hidden_inline,
    templates,
    templates,
    scripts,
    rules,
)


def front_matter(c: Content) -> str:
    """What stands before the page: keys of other tools too. A title may be used."""
    title = c.spare(c.name())
    kind = c.random.choice(["", "", "yaml", "yaml", "toml", "rule"])
    if kind == "yaml":
        layout, tag = c.hide(c.token()), c.hide(c.token())
        return f'---\ntitle: "{title}"\nsidebar_position: 3\nlayout: {layout}\ntags: [{tag}, x]\nnested:\n  key: {c.hide(c.token())}\n---\n\n'
    if kind == "toml":
        return f'+++\ntitle = "{title}"\nweight = 10\nlayout = "{c.hide(c.token())}"\n[params]\n  key = "{c.hide(c.token())}"\n+++\n\n'
    if kind == "rule":  # it only looks like front matter
        return f"---\n\n{sentence(c)}\n\n---\n\n"
    return ""


def generate(seed: object) -> Generated:
    """A page."""
    c = Content(f"markdown {seed}")
    c.feature = "front matter"
    blocks = [front_matter(c) + f"# {c.whole(c.name())}"]
    for feature in c.random.choices(FEATURES, k=c.random.randrange(3, 10)):
        c.feature = feature.__name__
        blocks.append(feature(c))
        blocks.append(sentence(c))  # so that no block goes on in the next one
    text = "\n\n".join(blocks) + "\n"
    ends = c.random.choice(["\n", "\n", "\r\n"])
    mark = b"\xef\xbb\xbf" if c.maybe(0.1) else b""
    return c.made(f"page-{seed}.md", mark + text.replace("\n", ends).encode())
