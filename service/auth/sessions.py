"""Sign-ins of the console. A session stands for an API key, which is looked up anew with every request.

Cookies and links are stored as hashes, like keys: who reads the database can sign in with nothing that is in it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine, delete, select

from retrieval.timestamps import now
from service.auth.keys import Caller, Keys, Unauthorized, hashed
from service.db.tables import keys, links, sessions

SESSION = timedelta(hours=12)
LINK = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at a page: the caller of the API that the session stands for, and the token that its forms carry."""

    caller: Caller
    name: str  # of the key
    csrf: str

    def may(self, scope: str) -> bool:
        """Does the key carry the scope?"""
        return scope in self.caller.scopes


class Sessions:
    """Begins, reads and ends sessions; makes links that sign in once."""

    def __init__(self, engine: Engine, keys: Keys) -> None:
        self._engine, self._keys = engine, keys

    def begin(self, key_id: str) -> str:
        """Begin a session as a key. Returns the secret of its cookie."""
        secret = secrets.token_urlsafe(32)
        told = {"key_id": key_id, "csrf": secrets.token_urlsafe(32), "expires_at": now() + SESSION}
        with self._engine.begin() as tx:
            tx.execute(sessions.insert(), {"hash": hashed(secret), **told})
        return secret

    def read(self, secret: str) -> Visitor:
        """Who a cookie belongs to.

        Raises:
            Unauthorized: nobody, the session has ended, or its key was revoked or has expired.
        """
        wanted = select(sessions.c.key_id, sessions.c.csrf, keys.c.name).join(keys, keys.c.id == sessions.c.key_id)
        current = (sessions.c.hash == hashed(secret)) & (sessions.c.expires_at > now())
        with self._engine.connect() as connection:
            row = connection.execute(wanted.where(current)).first()
        if row is None:
            raise Unauthorized("You are not signed in, or the session has ended.", "Sign in.")
        return Visitor(self._keys.caller(row.key_id), row.name, row.csrf)

    def end(self, secret: str) -> None:
        """End a session; one that has ended stays so."""
        with self._engine.begin() as tx:
            tx.execute(delete(sessions).where(sessions.c.hash == hashed(secret)))

    def link(self, key_id: str) -> str:
        """The path of a page that signs in as a key, once, within ten minutes."""
        token = secrets.token_urlsafe(32)
        with self._engine.begin() as tx:
            tx.execute(links.insert(), {"hash": hashed(token), "key_id": key_id, "expires_at": now() + LINK})
        return f"/sign-in/{token}"

    def follow(self, token: str) -> str:
        """Use a link up and begin a session. Returns the secret of its cookie.

        Raises:
            Unauthorized: it was used, it is too old, or nobody made it; or its key was revoked.
        """
        own = (links.c.hash == hashed(token)) & (links.c.expires_at > now())
        with self._engine.begin() as tx:
            key_id = tx.scalar(select(links.c.key_id).where(own))
            if key_id is None or not tx.execute(delete(links).where(own)).rowcount:  # of two at once, one deletes it
                raise Unauthorized(
                    "This link was used already, or is older than ten minutes.", "`formfact console` prints a new one."
                )
        self._keys.caller(key_id)
        return self.begin(key_id)
