"""Who asks in the tests of the service: its own key's holder, and others with keys of their own."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from service.api.app import create_app

PRICE = "What does the Team plan cost per user in EUR, billed monthly?"


@pytest.fixture(scope="module")
def client(services):
    with TestClient(create_app(services), raise_server_exceptions=False) as made:
        yield made


@pytest.fixture(scope="module")
def admin(client, services):
    return As(client, services.local_key)


class As:
    """The client with a key."""

    def __init__(self, client, key):
        self.client, self.headers = client, {"Authorization": f"Bearer {key}"}

    def __call__(self, method, path, headers=None, **sent):
        return self.client.request(method, path, headers=self.headers | (headers or {}), **sent)

    def ask(self, body=PRICE, **options):
        answer = self("POST", "/v1/respond", json={"ticket": {"body": body}, **options})
        assert answer.status_code == 200, answer.text
        return answer.json()


def key(admin, **wanted):
    told = {"name": "k", "scopes": ["respond", "read"], "audiences": ["public"], **wanted}
    made = admin("POST", "/v1/keys", json=told)
    assert made.status_code == 201, made.text
    return made.json()
