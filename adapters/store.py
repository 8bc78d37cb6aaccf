"""The store: adapters are immutable folders named by content, each with the gate's verdict beside it."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from adapters.atomic_dir import whole
from adapters.model import Adapter
from adapters.tables import BASELINES
from domains.spec import Conflict, Domain, IntegrityError, NotFound

_ID = re.compile(r"[a-z][a-z0-9-]{0,40}@[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate found of an adapter: bound to the adapter, to the cases and to the domain's definition."""

    adapter: str
    domain: str
    cases: str
    passed: bool
    reasons: tuple[str, ...]
    figures: dict[str, str]


class AdapterStore:
    """Adapters of a home.

    Args:
        folder: holds the adapters; replicas share it.
        domain: whose taxonomy adapters must speak.
        fingerprint: of the base model, see `Base.fingerprint`.
    """

    def __init__(self, folder: Path, domain: Domain, fingerprint: str) -> None:
        self._folder, self._domain, self._fingerprint = folder, domain, fingerprint

    def register(self, source: Path) -> str:
        """Check the adapter in a folder and take it in, whole or not at all; returns its id.

        Raises:
            IntegrityError: it does not belong here, see `Adapter`.
        """
        adapter = Adapter(source, self._domain, self._fingerprint)
        target = self._folder / adapter.id
        if not target.is_dir():
            with whole(target) as folder:
                shutil.copytree(source, folder, dirs_exist_ok=True)
        return adapter.id

    def ids(self) -> tuple[str, ...]:
        """All adapters, and the baselines."""
        found = (
            sorted(p.name for p in self._folder.iterdir() if p.is_dir() and _ID.fullmatch(p.name))
            if self._folder.is_dir()
            else []
        )
        return (*found, *BASELINES)

    def folder(self, adapter: str) -> Path:
        """Where an adapter lies.

        Raises:
            NotFound: there is none of that id.
        """
        if not _ID.fullmatch(adapter) or not (self._folder / adapter).is_dir():
            raise NotFound(f"There is no adapter `{adapter}`.", "`formfact adapters list` tells which there are.")
        return self._folder / adapter

    def record(self, verdict: Verdict) -> None:
        """Keep a verdict beside the adapter that it is about."""
        path = self._verdict_path(verdict.adapter)
        beside = path.with_suffix(".writing")
        beside.write_text(json.dumps(asdict(verdict), indent=1) + "\n", encoding="utf-8")
        beside.replace(path)

    def verdict(self, adapter: str) -> Verdict | None:
        """The gate's verdict on an adapter under this definition of the domain."""
        path = self._verdict_path(adapter)
        if not path.is_file():
            return None
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            return Verdict(**raw | {"reasons": tuple(raw["reasons"])})
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrityError(
                f"{path} is no verdict: {error}.", f"Run `formfact adapters gate {adapter}`."
            ) from None

    def promotable(self, adapter: str) -> None:
        """May it become live?

        Raises:
            NotFound: there is none of that id.
            Conflict: the gate has not seen it under this domain, or refused it.
        """
        if adapter in BASELINES:
            return
        verdict = self.verdict(adapter)
        if verdict is None or (verdict.adapter, verdict.domain) != (adapter, self._domain.fingerprint):
            raise Conflict(
                f"The gate has not judged {adapter} for {self._domain.fingerprint}.",
                f"Run `formfact adapters gate {adapter}` first.",
            )
        if not verdict.passed:
            raise Conflict(f"The gate refused {adapter}: {'; '.join(verdict.reasons)}.", "Train a better one.")

    def _verdict_path(self, adapter: str) -> Path:
        return self.folder(adapter).with_name(f"{adapter}.verdict.json")
