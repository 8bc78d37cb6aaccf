"""Stand-ins for Zendesk and Chatwoot on loopback, as their published APIs say: real HTTP, authenticated, strict about shapes.

`troubles` holds what happens to the next calls of a method: a status, a status with headers, or `hang up` after the call
was carried out, so that the caller cannot know that it was.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

HANG_UP = "hang up"


class StandIn:
    """A server in a thread. `calls` lists (method, path, body) of every call that was let through."""

    def __init__(self):
        self.calls, self.troubles, self.lock = [], {}, threading.Lock()
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                stand_in.handle(self)

            do_GET = do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def handle(self, request):
        length = int(request.headers.get("Content-Length") or 0)
        body = json.loads(request.rfile.read(length)) if length else None
        parts = urlsplit(request.path)
        with self.lock:
            waiting = self.troubles.get(request.command) or []
            trouble = waiting.pop(0) if waiting else None
            if not self.authentic(request.headers):
                status, headers, answer = 401, {}, {"error": "Couldn't authenticate you"}
            elif trouble is None or trouble == HANG_UP:
                self.calls.append((request.command, parts.path, body))
                headers, (status, answer) = {}, self.reply(request.command, parts.path, parse_qs(parts.query), body)
            else:
                status, headers = trouble if isinstance(trouble, tuple) else (trouble, {})
                answer = {"error": "trouble"}
        if trouble == HANG_UP:
            return
        request.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(json.dumps(answer).encode())

    def writes(self, ending=""):
        return [c for c in self.calls if c[0] != "GET" and c[1].endswith(ending)]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Zendesk(StandIn):
    """Tickets with tags and comments. Update Ticket replaces tags; `/tags` adds (PUT) and removes (DELETE) them."""

    EMAIL, TOKEN = "bot@larkspur.example", "zendesk-api-token-1234"

    def __init__(self):
        self.tickets, self.moment = {}, datetime(2026, 11, 1, tzinfo=UTC)
        super().__init__()

    def ticket(self, number, *comments, tags=(), requester=7):
        self.tickets[number] = {"id": number, "status": "open", "tags": list(tags), "requester_id": requester}
        self.tickets[number] |= {"updated_at": self.stamp(), "comments": []}
        for author, public, text in comments:
            self.comment(self.tickets[number], author, public, text, text)

    def comment(self, ticket, author, public, body, html):
        made = {"id": 1000 + len(ticket["comments"]), "author_id": author, "public": public, "created_at": self.stamp()}
        ticket["comments"].append(made | {"body": body, "plain_body": body, "html_body": html})

    def stamp(self):
        self.moment += timedelta(seconds=1)
        return self.moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    def authentic(self, headers):
        expected = base64.b64encode(f"{self.EMAIL}/token:{self.TOKEN}".encode()).decode()
        return headers.get("Authorization") == f"Basic {expected}"

    def notes(self, number):
        return [c for c in self.tickets[number]["comments"] if not c["public"]]

    def reply(self, method, path, query, body):
        found = re.fullmatch(r"/api/v2/tickets/(\d+)(/tags|/comments)?\.json", path)
        ticket = self.tickets.get(int(found[1])) if found else None
        if ticket is None:
            return 404, {"error": "RecordNotFound"}
        if method == "GET":
            return self.read(ticket, found[2], query)
        if ticket["status"] == "closed":
            return 422, {"error": "RecordInvalid", "description": "closed prevents ticket update"}
        return self.tag(method, ticket, body) if found[2] == "/tags" else self.update(ticket, body)

    def read(self, ticket, what, query):
        if what == "/comments":
            listed = ticket["comments"][::-1] if query.get("sort") == ["-created_at"] else ticket["comments"]
            return 200, {"comments": listed[: int(query.get("page[size]", ["100"])[0])]}
        return 200, {"ticket": {k: v for k, v in ticket.items() if k != "comments"}}

    def tag(self, method, ticket, body):
        if body.get("safe_update") == "true" and body["updated_stamp"] != ticket["updated_at"]:
            return 409, {"error": "UpdateConflict"}
        present = set(ticket["tags"])
        ticket["tags"] = sorted(present | set(body["tags"]) if method == "PUT" else present - set(body["tags"]))
        ticket["updated_at"] = self.stamp()
        return 200, {"tags": ticket["tags"]}

    def update(self, ticket, body):
        assert set(body) == {"ticket"}, body
        comment = body["ticket"].get("comment")
        if comment:
            text = re.sub(r"<[^>]+>", " ", comment["html_body"])
            self.comment(ticket, 99, comment.get("public", True), text, comment["html_body"])
        if "tags" in body["ticket"]:
            ticket["tags"] = body["ticket"]["tags"]
        ticket["updated_at"] = self.stamp()
        return 200, {"ticket": {"id": ticket["id"]}}


class Chatwoot(StandIn):
    """Conversations of account 1. Setting labels replaces them, and keeps only those that the account defined."""

    TOKEN = "chatwoot-agent-token-1234"

    def __init__(self, defined):
        self.defined, self.conversations, self.last = set(defined), {}, 500
        super().__init__()

    def conversation(self, number, *messages, status="pending", labels=()):
        self.conversations[number] = {"id": number, "status": status, "labels": list(labels), "messages": []}
        return [self.message(number, *m) for m in messages][-1]

    def message(self, number, kind, content, private=False):
        self.last += 1
        made = {"id": self.last, "message_type": kind, "content": content, "private": private}
        self.conversations[number]["messages"].append(made)
        return self.last

    def said(self, number, private):
        return [
            m["content"]
            for m in self.conversations[number]["messages"]
            if m["message_type"] == 1 and m["private"] == private
        ]

    def authentic(self, headers):
        return headers.get("api_access_token") == self.TOKEN

    def reply(self, method, path, query, body):
        found = re.fullmatch(r"/api/v1/accounts/1/conversations/(\d+)(?:/(labels|messages|toggle_status))?", path)
        talk = self.conversations.get(int(found[1])) if found else None
        if talk is None:
            return 404, {"error": "Resource could not be found"}
        if method == "GET":
            return self.read(talk, found[2], query)
        if found[2] == "labels":
            talk["labels"] = [label for label in body["labels"] if label in self.defined]
            return 200, {"payload": talk["labels"]}
        if found[2] == "messages":
            assert body["message_type"] == "outgoing", body
            return 200, {"id": self.message(talk["id"], 1, body["content"], body["private"])}
        assert body["status"] in ("open", "resolved", "pending"), body
        talk["status"] = body["status"]
        return 200, {"payload": {"success": True, "current_status": talk["status"]}}

    def read(self, talk, what, query):
        if what == "labels":
            return 200, {"payload": talk["labels"]}
        if what != "messages":
            return 200, {k: talk[k] for k in ("id", "status")}
        before, after = (int(query.get(side, ["0"])[0]) for side in ("before", "after"))
        listed = [m for m in talk["messages"] if m["id"] > after and (not before or m["id"] < before)]
        return 200, {"payload": listed[:100] if after else listed[-20:]}
