"""Which desk the command line works at: the running service's, or one of this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from domains.spec import Unavailable
from service.cli.protocol import Desk
from service.data_dir import owned, owner
from service.settings import Settings


@contextmanager
def open_desk(settings: Settings, console: Console) -> Iterator[Desk]:
    """The running service where there is one, else the parts of this process with the home owned and prepared.

    Raises:
        Unavailable: the home is owned by a process that serves nothing (yet).
    """
    if running := owner(settings):
        if "url" not in running:
            raise Unavailable(
                f"{settings.home} is owned by process {running['pid']}, which does not serve.",
                "Wait until it is done, stop it, or set FORMFACT_HOME to another folder.",
            )
        from service.cli.remote import connected

        with connected(running["url"], settings.home / "local.key") as remote:
            yield remote
        return
    with owned(settings), console.status("Loading models") as status:
        from service.cli.local import opened  # models take seconds to load, and a client needs none

        with opened(settings, console, status.stop) as local:
            yield local
