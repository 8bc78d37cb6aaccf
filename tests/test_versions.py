"""Which version holds: the rule, by examples and against a second, slower statement of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.spec import InvalidInput
from retrieval.timestamps import parse_instant, show_instant
from retrieval.versions import History, Retraction, Version, readable

DAY = datetime(2026, 1, 1, tzinfo=UTC)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def version(number, start, end=None, audience=("public",), revision=None, doc_id="d", supersedes=()):
    return Version(
        doc_id,
        number,
        "t",
        DAY + timedelta(days=start),
        None if end is None else DAY + timedelta(days=end),
        frozenset(audience),
        50,
        tuple(supersedes),
        f"c{number}",
        number if revision is None else revision,
    )


def held(history, day, revision=99):
    found = history.holding(DAY + timedelta(days=day), revision)
    return found and found.version


def test_a_new_version_ends_the_one_before_and_a_planned_one_waits():
    history = History((version(1, 0), version(2, 60), version(3, 30)))
    assert [held(history, d) for d in (-1, 0, 29, 30, 59, 60)] == [None, 1, 1, 3, 3, 2]


def test_a_campaign_gives_way_to_the_price_under_it():
    history = History((version(1, 0), version(2, 10, 20)))
    assert [held(history, d) for d in (9, 10, 19, 20)] == [1, 2, 2, 1]


def test_retraction_ends_what_was_known_then_and_not_what_comes_later():
    history = History((version(1, 0), version(2, 50, revision=4)), (Retraction("d", DAY + timedelta(days=30), 3),))
    assert [held(history, d) for d in (29, 30, 49, 50)] == [1, None, None, 2]
    assert held(history, 40, revision=2) == 1, "as known before the retraction"


def test_a_version_ends_where_a_later_one_begins_as_far_as_a_reader_may_know():
    public, agents = frozenset({"public"}), frozenset({"public", "agents"})
    first, campaign, hidden = version(1, 0), version(2, 10, 20), version(3, 40, audience=("agents",))
    history = History((first, campaign, hidden))
    ends = [history.end(v, 99, who) for v in (first, campaign) for who in (public, agents)]
    assert ends == [DAY + timedelta(days=day) for day in (10, 10, 20, 20)]
    late = History((first, hidden))
    assert late.end(first, 99, public) is None, "the end set by a version that one may not read is not told"
    assert late.end(first, 99, agents) == DAY + timedelta(days=40)
    assert late.end(first, 2, agents) is None, "as known before it was recorded"


def test_the_audience_is_checked_after_the_holding_version_is_chosen():
    history = History((version(1, 0), version(2, 10, audience=("agents",))))
    public = frozenset({"public"})
    assert [v.version for v in readable([history], public, DAY, 99).versions] == [1]
    assert readable([history], public, DAY + timedelta(days=10), 99).versions == ()


def test_a_superseded_document_gives_way_where_its_successor_is_readable():
    old, new = History((version(1, 0, doc_id="old"),)), History((version(1, 5, doc_id="new", supersedes=("old",)),))
    names = [
        [v.doc_id for v in readable([old, new], frozenset({"public"}), DAY + timedelta(d), 9).versions] for d in (0, 5)
    ]
    assert names == [["old"], ["new"]]


days = st.integers(0, 12)


@given(
    st.lists(st.tuples(days, st.none() | st.integers(1, 9)), max_size=6),
    st.lists(st.tuples(days, st.integers(0, 8)), max_size=3),
    st.integers(-1, 14),
    st.integers(0, 8),
)
def test_the_rule_equals_its_second_statement(stated, ended, day, revision):
    versions = tuple(version(i, s, None if n is None else s + n) for i, (s, n) in enumerate(stated, 1))
    retractions = tuple(Retraction("d", DAY + timedelta(days=at), r) for at, r in ended)
    moment, best = DAY + timedelta(days=day), None
    for v in versions:
        ends = [v.effective_to] if v.effective_to else []
        ends += [r.at for r in retractions if v.revision < r.revision <= revision]
        covers = v.revision <= revision and v.effective_from <= moment and all(moment < end for end in ends)
        if covers and (best is None or v.effective_from >= best.effective_from):
            best = v
    assert History(versions, retractions).holding(moment, revision) == best


def test_a_token_moves_only_with_what_its_caller_may_read():
    public, hidden = History((version(1, 0),)), History((version(1, 0, audience=("agents",), doc_id="h"),))
    caller = frozenset({"public"})
    alone = readable([public], caller, DAY, 9).token
    assert readable([public, hidden], caller, DAY, 50).token == alone
    assert readable([public], caller, DAY - timedelta(days=1), 9).token != alone


@pytest.mark.parametrize(
    ("text", "utc"),
    [("2026-06-01", "2026-05-31T22:00:00+00:00"), ("2026-06-01T00:30:00+02:00", "2026-05-31T22:30:00+00:00")],
)
def test_a_date_is_the_start_of_the_day_in_the_domains_zone(text, utc):
    moment = parse_instant(text, AMSTERDAM)
    assert moment.isoformat() == utc
    assert show_instant(moment, AMSTERDAM) == text


@pytest.mark.parametrize(
    "text", ["yesterday-ish", "2026-13-01", "2026-06-01T10:00:00", "", "0001-01-01", "9999-12-31T23:59:59-14:00"]
)
def test_what_is_no_instant_is_refused(text):
    with pytest.raises(InvalidInput, match="2026-03-01"):
        parse_instant(text, AMSTERDAM)
