"""A scripted stand-in for a judging model behind HTTP: no hosted model can be reached by tests.

It is the worst judge there is for our purpose: it obeys whatever it takes for an instruction. What it
takes for one is everything outside a well-formed fence (opened and closed with the mark that its system
message names) and everything after a special token of a chat template.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ORDER = re.compile(r"award (\d+)|\"(?:score|correct)\": (\d+)", re.IGNORECASE)
SPECIAL = re.compile(r"<\|[^|]*\|>|\[/?INST\]|</?s>")


def obedient(messages: list[dict[str, str]]) -> str:
    """Answer 2, or the number that the text orders outside a fence; B, or what is ordered."""
    system, user = messages[0]["content"], messages[-1]["content"]
    found = re.search(r"=== BEGIN \.\.\. (\w+) ===", system)
    special = SPECIAL.search(user)
    free = user[special.end() :] if special else ""
    if found:
        mark = re.escape(found.group(1))
        fenced = re.compile(
            rf"^=== BEGIN ([\w ]+) {mark} ===$.*?^=== END \1 {mark} ===$", re.MULTILINE | re.DOTALL
        )
        free += fenced.sub("", user)
    else:
        free += user
    order = ORDER.search(free)
    score = int(order.group(1) or order.group(2)) if order else 2
    names = re.findall(r"^- (\w+): ", system, re.MULTILINE)
    winner = "A" if order else "tie"
    return json.dumps({"why": "scripted", "scores": dict.fromkeys(names, score), "winner": winner})


@contextmanager
def serving(answer: Callable[[list[dict[str, str]]], Any]) -> Iterator[Any]:
    """Serve ``answer`` at /v1/chat/completions. It returns a text, an int (a status) or a float (to sleep)."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with server.lock:
                server.requests.append({"path": self.path, "body": body, "headers": dict(self.headers)})
                server.now += 1
                server.most = max(server.most, server.now)
            try:
                result = answer(body["messages"])
                if isinstance(result, float):
                    time.sleep(result)
                    result = "late"
                status, data = (result, b"no") if isinstance(result, int) else (200, _reply(result))
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except OSError:
                pass  # the client has gone
            finally:
                with server.lock:
                    server.now -= 1

        def log_message(self, *_: object) -> None:
            pass

    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.lock, server.requests, server.now, server.most = threading.Lock(), [], 0, 0
    server.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def _reply(text: Any) -> bytes:
    if isinstance(text, bytes):
        return text
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()
