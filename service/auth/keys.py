"""API keys: what a caller may do (scopes) and read (audiences). Stored as hashes, shown once."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

import structlog
from sqlalchemy import ColumnElement, Connection, Engine, Row, select, update
from sqlalchemy.exc import OperationalError
from ulid import ULID

from domains.spec import Domain, FormfactError, InvalidInput, NotFound
from retrieval.timestamps import now
from service.audit import Audit
from service.db.tables import keys

Scope = Literal["respond", "read", "ingest", "review", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
LOCAL = "local"  # the name of the key that a fresh home makes for itself
_NOTED_EVERY = timedelta(minutes=1)

log = structlog.get_logger()


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
    per_minute: int | None = None  # requests; None: the setting's
    at_once: int | None = None  # requests being answered; likewise
    expires_at: datetime | None = None

    @property
    def sees_revisions(self) -> bool:
        """Others get a token instead of the revision number, which would tell of documents that they may not read."""
        return not self.scopes.isdisjoint({"ingest", "admin"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new key may do and read, until when and how often."""

    name: str
    scopes: tuple[str, ...]
    audiences: tuple[str, ...]
    expires_at: datetime | None = None
    per_minute: int | None = None
    at_once: int | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A stored key, without its secret."""

    id: str
    name: str
    scopes: tuple[str, ...]
    audiences: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    per_minute: int | None = None
    at_once: int | None = None


class Keys:
    """Makes, checks and revokes keys. Each check reads the database, so that a revocation bites at once."""

    def __init__(self, engine: Engine, domain: Domain, audit: Audit) -> None:
        self._engine, self._domain, self._audit = engine, domain, audit

    def create(self, wanted: Wanted, actor: str, tx: Connection) -> tuple[Key, str]:
        """Make a key. Returns what is stored and the secret, which is shown this once.

        Raises:
            InvalidInput: an unknown scope or audience.
        """
        _known("scopes", scopes := sorted(set(wanted.scopes)), SCOPES)
        _known("audiences", audiences := sorted(set(wanted.audiences)), self._domain.audiences)
        secret = f"ff_{secrets.token_urlsafe(32)}"
        told = {f.name: getattr(wanted, f.name) for f in fields(wanted)} | {"scopes": scopes, "audiences": audiences}
        key = Key(id=str(ULID()), created_at=now(), **told)
        row = {"id": key.id, "hash": hashed(secret), "created_at": key.created_at}
        tx.execute(keys.insert(), row | told)
        self._audit.add(tx, actor, "key created", key.id, name=key.name, scopes=scopes, audiences=audiences)
        return key, secret

    def check(self, secret: str | None) -> Caller:
        """Who holds this secret.

        Raises:
            Unauthorized: nobody, or the key was revoked or has expired.
        """
        return self._caller(keys.c.hash == hashed(secret or ""))

    def caller(self, key_id: str) -> Caller:
        """The caller that a key stands for, where somebody was let in by it before; raises like `check`."""
        return self._caller(keys.c.id == key_id)

    def list(self) -> list[Key]:
        """All keys, oldest first."""
        with self._engine.connect() as connection:
            return [_key(row) for row in connection.execute(select(keys).order_by(keys.c.created_at, keys.c.id))]

    def revoke(self, key_id: str, actor: str) -> None:
        """Revoke a key from now on; one that is revoked stays so from when it was.

        Raises:
            NotFound: there is no such key.
        """
        own = keys.c.id == key_id
        with self._engine.begin() as tx:
            if tx.execute(update(keys).where(own & keys.c.revoked_at.is_(None)).values(revoked_at=now())).rowcount:
                self._audit.add(tx, actor, "key revoked", key_id)
            elif tx.execute(select(keys.c.id).where(own)).first() is None:
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
        with self._engine.begin() as tx:
            _, secret = self.create(Wanted(LOCAL, SCOPES, tuple(self._domain.audiences)), "setup", tx)
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(secret + "\n", encoding="utf-8")
        return secret

    def _caller(self, chosen: ColumnElement[bool]) -> Caller:
        with self._engine.connect() as connection:
            row = connection.execute(select(keys).where(chosen)).first()
        moment = now()
        if row is None or row.revoked_at is not None or (row.expires_at and row.expires_at <= moment):
            raise Unauthorized(
                "This needs a key that is known, not revoked and not expired.",
                "Send `Authorization: Bearer ff_…`; var/local.key holds one.",
            )
        self._note_use(row, moment)
        readable = self._domain.readable_by(row.audiences)
        return Caller(row.id, frozenset(row.scopes), readable, row.per_minute, row.at_once, row.expires_at)

    def _note_use(self, row: Row[Any], moment: datetime) -> None:
        """Write down that a key was used, once a minute: no request waits for more, nor fails where it cannot be."""
        if row.last_used_at and moment - row.last_used_at < _NOTED_EVERY:
            return
        try:
            with self._engine.begin() as tx:
                tx.execute(update(keys).where(keys.c.id == row.id).values(last_used_at=moment))
        except OperationalError as error:
            log.warning("key_use_not_noted", kind=type(error).__name__)


def _known(field: str, names: Iterable[str], known: Iterable[str]) -> None:
    if not names:
        raise InvalidInput(f"{field}: at least one is needed.", f"Known: {', '.join(known)}.", field)
    if unknown := sorted(set(names) - set(known)):
        raise InvalidInput(f"{field}: {', '.join(unknown)[:200]} is not known.", f"Known: {', '.join(known)}.", field)


def hashed(secret: str) -> str:
    """What is stored of a secret."""
    # The secret has 256 random bits: a slow password hash would add nothing but latency.
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(row: Row[Any]) -> Key:
    told = {f.name: row._mapping[f.name] for f in fields(Key)}
    return Key(**told | {"scopes": tuple(row.scopes), "audiences": tuple(row.audiences)})
