"""Ask a running service about a ticket: `FORMFACT_KEY=ff_… python docs/client_example.py "How much is Team?"`."""

import os
import sys

import httpx

url, key = os.environ.get("FORMFACT_URL", "http://127.0.0.1:8000"), os.environ["FORMFACT_KEY"]
ticket = {"body": sys.argv[1]}
answer = httpx.post(f"{url}/v1/respond", json={"ticket": ticket}, headers={"Authorization": f"Bearer {key}"})
answer.raise_for_status()
reply = answer.json()
print(reply["action"], reply["reason_code"])
print(reply["answer"]["text"])
for c in reply["citations"]:
    print(f"[{c['n']}] {c['title']}, version {c['version']}, from {c['effective_from']}")
