"""How fast tickets are answered over HTTP, beside the service that most teams would write first.

Both services run as processes of their own, over the same documents and with the same adapter, and are asked the
development tickets in turns by closed-loop clients: each client sends its next ticket when the last is answered.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx
from rich.console import Console

from domains.spec import Domain, Unavailable
from evals.cases import Case
from retrieval.timestamps import parse_instant
from service.build import Services, build
from service.data_dir import owned
from service.prepare import prepare
from service.settings import Settings

OURS, OTHERS = "Formfact, hybrid", "straightforward"
_PORTS = {OURS: 8471, OTHERS: 8472}
_READY_SECONDS = 300

Ask = Callable[[httpx.Client, Case], httpx.Response]
Track = Callable[[Sequence[tuple[int, int]]], Iterator[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Speed:
    """One service under so many clients; medians over the rounds."""

    service: str
    clients: int
    tickets_per_second: float
    p50_ms: float
    p99_ms: float
    failed: int  # answers that were no 200
    peak_mb: int  # most memory of the process so far


def measure(domain: Domain, folder: Path, cases: Sequence[Case], plan: SpeedPlan, track: Track) -> list[Speed]:
    """Answer the cases by both services in turns.

    Args:
        domain: its documents and adapter.
        folder: for the state of both services; what is there is used again.
        cases: whose tickets are sent, over and over.
        plan: clients, rounds, and seconds each.
        track: shows progress through the pairs of clients and round.

    Raises:
        Unavailable: a service did not become ready.
    """
    settings = Settings(home=folder / "home", domain=str(domain.folder))
    with owned(settings):
        services = build(settings, domain)
        prepare(services, Console(stderr=True))
        chunks = _written(services, folder / "chunks.jsonl")
        key = services.local_key
        services.close()
    rounds: dict[tuple[str, int], list[_Round]] = {}
    with ExitStack() as stack:
        running = {
            OURS: stack.enter_context(_serving(OURS, ["-m", "cli", "serve", "--port", str(_PORTS[OURS])], settings)),
            OTHERS: stack.enter_context(_serving(OTHERS, _other(chunks, domain), settings)),
        }
        asks = {OURS: _our_ask(key), OTHERS: _other_ask(domain)}
        for name in running:
            _round(_PORTS[name], asks[name], cases, 1, plan.seconds)  # whatever is loaded late
        for clients, _ in track([(clients, n) for clients in plan.clients for n in range(plan.rounds)]):
            for name in running:
                found = _round(_PORTS[name], asks[name], cases, clients, plan.seconds)
                rounds.setdefault((name, clients), []).append(found)
        peaks = {name: _peak_mb(process.pid) for name, process in running.items()}
    return [_speed(name, clients, found, peaks[name]) for (name, clients), found in rounds.items()]


@dataclass(frozen=True, slots=True)
class SpeedPlan:
    """Numbers of clients, rounds of each, and seconds of a round."""

    clients: tuple[int, ...] = (1, 16)
    rounds: int = 5
    seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class _Round:
    per_second: float
    milliseconds: list[float]
    failed: int


def _speed(name: str, clients: int, rounds: Sequence[_Round], peak: int) -> Speed:
    cuts = [quantiles(r.milliseconds, n=100) for r in rounds if len(r.milliseconds) > 1]
    p50, p99 = (round(median(cut[at] for cut in cuts), 1) if cuts else 0.0 for at in (49, 98))
    per_second = round(median(r.per_second for r in rounds), 2)
    return Speed(name, clients, per_second, p50, p99, sum(r.failed for r in rounds), peak)


def _round(port: int, ask: Ask, cases: Sequence[Case], clients: int, seconds: float) -> _Round:
    """Closed-loop clients for some seconds; each takes the next ticket in the order of the cases."""
    turn, lock = itertools.cycle(cases), threading.Lock()
    took: list[float] = []
    failed: list[int] = []
    begun = time.perf_counter()

    def client() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as http:
            while time.perf_counter() - begun < seconds:
                with lock:
                    case = next(turn)
                sent = time.perf_counter()
                status = ask(http, case).status_code
                took.append((time.perf_counter() - sent) * 1000)
                if status != httpx.codes.OK:
                    failed.append(status)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return _Round(len(took) / (time.perf_counter() - begun), took, len(failed))


def _our_ask(key: str) -> Ask:
    headers = {"Authorization": f"Bearer {key}"}

    def ask(http: httpx.Client, case: Case) -> httpx.Response:
        body = {"ticket": case.ticket.model_dump(by_alias=True), "customer": dict(case.customer), "as_of": case.as_of}
        return http.post("/v1/respond", json=body | {"audience": "public"}, headers=headers)

    return ask


def _other_ask(domain: Domain) -> Ask:
    def ask(http: httpx.Client, case: Case) -> httpx.Response:
        moment = parse_instant(case.as_of, domain.zone).timestamp()
        return http.post("/respond", json={"subject": case.ticket.subject, "body": case.ticket.body, "as_of": moment})

    return ask


def _other(chunks: Path, domain: Domain) -> list[str]:
    options = ["--domain", str(domain.folder), "--port", str(_PORTS[OTHERS])]
    return ["-m", "evals.benchmarks.straightforward", str(chunks), *options]


def _written(services: Services, path: Path) -> Path:
    """Every passage of every version, with who may read it and when it holds."""
    catalog, everyone = services.catalog, frozenset(services.domain.audiences)
    timeline, head = catalog.timeline(), catalog.head()
    lines = []
    for history in timeline.histories.values():
        for version in history.versions:
            end = history.end(version, head, everyone)
            held: Mapping[str, Any] = {
                "doc_id": version.doc_id,
                "audiences": sorted(version.audience),
                "since": version.effective_from.timestamp(),
                "until": end and end.timestamp(),
            }
            lines += [json.dumps({"text": p.in_context, **held}) for p in catalog.passages(version.content)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@contextmanager
def _serving(name: str, arguments: Sequence[str], settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """Run a service as a process, wait until it is ready, and terminate it afterwards."""
    environment = {
        "FORMFACT_HOME": str(settings.home),
        "FORMFACT_DOMAIN": settings.domain,
        "FORMFACT_REQUESTS_PER_MINUTE": "1000000",
        "FORMFACT_REQUESTS_AT_ONCE": "1000",
    }
    log = settings.home.with_name(f"{name.split(',', maxsplit=1)[0].lower()}.log")
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, *arguments], env=os.environ | environment, stdout=out, stderr=out)
        try:
            _wait(name, process, log)
            yield process
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait(name: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(2 * _READY_SECONDS):
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"http://127.0.0.1:{_PORTS[name]}/readyz", timeout=2).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise Unavailable(f"{name} did not become ready.", f"{log} says why.")


def _peak_mb(pid: int) -> int:
    """The most memory that a process and its children have held, in MB (Linux)."""
    pids = [pid, *(int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    found = (Path(f"/proc/{one}/status").read_text() for one in pids)
    return sum(int(line.split()[1]) for told in found for line in told.splitlines() if line.startswith("VmHWM")) // 1024
