"""What the tests share: the real encoder, loaded once; a domain with few documents; a guard against the network."""

from __future__ import annotations

import shutil
import socket

import pytest
from filelock import FileLock
from rich.console import Console

from adapters.encoder import Encoder
from adapters.message_tagger import MessageTagger
from adapters.readers import Bare, Calibrated, ScoreCalibration
from domains.spec import Domain, load_domain
from service.build import Services, build
from service.prepare import prepare
from service.settings import Settings
from tests.shelf import HashEmbedder, Shelf

pytest_plugins = ["tests.servers", "tests.callers"]


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Any connection that leaves this machine is an error of the test."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def domain() -> Domain:
    return load_domain("support")


@pytest.fixture(scope="session")
def encoder(domain) -> Encoder:
    return Encoder(domain.encoder)


@pytest.fixture(scope="session")
def tagger(encoder) -> MessageTagger:
    return MessageTagger(encoder)


@pytest.fixture(scope="session")
def bare(encoder):
    """The encoder's cosine as a reader, calibrated by hand."""
    return Calibrated(
        Bare(encoder), ScoreCalibration(slope=20.0, intercept=-10.0, sufficient=0.5, risk=0.1, questions=0)
    )


@pytest.fixture
def shelf(tmp_path, domain):
    made = Shelf(tmp_path / "shelf", domain, HashEmbedder())
    yield made
    made.close()


@pytest.fixture(scope="session")
def seeded(tmp_path_factory, domain, encoder):
    """Makes homes with the shipped adapter and documents: seeded once for all processes of the tests, then copied."""
    base = tmp_path_factory.getbasetemp()
    root = base.parent if base.name.startswith("popen-") else base  # of all workers of pytest-xdist
    first = root / "seeded"
    with FileLock(root / "seeded.lock"):
        if not first.exists():
            made = build(Settings(home=root / "seeding"), domain, encoder)
            prepare(made, Console(quiet=True))
            made.close()
            (root / "seeding").rename(first)

    def home():
        return shutil.copytree(first, tmp_path_factory.mktemp("seeded") / "home")

    return home


@pytest.fixture(scope="session")
def services(seeded, domain, encoder) -> Services:
    """The whole service with the shipped adapter and the shipped documents."""
    made = build(Settings(home=seeded()), domain, encoder)
    prepare(made, Console(quiet=True))
    yield made
    made.close()
