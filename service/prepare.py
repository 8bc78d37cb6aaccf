"""Prepares a home at start: indexes, local key, shipped adapter and documents. A second start changes nothing."""

from __future__ import annotations

from rich.console import Console
from rich.progress import track

from adapters.tables import LIVE, ZERO_SHOT
from service.build import Services
from service.seeding import seed


def prepare(services: Services, console: Console) -> None:
    """Finish what a crash cut off, make the local key, take in the domain's adapter, and seed its documents."""
    with services.publisher.turn():
        services.publisher.upkeep.start(
            lambda items, what: iter(track(items, what, console=console, transient=True, disable=not items))
        )
    services.local_key  # noqa: B018 -- made on the first look
    take_in_adapter(services, console)
    seed(services, console)


def take_in_adapter(services: Services, console: Console) -> None:
    """Take in the adapter that the domain ships with; in a fresh home it is live, later somebody promotes it.

    Raises:
        IntegrityError: what is live cannot be loaded; nothing else takes its place unasked.
    """
    shipped, registry = services.domain.folder / "adapter", services.registry
    found = registry.store.register(shipped) if shipped.is_dir() else ZERO_SHOT
    if registry.target(LIVE) is None:
        registry.promote(found, "setup")
    elif registry.target(LIVE) != found and found not in {m.target for m in registry.history()}:
        console.print(f"The domain ships {found}; {registry.target(LIVE)} is live. See `formfact adapters promote`.")
    services.live.current()


def held(services: Services) -> frozenset[str]:
    """All audiences: what the owner of the machine may publish to and read."""
    return frozenset(services.domain.audiences)
