"""The comparison with the real service. A fake stands in for the chat model, for it may be remote or large."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from adapters.structured import Structured
from domains.spec import InvalidInput, NotConfigured
from evals import consistency, cost, freshness, inspect_log, pages
from evals.answers import AnswerStore
from evals.arms import ARMS, HYBRID, PAIRS, RAG, TUNED, Group, LabelSource
from evals.cases import Case, load, read
from evals.compare import Comparison
from evals.compare_commands import app
from evals.estimate import estimate
from evals.experiment import ComparisonPlan, sample
from evals.import_tickets import cases_of
from evals.intervals import Interval
from evals.judge import judged
from evals.llm_cache import Recorded, replayed
from evals.pipelines import Pipelines
from evals.prompting import BUDGET, FORMATS, Chosen, measured, nearest
from evals.report import FORMAT, Beside, Paired, Run, report
from evals.significance import verdict
from service.chat_composer import ChatComposer
from service.ephemeral import apart
from service.settings import Settings
from tests.test_arms import ROW, row
from tests.test_chat_composer import Said

ARM = {arm.name: arm for arm in ARMS}
RUN = Run("Larkspur", "dev", 2, 4, "", False, "formfact evals compare", "2 cores", "2026-11-20")
PRICE = {
    "id": "p-1",
    "tags": ["plain"],
    "ticket": {"body": "What does the Team plan cost per user, paid monthly in euros?"},
    "audiences": ["public"],
    "as_of": "2026-11-15",
    "expect": {
        "actions": ["answer"],
        "facts": [{"docs": ["plan-prices"], "values": ["13.50"]}],
        "forbidden": ["12.00"],
        "labels": {"queue": "sales", "next_action": "quote_price", "needs_facts": "facts"},
    },
}


def compared(services, tmp_path, arms, cases, model=None):
    kept = Recorded(model=model, name="fake, 96 tokens", path=tmp_path / "calls.jsonl") if model else None
    chat = Structured(kept, kept.name) if kept else None
    if chat:
        pipeline = replace(services.pipeline, chat=ChatComposer(services.domain, chat))
        services = replace(services, pipeline=pipeline)
    comparison = Comparison(Pipelines(services, chat), kept, AnswerStore(tmp_path / "answers.jsonl"))
    return comparison.run([ARM[name] for name in arms], cases, iter)


def test_arms_differ_in_one_part_and_are_marked_by_the_same_rules(services, tmp_path):
    cases = [Case.model_validate(PRICE)]
    hybrid, rag, tuned, oracle = compared(services, tmp_path, [HYBRID, RAG, TUNED, "oracle labels and evidence"], cases)
    assert hybrid.marks.useful
    assert rag.marks.facts_complete
    assert rag.labels == {}
    assert hybrid.quotes == rag.quotes, "equal composers over equal passages"
    assert (tuned.action, tuned.quotes) == ("handoff", ())
    assert oracle.marks.useful
    assert set(oracle.marks.labels_right.values()) == {True}


def test_a_run_that_was_cut_off_goes_on_without_asking_again(services, tmp_path, monkeypatch):
    cases = [Case.model_validate(PRICE)]
    first = compared(services, tmp_path, [RAG], cases)
    monkeypatch.setattr(Comparison, "_answer", None)
    assert compared(services, tmp_path, [RAG], cases) == first
    with pytest.raises(TypeError):
        compared(services, tmp_path, [TUNED], cases)


def test_a_chat_model_that_answers_out_of_the_schema_is_a_failure_and_is_counted(services, tmp_path):
    cases = [Case.model_validate(PRICE)]
    labels = {name: field.names[0] for name, field in services.domain.fields.items()}
    (prompt,) = compared(services, tmp_path, ["prompt"], cases, Said(text=json.dumps(labels)))
    assert prompt.labels["queue"] == (services.domain.fields["queue"].names[0], 1.0)
    assert (prompt.usage.calls, prompt.failed) == (1, 0)
    (tmp_path / "b").mkdir()
    (failed,) = compared(services, tmp_path / "b", ["prompt"], cases, Said(text="nonsense"))
    assert (failed.failed, failed.labels) == (1, {})


def test_a_chat_model_alone_is_marked_as_it_came_and_leaves_nothing(services, tmp_path):
    cases = [Case.model_validate(PRICE)]
    said = json.dumps({"can_answer": True, "answer": "It costs 13.50 EUR."})
    (alone,) = compared(services, tmp_path, ["chat model alone"], cases, Said(text=said))
    assert alone.text == "It costs 13.50 EUR."
    assert alone.as_composed.action_right
    assert not alone.as_composed.facts_complete, "a value without a citation is nobody's"
    assert (alone.claims, alone.stopped, alone.marks.useful) == (1, 1, False)


def test_an_arm_that_needs_a_chat_model_says_so(services, tmp_path):
    with pytest.raises(NotConfigured, match="chat model"):
        compared(services, tmp_path, ["rag, chat"], [Case.model_validate(PRICE)])


def test_answers_of_a_model_are_replayed_from_a_file_without_it(services, tmp_path):
    cases, said = [Case.model_validate(PRICE)], json.dumps({"can_answer": False, "answer": "x"})
    first = compared(services, tmp_path, ["chat model alone"], cases, Said(text=said))
    kept = replayed(tmp_path / "calls.jsonl")
    again = Comparison(Pipelines(services, Structured(kept, kept.name)), kept, AnswerStore(tmp_path / "other.jsonl"))
    (found,) = again.run([ARM["chat model alone"]], cases, iter)
    assert (found.as_composed, found.usage.calls) == (first[0].as_composed, 1)
    other = [Case.model_validate(PRICE | {"ticket": {"body": "Which cards do you take?"}})]
    with pytest.raises(NotConfigured, match="holds no answer"):
        again.run([ARM["chat model alone"]], other, iter)
    (tmp_path / "none.jsonl").write_text("")
    with pytest.raises(InvalidInput, match="0 models"):
        replayed(tmp_path / "none.jsonl")


def test_the_two_arms_of_a_pair_differ_in_one_thing():
    assert {len(ARM[ours].differs_from(ARM[theirs])) for ours, theirs in PAIRS} == {1}
    assert {ARM[name].mode for name in ("rag", "rag, chat")} == {"rag"}
    assert ARM["rag, chat"].labels is LabelSource.NONE


def test_a_sample_is_spread_over_the_tags_and_always_the_same(domain):
    cases = load(domain, "dev")
    found = sample(cases, 60)
    assert found == sample(cases, 60)
    assert found != sample(cases, 60, seed=1)
    assert len(found) == 60
    share = {tag: sum(tag in c.tags for c in cases) / len(cases) for c in cases for tag in c.tags}
    taken = {tag: sum(tag in c.tags for c in found) / 60 for tag in share}
    assert max(abs(share[tag] - taken[tag]) for tag in share) < 0.06
    assert [c.id for c in found] == [c.id for c in cases if c in found], "in their order"
    assert sample(cases, None) == sample(cases, 10_000) == cases


def test_the_nearest_tickets_are_shown_last_nearest_and_formats_tell_every_label(services, domain):
    from adapters.data.rows import Row

    rows = [
        Row(str(n), text, "", {"queue": "sales"}, {})
        for n, text in enumerate(("the app crashes", "invoice twice", "two invoices"))
    ]
    shown = nearest(rows, services.encoder.unit)("I got two invoices")
    assert shown[-1][0] == "two invoices"
    for told in FORMATS.values():
        text = told(domain)
        assert all(label in text for field in domain.fields.values() for label in field.names)


def test_misspelling_keeps_words_and_is_always_the_same():
    text = "The invoice arrived twice although payment succeeded immediately yesterday"
    told = [consistency.misspelt(text, seed) for seed in range(20)]
    assert told == [consistency.misspelt(text, seed) for seed in range(20)]
    assert any(one != text for one in told)
    assert all(sorted(one) == sorted(text) for one in told)


def test_a_constant_answer_is_consistent_and_does_not_win(domain, tagger):
    class Constant:
        id = base_model = dataset = "constant"

        def label_all(self, texts):
            from adapters.classifier import Label

            return [{n: Label(f.names[0], 1.0, False, ()) for n, f in domain.fields.items()} for _ in texts]

    cases = load(domain, "dev")
    found = consistency.measure(Constant(), cases, consistency.load(domain), tagger.scrub)
    assert found.decisions > 100
    assert found.in_all < 0.5
    assert found.in_all == found.as_written == found.paraphrased


def test_paraphrases_share_no_run_of_words_with_their_cases(domain):
    cases = {c.id: c for c in load(domain, "dev")}
    found = consistency.load(domain)
    assert len(found) >= 40
    for one in found:
        known = _runs(f"{cases[one.case].ticket.subject} {cases[one.case].ticket.body}")
        assert not any(known & _runs(f"{t.subject} {t.body}") for t in one.texts), one.case


def _runs(text, size=8):
    words = text.casefold().split()
    return {tuple(words[i : i + size]) for i in range(len(words) - size + 1)}


def answered():
    """Two cases by two modes: hybrid right and wrong, RAG wrong twice."""
    cases = [Case.model_validate(PRICE | {"id": name}) for name in ("a", "b")]
    wrong = row(None, action="handoff", action_right=False, refused=True, facts_complete=False, claims=0)
    rows = [replace(ROW, case="a"), replace(wrong, case="b", text="<script>alert(1)</script>")]
    return cases, [*rows, *(replace(wrong, arm=RAG, case=c) for c in "ab")]


def made(run=RUN):
    cases, rows = answered()
    return report(run, [ARM[HYBRID], ARM[RAG]], cases, rows, cost.load(cost.PRICES), 100, Beside())


def test_a_report_says_what_two_cases_cannot_show_and_what_is_zero_by_construction():
    found = made()
    (useful, _) = found.paired
    assert (useful.ours, useful.theirs, useful.difference.value) == (HYBRID, RAG, 0.5)
    assert useful.verdict == "undecided", "two cases show nothing"
    text = pages.as_markdown(found)
    assert "Hybrid against rag, useful: undecided" in text
    assert "A small sample: 2 cases" in text
    assert "Zero by construction" in text
    assert " tie" not in text
    assert found.causes == {"retrieval": 1}


def test_a_report_is_read_back_and_fits_its_published_schema(tmp_path):
    found = made()
    path = tmp_path / "report.json"
    path.write_text(pages.as_json(found))
    assert pages.read(path) == found
    kept = (Path(__file__).parents[1] / "docs" / "results.schema.json").read_text(encoding="utf-8")
    assert pages.schema() == kept, "`formfact evals report --schema > docs/results.schema.json`"
    jsonschema.validate(json.loads(path.read_text()), json.loads(kept))
    path.write_text(pages.as_json(found).replace(f'"format": {FORMAT}', '"format": 1'))
    with pytest.raises(InvalidInput, match="format 1"):
        pages.read(path)


def test_what_customers_wrote_is_escaped_and_the_page_needs_nothing_else():
    page = pages.as_html(made())
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert page.count("<svg") >= 5
    assert page == pages.as_html(made()), "the same report gives the same bytes"


def test_sealed_cases_are_not_shown_and_arms_of_a_small_model_stand_in_the_appendix():
    sealed = made(replace(RUN, cases="sealed"))
    assert sealed.wrong == ()
    page = pages.as_html(sealed)
    assert "Team plan cost" not in page
    assert "opened 4 times" in page
    weak = made(replace(RUN, weak_chat=True, chat="local:smollm2"))
    asking = replace(weak, arms=(weak.arms[0], replace(weak.arms[1], calls=3)))
    assert "too small to be evidence" in pages.as_html(asking)
    assert [a.arm for a in asking.evidence] == [a.arm for a in asking.short] == [HYBRID]
    assert "too small" not in pages.as_html(weak)


@pytest.mark.parametrize(
    ("difference", "p", "told"),
    [
        (Interval(-0.2, -0.3, -0.1), 0.002, "worse by 20 points: -0.200 [-0.300, -0.100], adjusted p 0.002"),
        (Interval(0.01, -0.02, 0.04), 1.0, "less than 5 points apart"),
        (Interval(0.7, 0.4, 0.9), 0.06, "undecided: +0.700 [+0.400, +0.900], adjusted p 0.060; the interval alone"),
        (Interval(0.06, -0.04, 0.16), 0.4, "undecided: +0.060 [-0.040, +0.160], adjusted p 0.400; about 40 cases"),
        (Interval(0.2, 0.1, 0.3), 0.0001, "better by 20 points: +0.200 [+0.100, +0.300], adjusted p <0.001"),
    ],
)
def test_words_follow_the_interval_and_the_adjusted_p_value(difference, p, told):
    word = verdict(p, difference.low, difference.high)
    pair = Paired(HYBRID, RAG, "useful", difference, p, p, word, 40, 0.1)
    assert pages.in_words(pair, 30).startswith(told)
    listed = pages.undecided(replace(made(), paired=(pair,)))
    assert (listed == []) is (word == "better")


def test_money_tells_its_inputs_and_what_other_prices_would_change():
    found = made()
    swing = next(s for s in found.swings if s.price == "person_hour")
    assert swing.half[RAG] < found.of(RAG).cost.a_thousand < swing.twice[RAG]
    assert {s.price for s in found.swings}.isdisjoint({"gpu_hour", "currency"}), "what nothing costs is not listed"
    assert "person hour 30" in pages.as_markdown(found)


def test_what_a_domain_lacks_is_not_measured_and_said_to_be_missing(tmp_path, domain):
    def plan(spec):
        return ComparisonPlan(spec, "x", (), (), Settings(), None, cost.load(cost.PRICES), False, tmp_path)

    bare = plan(domain.model_copy(update={"folder": tmp_path}))
    assert [line.split(" ")[0] for line in bare.missing] == ["Consistency", "Freshness", "Label"]
    assert "paraphrases.jsonl" in bare.missing[0]
    assert plan(domain).missing == ()
    skipped = made(replace(RUN, skipped=bare.missing))
    assert "Freshness is not measured" in pages.as_markdown(skipped)
    assert "Freshness is not measured" in pages.as_html(skipped)


def test_an_estimate_grows_with_cases_and_prices(domain):
    cases = load(domain, "dev")
    bill = cost.load(cost.PRICES).model_copy(update={"chat_input_million_tokens": 1.0})
    small, large = (estimate(domain, ARMS, cases[:n], 40, 15, bill) for n in (20, 200))
    assert small.calls < large.calls
    assert large.amount == pytest.approx(large.input_tokens / 1e6)
    assert estimate(domain, [ARM[HYBRID]], cases, 40, 15, bill).calls == 0


def test_results_stand_between_the_marks_of_a_text_and_nothing_else_moves():
    text = f"Before.\n{pages.START}\nold\n{pages.END}\nAfter.\n"
    told = pages.into(text, made())
    assert told.startswith("Before.\n")
    assert told.endswith("\nAfter.\n")
    assert "old" not in told
    assert "| hybrid | 0.500" in told
    assert pages.into(told, made()) == told
    with pytest.raises(InvalidInput, match="no lines"):
        pages.into("nothing", made())


def test_two_runs_are_told_apart():
    text = pages.differences(made(), made(replace(RUN, n=3)))
    assert "The cases differ" in text
    assert "| hybrid | 0.500 (+0.000)" in text
    assert pages.regressions(made(), made()) == []
    better = made()
    before = replace(better, arms=(replace(better.arms[0], useful=Interval(0.9, 0.8, 1.0)), better.arms[1]))
    assert pages.regressions(made(), before) == ["Hybrid, useful: 0.500, below 0.900 [0.800, 1.000]."]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["compare", "--modes", "magic"], "magic"),
        (["compare", "--replay", "nothing.jsonl"], "nothing.jsonl"),
        (["report", "nothing"], "no report"),
        (["compare", "--prices", "nothing.yaml"], "nothing.yaml"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, told):
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code != 0
    assert told in str(found.exception)


@pytest.mark.slow
def test_a_domain_with_nothing_but_documents_and_cases_is_compared(tmp_path, domain, monkeypatch):
    bare = tmp_path / "bare"
    for name in ("domain.yaml", "formats"):
        copy = shutil.copytree if (domain.folder / name).is_dir() else shutil.copy
        bare.mkdir(exist_ok=True)
        copy(domain.folder / name, bare / name)
    (bare / "documents").mkdir()
    shutil.copytree(domain.folder / "documents" / "plan-prices", bare / "documents" / "plan-prices")
    (bare / "cases").mkdir()
    lines = [json.dumps(PRICE | {"id": f"c-{n}"}) for n in range(3)]
    (bare / "cases" / "dev.jsonl").write_text("\n".join(lines))
    monkeypatch.setenv("FORMFACT_DOMAIN", str(bare))
    found = CliRunner().invoke(app, ["compare", "--out", str(tmp_path / "out")], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    told = pages.read(tmp_path / "out" / "report.json")
    assert len(told.run.skipped) == 3
    assert {"hybrid", "rag", "tuned", "zero-shot labels", "oracle labels"} <= {a.arm for a in told.arms}
    assert told.of("rag").facts_correct.value == 1.0


@pytest.mark.slow
def test_documents_published_in_the_middle_turn_the_answer_of_hybrid_and_of_nothing_learnt(domain):
    turns = [t for t in freshness.load(domain) if t.before != t.after]
    with apart(domain) as services:
        arms = [ARM[HYBRID], ARM[TUNED]]
        before = len(services.catalog.timeline().boundaries)
        hybrid, tuned = freshness.compare(
            Pipelines(services, None), arms, [t for t in turns if not t.publish.retract], iter
        )
        assert len(services.catalog.timeline().boundaries) == before, "what was published is taken back"
    assert hybrid.both > hybrid.turns / 2
    assert tuned.both == 0
    assert {a.group for a in ARMS} == set(Group)


CSV = """id,subject,body,channel,plan,labels.queue
o-1,Price?,"Hi, I am Anna (anna@example.com). What does Team cost?",email,Team,sales
,,is there an app for windows,chat,,
"""


def test_past_tickets_become_cases_to_annotate(tmp_path, domain):
    (tmp_path / "t.csv").write_text(CSV)
    out = tmp_path / "cases.jsonl"
    arguments = ["init", str(tmp_path / "t.csv"), "--out", str(out), "--as-of", "2026-11-20"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    first, second = (json.loads(line) for line in out.read_text().splitlines())
    assert "anna@example.com" not in first["ticket"]["body"]
    assert (first["customer"], first["expect"]["labels"]) == ({"plan": "Team"}, {"queue": "sales"})
    assert second["id"] == "t.csv-3"
    with pytest.raises(InvalidInput, match="not annotated"):
        read(out, domain)
    out.write_text(out.read_text().replace('"annotate"', '"plain"'))
    assert len(load(domain, str(out))) == 2
    again = CliRunner().invoke(app, arguments)
    assert "exists" in str(again.exception)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,body\na,\n", "no text"),
        ("id,body\na,x\na,y\n", "twice"),
        ("body,labels.queue\nx,nowhere\n", "nowhere"),
        ("name\nx\n", "no text"),
    ],
)
def test_a_table_that_is_no_table_of_tickets_is_refused(tmp_path, domain, tagger, text, told):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InvalidInput, match=told):
        list(cases_of(tmp_path / "t.csv", domain, date(2026, 11, 20), "public", tagger.scrub))


class Opinions(Said):
    """Prefers what stands first, or the longer reply, or answers nonsense."""

    rule: str

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        first, second = str(messages[-1].content).split("First reply:\n")[1].split("\n\nSecond reply:\n")
        longer = "first" if len(first) > len(second) else "second"
        told = {"first": "first", "longer": longer, "nonsense": "both"}[self.rule]
        return Said(text=json.dumps({"better": told}))._generate(messages)


def opinion(domain, rule):
    cases, rows = answered()
    silent = [replace(row, text="A colleague will answer you soon.") for row in rows[2:]]
    pairs = list(zip(cases, rows[:2], silent, strict=True))
    return judged(domain, Structured(Opinions(text="", rule=rule), "fake"), pairs, iter)


def test_a_judge_who_looks_at_the_order_alone_has_no_opinion(domain):
    assert opinion(domain, "first").turned == 1.0
    longer = opinion(domain, "longer")
    assert (longer.turned, longer.failed) == (0.0, 0)
    assert longer.agreed == 0.0, "hybrid's right reply is the shorter one of the pair that the marks tell apart"
    assert opinion(domain, "nonsense").failed == 2


class Willing(Said):
    """Gives the first label of every field, and the right answer only under one of the instructions."""

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        properties = kwargs["response_format"]["json_schema"]["schema"]["properties"]
        if "statements" in properties:
            good = "one sentence that holds the figure" in str(messages[0].content)
            value = "13.50" if good else "99.50"
            self.text = json.dumps({"statements": [{"text": f"Team costs {value} EUR.", "sources": [1]}]})
        else:
            self.text = json.dumps({name: told["enum"][0] for name, told in properties.items()} | {"queue": "sales"})
        return super()._generate(messages, **kwargs)


def test_labels_and_answers_get_the_same_number_of_prompts_and_the_best_is_used(services):
    cases, model = [Case.model_validate(PRICE)], Willing(text="")
    pipelines = Pipelines(services, Structured(model, "fake"))
    found = measured(pipelines, cases, iter)
    assert [t.name for t in found if t.part == "labels"] == list(FORMATS)
    answers = {t.name: t.right for t in found if t.part == "answers"}
    assert len(answers) == len(FORMATS) == BUDGET
    assert answers == {name: float(name == "answer-brief") for name in answers}
    assert Chosen.best(found).answers == "answer-brief"
    assert len({str(messages[0].content) for messages, _ in model.asked}) == 2 * BUDGET
    broken = measured(Pipelines(services, Structured(Said(text="nonsense"), "fake")), cases, iter)
    assert {t.right for t in broken} == {0.0}
    assert Chosen.best(()) == Chosen()


def test_logs_for_inspect_hold_scores_and_hide_sealed_tickets(tmp_path):
    cases, rows = answered()
    for run in (RUN, replace(RUN, cases="sealed")):
        inspect_log.write(tmp_path, run, made(run).arms, cases, rows)
        told = json.loads((tmp_path / "hybrid.json").read_text())
        assert (told["version"], told["eval"]["task"]) == (2, "Larkspur: hybrid")
        first, second = told["samples"]
        assert [s["scores"]["useful"]["value"] for s in (first, second)] == ["C", "I"]
        assert ("Team plan" in first["input"]) is (run.cases == "dev")
        assert ("answer" in first["scores"]["useful"]) is (run.cases == "dev")
    assert {p.name for p in tmp_path.iterdir()} == {"hybrid.json", "rag.json"}
