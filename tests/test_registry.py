"""Adapters' life in a service: taken in, judged, promoted, shadowed, rolled back, and refused when anything is off."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from adapters.registry import Canary
from adapters.shadow import Seen, Shadow, _Budget
from adapters.store import Verdict
from adapters.tables import LIVE, PREVIOUS, ZERO_SHOT
from domains.spec import Conflict, IntegrityError, NotFound
from service.api.app import create_app
from service.build import build
from service.settings import Settings

TICKET = {"ticket": {"body": "I was charged twice this month and I want the second payment back today!!"}}


@pytest.fixture
def parts(tmp_path, domain, encoder):
    """A home with the shipped adapter live, and no documents."""
    made = build(Settings(home=tmp_path / "home"), domain, encoder)
    made.registry.promote(made.registry.store.register(domain.folder / "adapter"), "setup")
    made.publisher.upkeep.start()
    yield made
    made.close()


@pytest.fixture
def http(parts):
    client = TestClient(create_app(parts))
    client.headers["Authorization"] = f"Bearer {parts.local_key}"
    return client


@pytest.fixture
def other(parts, domain, tmp_path):
    """A second adapter: the shipped one under a stricter threshold, with a seal of its own."""
    folder = shutil.copytree(domain.folder / "adapter", tmp_path / "other")
    manifest = json.loads((folder / "adapter.json").read_text())
    manifest["thresholds"]["queue"] = 1.001
    (folder / "adapter.json").write_text(json.dumps(manifest))
    return parts.registry.store.register(folder)


def verdict(parts, adapter, passed=True):
    return Verdict(adapter, parts.domain.fingerprint, "sha256:cases", passed, () if passed else ("worse",), {})


def triaged_by(http):
    return http.post("/v1/triage", json=TICKET).json()["provenance"]["adapter"]


def test_promote_and_rollback_take_effect_with_the_next_request(parts, http, other):
    first = triaged_by(http)
    assert first != other
    parts.registry.store.record(verdict(parts, other))
    assert http.post(f"/v1/adapters/{other}/promote").json()["target"] == other
    assert triaged_by(http) == other
    assert http.post("/v1/respond", json=TICKET).json()["provenance"]["adapters"]["labels"] == other
    assert http.post("/v1/adapters/rollback").json()["target"] == first
    assert triaged_by(http) == first
    told = http.get("/v1/adapters").json()
    assert [m["why"] for m in told["history"]][:2] == ["rollback", "rollback"]
    assert {m["actor"] for m in told["history"]} >= {"setup"}


def test_a_baseline_needs_no_gate_and_serves_when_no_adapter_does(parts, http):
    assert http.post(f"/v1/adapters/{ZERO_SHOT}/promote").json()["target"] == ZERO_SHOT
    labels = http.post("/v1/triage", json=TICKET).json()["labels"]
    assert labels.keys() == parts.domain.fields.keys()
    assert all(0 <= label["confidence"] <= 1 for label in labels.values())


def test_what_the_gate_has_not_passed_is_not_promoted(parts, http, other):
    answer = http.post(f"/v1/adapters/{other}/promote")
    assert (answer.status_code, "adapters gate" in answer.json()["detail"]) == (409, True)
    parts.registry.store.record(verdict(parts, other, passed=False))
    assert "worse" in http.post(f"/v1/adapters/{other}/promote").json()["detail"]
    parts.registry.store.record(replace(verdict(parts, other), domain="support@sha256:another"))
    assert http.post(f"/v1/adapters/{other}/promote").status_code == 409
    assert triaged_by(http) != other


def test_a_changed_byte_is_refused_and_what_is_live_stays(parts, http, other):
    parts.registry.store.record(verdict(parts, other))
    path = parts.registry.store.folder(other) / "joined.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    before = triaged_by(http)
    answer = http.post(f"/v1/adapters/{other}/promote")
    assert (answer.status_code, "joined.safetensors" in answer.json()["detail"]) == (500, True)
    assert triaged_by(http) == before


@pytest.mark.parametrize("name", ["nobody@0123456789ab", "../../etc", "triage@XYZ", "triage@0123456789ab/..", "x" * 99])
def test_an_adapter_that_is_not_there_is_not_found(parts, http, name):
    assert http.post(f"/v1/adapters/{name}/promote").status_code in (404, 405)
    with pytest.raises(NotFound):
        parts.registry.store.folder(name)


def test_nothing_to_roll_back_to_is_a_conflict(parts, http):
    assert parts.registry.target(PREVIOUS) is None
    assert http.post("/v1/adapters/rollback").status_code == 409


def test_a_rollback_to_what_does_not_load_leaves_live_what_is(parts, http):
    broken = parts.registry.target(LIVE)
    http.post(f"/v1/adapters/{ZERO_SHOT}/promote")
    (parts.registry.store.folder(broken) / "joined.safetensors").write_bytes(b"")
    parts.live._loaded.clear()  # as after a restart
    assert http.post("/v1/adapters/rollback").status_code == 500
    assert triaged_by(http) == parts.registry.target(LIVE) == ZERO_SHOT


def test_a_rollback_with_an_idempotency_key_happens_once(parts, http, other):
    first = parts.registry.target(LIVE)
    parts.registry.store.record(verdict(parts, other))
    http.post(f"/v1/adapters/{other}/promote")
    for _ in range(2):
        assert http.post("/v1/adapters/rollback", headers={"Idempotency-Key": "k"}).json()["target"] == first


def test_a_shadow_sees_tickets_and_touches_no_reply(parts, http, other):
    plain = http.post("/v1/triage", json=TICKET).json()
    assert http.put("/v1/adapters/shadow", json={"id": other}).json()["target"] == other
    shadowed = [http.post("/v1/triage", json=TICKET).json() for _ in range(3)]
    parts.shadow.wait()
    assert all((s["labels"], s["provenance"]) == (plain["labels"], plain["provenance"]) for s in shadowed)
    agreement = http.get("/v1/adapters").json()["agreement"]
    assert agreement["urgency"] == {"seen": 3, "agreed": 1.0}
    assert agreement["queue"]["agreed"] == 0.0, "the stricter one abstains"
    assert http.put("/v1/adapters/shadow", json={"id": None}).json()["target"] is None
    assert http.put("/v1/adapters/shadow", json={"id": parts.registry.target(LIVE)}).status_code == 409


def test_a_shadow_outlives_whatever_a_candidate_does(parts, http, other, monkeypatch):
    http.put("/v1/adapters/shadow", json={"id": other})
    load, failed = parts.live.load, []

    def broken_once(name):
        if name == other and not failed:
            failed.append(name)
            raise RuntimeError("of a kind that nobody thought of")
        return load(name)

    monkeypatch.setattr(parts.live, "load", broken_once)
    for _ in range(3):
        http.post("/v1/triage", json=TICKET)
    parts.shadow.wait()
    assert failed
    assert {one["seen"] for one in parts.shadow.compared().values()} == {2}


def test_a_promoted_shadow_is_no_shadow_any_more(parts, http, other):
    http.put("/v1/adapters/shadow", json={"id": other})
    parts.registry.store.record(verdict(parts, other))
    http.post(f"/v1/adapters/{other}/promote")
    told = http.get("/v1/adapters").json()
    assert (told["live"], told["shadow"]) == (other, None)


def test_a_pinned_adapter_is_not_promoted_away(tmp_path, domain, encoder):
    made = build(Settings(home=tmp_path, adapter=domain.folder / "adapter"), domain, encoder)
    client = TestClient(create_app(made))
    answer = client.post(f"/v1/adapters/{ZERO_SHOT}/promote", headers={"Authorization": f"Bearer {made.local_key}"})
    assert (answer.status_code, "FORMFACT_ADAPTER" in answer.json()["detail"]) == (409, True)
    made.close()


def test_only_administrators_move_aliases(parts, http):
    key = http.post("/v1/keys", json={"name": "r", "scopes": ["respond", "read"], "audiences": ["public"]}).json()[
        "key"
    ]
    as_reader = {"Authorization": f"Bearer {key}"}
    for method, path in (("GET", ""), ("POST", "/rollback"), ("POST", f"/{ZERO_SHOT}/promote"), ("PUT", "/shadow")):
        answer = http.request(method, f"/v1/adapters{path}", headers=as_reader, json={"id": None})
        assert answer.status_code == 403, path


def test_a_folder_with_pickles_is_not_taken_in(parts, domain, tmp_path):
    folder = shutil.copytree(domain.folder / "adapter", tmp_path / "odd")
    (folder / "optimizer.pt").write_bytes(b"\x80\x04.")
    with pytest.raises(IntegrityError, match=r"optimizer\.pt"):
        parts.registry.store.register(folder)


def test_a_half_written_verdict_is_refused(parts, other):
    parts.registry.store.record(verdict(parts, other))
    path = next(parts.settings.home.glob("adapters/*.verdict.json"))
    path.write_text(path.read_text()[:30])
    with pytest.raises(IntegrityError, match="no verdict"):
        parts.registry.store.promotable(other)
    path.unlink()
    with pytest.raises(Conflict):
        parts.registry.store.promotable(other)


def test_a_canary_answers_its_share_and_its_keys(parts, http, other):
    live = parts.registry.target(LIVE)
    path = "/v1/adapters/canary"
    assert http.put(path, json={"id": other, "share": 1.0}).status_code == 409, "the gate has not passed it"
    parts.registry.store.record(verdict(parts, other))
    assert http.put(path, json={"id": live, "share": 1.0}).status_code == 409
    assert http.put(path, json={"id": "triage@nothing", "share": 1.0}).status_code == 404
    assert http.put(path, json={"id": other, "share": 1.5}).status_code == 422
    assert http.put(path, json={"id": other, "share": 1.0}).json()["target"] == other
    assert triaged_by(http) == other
    assert http.get("/v1/adapters").json()["canary"] == {"id": other, "share": 1.0, "keys": []}
    own = parts.keys.check(parts.local_key).key_id
    http.put(path, json={"id": other, "share": 0.0, "keys": [own]})
    assert triaged_by(http) == other
    http.put(path, json={"id": other, "share": 0.0})
    assert triaged_by(http) == live
    http.put(path, json={"id": None})
    assert http.get("/v1/adapters").json()["canary"] is None


def test_a_share_of_tickets_is_always_the_same_tickets():
    half = Canary("x", 0.5)
    texts = [f"ticket {n}" for n in range(400)]
    first = [half.answers("key", text) for text in texts]
    assert first == [half.answers("another", text) for text in texts]
    assert 150 < sum(first) < 250


def test_a_promoted_canary_answers_everything(parts, http, other):
    parts.registry.store.record(verdict(parts, other))
    http.put("/v1/adapters/canary", json={"id": other, "share": 0.1})
    http.post(f"/v1/adapters/{other}/promote")
    told = http.get("/v1/adapters").json()
    assert (told["live"], told["canary"]) == (other, None)


def test_promotion_waits_for_what_the_shadow_has_to_see(parts, http, other, domain, encoder, tmp_path):
    made = replace(parts, settings=parts.settings.model_copy(update={"promote_after": 2}))
    client = TestClient(create_app(made), headers=http.headers)
    made.registry.store.record(verdict(parts, other))
    refused = client.post(f"/v1/adapters/{other}/promote")
    assert (refused.status_code, "0 of 2" in refused.json()["detail"]) == (409, True)
    client.put("/v1/adapters/shadow", json={"id": other})
    for n in range(2):
        client.post("/v1/triage", json={"ticket": {"body": f"{n} please refund me"}})
    made.shadow.wait()
    assert client.post(f"/v1/adapters/{other}/promote").status_code == 200
    assert client.post(f"/v1/adapters/{ZERO_SHOT}/promote").status_code == 200, "a baseline needs no shadow"


def test_where_a_shadow_differs_a_reviewer_is_asked(parts, http, other):
    http.put("/v1/adapters/shadow", json={"id": other})
    reply = http.post("/v1/respond", json=TICKET | {"mode": "tuned"}).json()
    parts.shadow.wait()
    (review,) = [r for r in http.get("/v1/reviews").json() if r["request_id"] == reply["request_id"]]
    assert "shadow_disagrees" in review["reasons"]
    assert review["shadow"].keys() == {"queue"}, "the field whose threshold is stricter"


def test_a_shadow_sees_its_share_within_its_time(parts, other):
    parts.registry.shadow(other, "test")
    seen = [Seen(f"ticket {n}: please refund me", parts.registry.target(LIVE), {}) for n in range(30)]
    blind = Shadow(parts.engine, parts.registry, parts.live, share=0.0)
    for one in seen:
        blind.see(one)
    assert blind.waiting == 0
    blind.close()
    budget = _Budget(0.05)
    spent = []
    for _ in range(4):
        with budget.spent() as allowed:
            spent.append(allowed)
            time.sleep(0.03)
    assert spent == [True, True, False, False]
