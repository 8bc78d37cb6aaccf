"""Kill ingestion at random instants, and look what is left.

    python -m tests.kill --times 200

Each round starts a process that publishes, corrects, retracts and purges on one home as fast as it can, says what is
done, and is killed (SIGKILL) at a random instant. Then the home is opened: catalog and indexes must agree, every
version that was acknowledged must stand with all its passages, and no other may be there in part.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from domains.spec import load_domain
from ingest.guard import read_within
from ingest.limits import DEFAULTS

DAY = datetime(2026, 6, 1, tzinfo=UTC)
SYNC_THRESHOLD = 5  # Chroma writes its graph to disk after so many records: a kill meets it often


@dataclass
class Told:
    """What the killed processes acknowledged, and what they had begun to erase."""

    published: dict[tuple[str, int], str] = field(default_factory=dict)
    purging: set[str] = field(default_factory=set)

    def take(self, line: str) -> None:
        """Take in one line of a process; a line that was cut off says nothing."""
        try:
            said = json.loads(line)
        except ValueError:
            return
        if said["did"] == "publish":
            self.published[said["doc"], said["version"]] = said["content"]
            self.purging.discard(said["doc"])
        elif said["did"] == "purging":
            self.purging.add(said["doc"])
        elif said["did"] == "purged":
            self.published = {k: v for k, v in self.published.items() if k[0] != said["doc"]}


def work(home: Path, seed: int) -> None:
    """The process that is killed; its reading process imports this file, so that the heavy parts are imported here."""
    from tests.shelf import HashEmbedder, Shelf

    draw = random.Random(seed)
    shelf = Shelf(home, load_domain("support"), HashEmbedder(), SYNC_THRESHOLD)
    read_within(DEFAULTS, "first.md", b"# First\n\nStarts the process that reads.\n")
    tell(did="open")
    while True:
        doc = f"doc-{draw.randrange(6)}"
        match draw.choices(["publish", "retract", "purge"], [8, 1, 1])[0]:
            case "publish":
                text = "".join(
                    f"## Part {i}\n\nWord{draw.randrange(10**6)} costs {i} EUR.\n\n"
                    for i in range(draw.randrange(1, 9))
                )
                done = shelf.publish(doc, f"# {doc}\n\n{text}", f"2026-0{draw.randrange(1, 9)}-01")
                content = shelf.catalog.timeline().history(doc).versions[-1].content
                tell(did="publish", doc=doc, version=done.version, content=content)
            case "retract":
                shelf.publisher.retract(doc, DAY, "kill")
            case _:
                tell(did="purging", doc=doc)
                shelf.publisher.purge(doc, None, "kill")
                tell(did="purged", doc=doc)


def tell(**said: object) -> None:
    """One line, whole and at once."""
    os.write(1, (json.dumps(said) + "\n").encode())


def kill_rounds(home: Path, times: int, seed: int = 1) -> dict[str, object]:
    """Kill so many times.

    Raises:
        AssertionError: something acknowledged was lost, or catalog and indexes do not agree.
    """
    from tests.shelf import HashEmbedder, Shelf

    draw, told, opened = random.Random(seed), Told(), []
    for number in range(times):
        command = [sys.executable, "-m", "tests.kill", "--work", str(home), "--seed", str(seed * 1000 + number)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])
        assert process.stdout
        if draw.random() < 0.9:
            process.stdout.readline()  # it is open; one time in ten it may be killed while it opens
        time.sleep(draw.uniform(0.0, 0.8))
        process.send_signal(signal.SIGKILL)
        for line in process.stdout.read().splitlines():
            told.take(line)
        process.wait()
        process.stdout.close()
        begun = time.perf_counter()
        shelf = Shelf(home, load_domain("support"), HashEmbedder(), SYNC_THRESHOLD)
        opened.append(time.perf_counter() - begun)
        check(shelf, told, number)
        shelf.close()
    return {
        "kills": times,
        "acknowledged versions standing": len(told.published),
        "lost": 0,
        "half visible": 0,
        "verify": "clean after each",
        "seconds to open, median": round(sorted(opened)[len(opened) // 2], 3),
    }


def check(shelf: Any, told: Told, number: int) -> None:
    """All that was acknowledged stands, and the indexes agree."""
    from retrieval.tables import versions

    report = shelf.publisher.upkeep.verify()
    assert report.clean, f"kill {number}: {report.problems[:5]}"
    with shelf.engine.connect() as connection:
        rows = connection.execute(versions.select()).all()
    standing = {(row.doc_id, row.version): row.content for row in rows}
    for key, content in list(told.published.items()):
        if key not in standing and key[0] in told.purging:
            del told.published[key]  # a purge that was not acknowledged may have happened
            continue
        assert standing.get(key) == content, f"kill {number}: {key} was acknowledged and is lost"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        work(asked.work, asked.seed)
    home = Path(tempfile.mkdtemp())
    print(json.dumps(kill_rounds(home, asked.times, asked.seed), indent=1))
    shutil.rmtree(home)


if __name__ == "__main__":
    main()
