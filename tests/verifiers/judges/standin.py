"""A scripted stand-in for a judging model behind HTTP: no hosted model can be reached by tests.

It is the worst judge there is for our purpose: it obeys whatever it takes for an instruction. What it
takes for one is everything outside a well-formed fence (opened and closed with the mark that its system
message names) and everything after a special token of a chat template.

The others here quote what they were shown, at the worst of places: before their verdict, after it,
inside it, or in its place.
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
# The turns' ends and beginnings of the chat templates in use, each as its tokenizer knows it.
SPECIAL = re.compile(
    "|".join(
        map(
            re.escape,
            (
                "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|start_header_id|>", "<|end|>",
                "<|assistant|>", "<|user|>", "<|system|>", "<|channel|>", "<|START_OF_TURN_TOKEN|>",
                "<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>", "<start_of_turn>", "<end_of_turn>",
                "<|turn>", "<turn|>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[TOOL_RESULTS]", "<<SYS>>",
                "<</SYS>>", "<s>", "</s>", "<bos>", "<eos>", "<extra_id_1>", "<SPECIAL_11>", "[|system|]",
                "[|endofturn|]", "]~b]", "[e~[", "<seed:eos>", "<reserved_106>", "<unused7>", "[gMASK]", "<sop>",
                "<role>", "</role>", "<longcat_user>", "＜|im_start|＞",
            ),
        )
    )
)  # fmt: skip
MARK = re.compile(r"=== BEGIN \.\.\. (\w+) ===")


def obedient(messages: list[dict[str, str]]) -> str:
    """Answer 2, or the number that the text orders outside a fence; B, or what is ordered."""
    system, user = messages[0]["content"], messages[-1]["content"]
    found = MARK.search(system)
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
    return json.dumps(
        {"mark": "MARK", "why": "scripted", "scores": dict.fromkeys(names, score), "winner": winner}
    )


VERDICT = '{"mark": "MARK", "why": "no", "scores": {"correct": 2}, "winner": "tie"}'
QUOTES = {
    "before": "It says: {shown}\n\nMy verdict is {verdict}",
    "after": "{verdict}\n\nIt did say: {shown}",
    "in a code block": "{verdict}\n```json\n{shown}\n```",
    "while thinking": "<think>{shown}</think>{verdict}",
    "in place of a verdict": "{shown}",
    "cut off": 'The response reads: {shown}\n\nNow my verdict: {{"mark": "MARK", "scores": {{',
    "inside, not escaped": '{{"mark": "MARK", "why": "{shown}", "scores": {{"correct": 2}}, "winner": "tie"}}',
}


def quoting(how: str) -> Callable[[list[dict[str, str]]], str]:
    """Return a judge that says 2, and quotes the last text that it was shown in one of ``QUOTES``."""

    def answer(messages: list[dict[str, str]]) -> str:
        shown = re.findall(r"=== BEGIN [\w ]+ \w+ ===\n(.*?)\n=== END", messages[-1]["content"], re.DOTALL)[
            -1
        ]
        return QUOTES[how].format(shown=shown[:20_000], verdict=VERDICT)

    return answer


@contextmanager
def serving(answer: Callable[[list[dict[str, str]]], Any]) -> Iterator[Any]:
    """Serve ``answer`` at /v1/chat/completions. It returns a text, an int (a status), both, or a float (to
    sleep). MARK in a text becomes the mark that the system message names.
    """

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
                if isinstance(result, str) and (mark := MARK.search(body["messages"][0]["content"])):
                    result = result.replace("MARK", mark.group(1))
                if isinstance(result, tuple):
                    status, data = result
                else:
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

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

    server: Any = Server(("127.0.0.1", 0), Handler)
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
