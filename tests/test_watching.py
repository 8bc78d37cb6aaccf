"""What whoever is on call looks at."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml


def test_metrics_count_what_was_replied_without_words_or_keys(admin, services):
    admin.ask("xylophone invoice please")
    told = admin("GET", "/metrics").text
    assert "formfact_replies_total{action=" in told
    for name in (
        "formfact_stage_seconds_bucket",
        "formfact_labels_total",
        "formfact_reviews_waiting",
        "formfact_shadow_waiting",
    ):
        assert name in told
    assert "xylophone" not in told
    assert "ff_" not in told


def test_traces_have_a_span_for_each_stage_and_no_text(admin):
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from service import pipeline

    seen, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(seen))
    ours, pipeline.tracer = pipeline.tracer, provider.get_tracer("test")
    try:
        admin.ask("xylophone price of Team in EUR monthly?")
    finally:
        pipeline.tracer = ours
    names = [span.name for span in seen.get_finished_spans()]
    assert {"respond", "labels", "retrieve", "compose", "verify"} <= set(names)
    assert "xylophone" not in " ".join(span.to_json() for span in seen.get_finished_spans())


def test_dashboard_and_alerts_ask_for_metrics_that_there_are(admin):
    admin.ask()
    told = admin("GET", "/metrics").text
    known = {line.split()[2] for line in told.splitlines() if line.startswith("# TYPE")}
    watching = Path(__file__).parents[1] / "docs" / "watching"
    asked = set(
        re.findall(
            r"formfact_[a-z_]+", (watching / "grafana.json").read_text() + (watching / "alerts.yaml").read_text()
        )
    )
    assert len(asked) >= 9
    # counters are listed with their suffix, histograms without the one of their buckets
    assert {re.sub("_bucket$", "", name) for name in asked} <= known
    assert yaml.safe_load((watching / "alerts.yaml").read_text())["groups"][0]["rules"]
    assert json.loads((watching / "grafana.json").read_text())["panels"]
