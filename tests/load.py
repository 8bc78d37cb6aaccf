"""Load: many clients ask a service of its own for longer than it can answer, publish meanwhile, and it is told to stop.

    python -m tests.load --clients 32 --seconds 120

Tells the share that was refused, the latency of what was accepted, memory, and whether a write that was acknowledged is
missing after the restart. Exits with 1 where an answer was a 500, a refusal named no time to wait, or a write was lost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.servers import free_port

QUESTIONS = (
    "What does the Team plan cost per user in EUR, billed monthly?",
    "We were charged twice in March, can we have the second payment back?",
    "How do I cancel? I do not want to be billed again",
    "The app crashes whenever I sign a PDF on my phone",
    "Is there a discount for schools, and how long can we try it?",
)


@dataclass
class Seen:
    """What the clients saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)  # of accepted questions, in the order of their answers
    faults: list[str] = field(default_factory=list)
    published: list[str] = field(default_factory=list)  # acknowledged
    lock: threading.Lock = field(default_factory=threading.Lock)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--clients", type=int, default=32)
    asked.add_argument("--seconds", type=float, default=120.0)
    options = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(run(Path(folder), options.clients, options.seconds))


def run(home: Path, clients: int, seconds: float) -> int:
    """One load, one SIGTERM in its midst, one restart; 0: nothing was wrong."""
    seen, service, url = Seen(), *served(home)
    key = (home / "local.key").read_text().strip()
    before = memory(service.pid)
    stop = threading.Event()
    workers = [threading.Thread(target=work, args=(url, key, seen, stop, n)) for n in range(clients)]
    for worker in workers:
        worker.start()
    peak = watched(service.pid, seconds)
    begun = time.monotonic()
    service.send_signal(signal.SIGTERM)
    code = service.wait(timeout=90)
    ended = time.monotonic() - begun
    stop.set()
    for worker in workers:
        worker.join()
    missing = lost(home, key, seen.published)
    found = {
        "clients": clients,
        "seconds": seconds,
        "answers": dict(sorted(seen.statuses.items())),
        "accepted a second": round(len(seen.seconds) / seconds, 1),
        "p50, p99 of accepted (s)": [round(quantile(seen.seconds, q), 2) for q in (0.5, 0.99)],
        "memory (MB): before, peak": [before, peak],
        "stopped within (s)": round(ended, 1),
        "exit": code,
        "writes acknowledged, lost": [len(seen.published), len(missing)],
        "faults": seen.faults[:5],
    }
    print(json.dumps(found, indent=1))
    return int(bool(seen.faults or missing or code != 0))


def served(home: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A service that is ready, and its address."""
    port = free_port()
    told = {
        "FORMFACT_HOME": str(home),
        "FORMFACT_REQUESTS_PER_MINUTE": "1000000",
        "FORMFACT_REQUESTS_AT_ONCE": "1000",
        "FORMFACT_WORK_WAITING": "12",  # fewer than there are clients
    }
    log = (home / "serve.log").open("ab")
    command = [sys.executable, "-m", "cli", "serve", "--port", str(port)]
    service = subprocess.Popen(command, env=os.environ | told, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            if httpx.get(f"{url}/readyz", timeout=2).status_code == 200:
                return service, url
        except httpx.TransportError:
            pass
        if service.poll() is not None:
            raise SystemExit((home / "serve.log").read_text()[-2000:])
        time.sleep(0.5)
    raise SystemExit("the service did not become ready")


def work(url: str, key: str, seen: Seen, stop: threading.Event, number: int) -> None:
    """One client: asks as fast as it is answered, and publishes now and then."""
    draw = random.Random(number)
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
        count = 0
        while not stop.is_set():
            count += 1
            try:
                if draw.random() < 0.03:
                    publish(client, seen, f"load-{number}-{count}")
                else:
                    ask(client, seen, draw.choice(QUESTIONS))
            except httpx.TransportError:
                if not stop.is_set():
                    time.sleep(0.2)  # it was told to stop


def ask(client: httpx.Client, seen: Seen, question: str) -> None:
    begun = time.monotonic()
    answer = client.post("/v1/respond", json={"ticket": {"body": question}})
    took = time.monotonic() - begun
    with seen.lock:
        seen.statuses[answer.status_code] += 1
        if answer.status_code == 200:
            seen.seconds.append(took)
        else:
            refused(answer, seen)
    if answer.status_code == 503:
        time.sleep(0.2)  # sooner than it was told to: more than capacity


def publish(client: httpx.Client, seen: Seen, doc_id: str) -> None:
    text = f"# Load\n\nThe fee of {doc_id} is 5 EUR.\n"
    files = {"file": (f"{doc_id}.md", text)}
    answer = client.post("/v1/documents", files=files, data={"doc_id": doc_id, "title": doc_id, "audience": "public"})
    with seen.lock:
        seen.statuses[answer.status_code] += 1
        if answer.status_code == 201:
            seen.published.append(doc_id)
        else:
            refused(answer, seen)


def refused(answer: httpx.Response, seen: Seen) -> None:
    if answer.status_code not in (429, 503) or int(answer.headers.get("Retry-After", 0)) < 1:
        seen.faults.append(f"{answer.status_code}: {answer.text[:300]}")


def watched(pid: int, seconds: float) -> int:
    """The highest memory, in MB, seen over so many seconds."""
    peak, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        peak = max(peak, memory(pid))
        time.sleep(1)
    return peak


def memory(pid: int) -> int:
    """Resident memory in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) // 1000
    return 0


def lost(home: Path, key: str, published: list[str]) -> list[str]:
    """What was acknowledged and is not there after a restart."""
    service, url = served(home)
    try:
        found = httpx.get(f"{url}/v1/documents", headers={"Authorization": f"Bearer {key}"}, timeout=60).json()
        known = {one["doc_id"] for one in found}
        clean = httpx.get(f"{url}/v1/index", headers={"Authorization": f"Bearer {key}"}, timeout=300).json()
        return [doc_id for doc_id in published if doc_id not in known] + clean["problems"]
    finally:
        service.terminate()
        service.wait(timeout=90)


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


if __name__ == "__main__":
    main()
