"""API keys: what a caller may do (scopes) and read (audiences). Stored as hashes, shown once."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, Row, select
from ulid import ULID

from domains.spec import Domain, FormfactError, InvalidInput, NotFound
from retrieval.instants import now
from service.tables import keys

SCOPES = ("respond", "read", "ingest", "review", "admin")
LOCAL = "local"  # the name of the key that a fresh home makes for itself


class Unauthorized(FormfactError):
    """No key, or one that is not known, or no longer."""


class Forbidden(FormfactError):
    """The key does not carry the scope."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `audiences` already holds those that include the ones of the key."""

    key_id: str
    scopes: frozenset[str]
    audiences: frozenset[str]

    @property
    def sees_revisions(self) -> bool:
        """Others get a token instead of the revision number, which would tell of documents that they may not read."""
        return not self.scopes.isdisjoint({"ingest", "admin"})


@dataclass(frozen=True, slots=True)
class Key:
    """A stored key, without its secret."""

    id: str
    name: str
    scopes: tuple[str, ...]
    audiences: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


class Keys:
    """Makes, checks and revokes keys. Each check reads the database, so that a revocation bites at once."""

    def __init__(self, engine: Engine, domain: Domain) -> None:
        self._engine, self._domain = engine, domain

    def transaction(self) -> AbstractContextManager[Connection]:
        """A transaction in which a key and what belongs to it are written together."""
        return self._engine.begin()

    def create(self, name: str, scopes: Iterable[str], audiences: Iterable[str], tx: Connection) -> tuple[Key, str]:
        """Make a key. Returns what is stored and the secret, which is shown this once.

        Raises:
            InvalidInput: an unknown scope or audience.
        """
        _known("scopes", scopes := sorted(set(scopes)), SCOPES)
        _known("audiences", audiences := sorted(set(audiences)), self._domain.audiences)
        secret = f"ff_{secrets.token_urlsafe(32)}"
        key = Key(str(ULID()), name, tuple(scopes), tuple(audiences), now(), None)
        row = {
            "id": key.id,
            "name": name,
            "hash": _hash(secret),
            "scopes": scopes,
            "audiences": audiences,
            "created_at": key.created_at,
        }
        tx.execute(keys.insert(), row)
        return key, secret

    def check(self, secret: str | None) -> Caller:
        """Who holds this secret.

        Raises:
            Unauthorized: nobody, or the key was revoked.
        """
        with self._engine.connect() as connection:
            row = connection.execute(select(keys).where(keys.c.hash == _hash(secret or ""))).first()
        if row is None or row.revoked_at is not None:
            raise Unauthorized(
                "This needs a key that is known and not revoked.",
                "Send `Authorization: Bearer ff_…`; var/local.key holds one.",
            )
        return Caller(row.id, frozenset(row.scopes), self._domain.readable_by(row.audiences))

    def list(self) -> list[Key]:
        """All keys, oldest first."""
        with self._engine.connect() as connection:
            return [_key(row) for row in connection.execute(select(keys).order_by(keys.c.created_at, keys.c.id))]

    def revoke(self, key_id: str) -> None:
        """Revoke a key from now on.

        Raises:
            NotFound: there is no such key.
        """
        with self._engine.begin() as tx:
            done = tx.execute(keys.update().where(keys.c.id == key_id).values(revoked_at=now()))
            if not done.rowcount:
                raise NotFound(f"There is no key `{key_id[:40]}`.", "GET /v1/keys lists them.")

    def local(self, path: Path) -> str:
        """The secret in `path`, made with every scope and audience where it is missing or not known any more."""
        if path.is_file():
            secret = path.read_text(encoding="utf-8").strip()
            try:
                self.check(secret)
            except Unauthorized:
                pass
            else:
                return secret
        with self.transaction() as tx:
            _, secret = self.create(LOCAL, SCOPES, self._domain.audiences, tx)
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(secret + "\n", encoding="utf-8")
        return secret


def _known(field: str, names: Iterable[str], known: Iterable[str]) -> None:
    if not names:
        raise InvalidInput(f"{field}: at least one is needed.", f"Known: {', '.join(known)}.", field)
    if unknown := sorted(set(names) - set(known)):
        raise InvalidInput(f"{field}: {', '.join(unknown)[:200]} is not known.", f"Known: {', '.join(known)}.", field)


def _hash(secret: str) -> str:
    # The secret has 256 random bits: a slow password hash would add nothing but latency.
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(row: Row[tuple[object, ...]]) -> Key:
    return Key(row.id, row.name, tuple(row.scopes), tuple(row.audiences), row.created_at, row.revoked_at)
