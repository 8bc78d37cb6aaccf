"""A chat endpoint that speaks OpenAI's API, on loopback: it answers in the schema that it is given, with its first choice."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ChatServer:
    """Counts what it is asked; `url` is what FORMFACT_LLM_URL takes."""

    def __init__(self) -> None:
        seen = self.seen = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                seen.append(asked)
                said = json.dumps(first(asked["response_format"]["json_schema"]["schema"]))
                self.answer(said, asked["model"])

            def answer(self, said: str, model: str) -> None:
                message = {"role": "assistant", "content": said}
                usage = {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107}
                body = {"id": "x", "object": "chat.completion", "created": 0, "model": model, "usage": usage}
                body["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
                data = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def first(schema: dict[str, Any]) -> Any:
    """The first value that a schema allows."""
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    if "anyOf" in schema:
        return first(schema["anyOf"][0])
    kind = schema["type"]
    if kind == "object":
        return {name: first(part) for name, part in schema["properties"].items()}
    if kind == "array":
        return [first(schema["items"])] * max(1, schema.get("minItems", 0))
    return {"string": "Team costs 13.50 EUR.", "number": 0.5, "integer": 1, "boolean": True, "null": None}[kind]
