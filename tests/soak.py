"""Publish and retract (or purge) thousands of times, and see that disk and memory stay bounded.

    python -m tests.soak --cycles 10000
    python -m tests.soak --cycles 10000 --purge

Ten texts go round. History is kept by design, so that retracting leaves a row or two a cycle; what is derived from the
texts must not grow: the indexes are compared with a fresh rebuild at the end.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

from domains.spec import load_domain
from retrieval.timestamps import now
from tests.shelf import HashEmbedder, Shelf


def size(folder: Path) -> int:
    """Bytes of all files under a folder."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def resident() -> int:
    """Memory of this process in MB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 // 1_000_000


def soak(home: Path, cycles: int, purge: bool) -> dict[str, object]:
    """Go round so many times, and measure before, after, and against a fresh rebuild."""
    shelf = Shelf(home, load_domain("support"), HashEmbedder())
    begun, early = time.perf_counter(), (0, 0, 0)
    for number in range(cycles):
        doc = f"doc-{number % 10}"
        shelf.publish(
            doc, f"# {doc}\n\n" + "".join(f"## {i}\n\nPart {i} of {doc} costs {i} EUR.\n\n" for i in range(20))
        )
        if purge:
            shelf.publisher.purge(doc, None, "soak")
        else:
            shelf.publisher.retract(doc, now(), "soak")
        if number == cycles // 10:
            early = (size(home), size(home / "chroma"), resident())
    seconds = time.perf_counter() - begun
    shelf.publisher.upkeep.shrink()
    late = (size(home), size(home / "chroma"), resident())
    shelf.publisher.upkeep.rebuild()
    report = shelf.publisher.upkeep.verify()
    shelf.close()
    return {
        "cycles": cycles,
        "ended by": "purge" if purge else "retract",
        "ms a cycle": round(1000 * seconds / cycles, 1),
        "disk MB after a tenth, at the end": [round(n / 1e6, 2) for n in (early[0], late[0])],
        "dense index MB after a tenth, at the end, rebuilt": [
            round(n / 1e6, 2) for n in (early[1], late[1], size(home / "chroma"))
        ],
        "memory MB after a tenth, at the end": [early[2], late[2]],
        "verify": "clean" if report.clean else list(report.problems),
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cycles", type=int, default=10_000)
    parser.add_argument("--purge", action="store_true", help="purge instead of retracting")
    asked = parser.parse_args()
    home = Path(tempfile.mkdtemp())
    print(json.dumps(soak(home, asked.cycles, asked.purge), indent=1))
    shutil.rmtree(home)


if __name__ == "__main__":
    main()
