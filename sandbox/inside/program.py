"""What a child does for languages other than Python: it writes the source to an empty /tmp, compiles it
where that is needed, and becomes the program.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from typing import Any

from referee.sandbox.inside.solution import REQUEST_LIMIT
from referee.sandbox.inside.wire import Connection
from referee.sandbox.kernel.namespaces import STDIN_FILE

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8"}


def commands(language: str, memory_bytes: int) -> tuple[str, list[str], list[str]]:
    """Return a language's source file, the command that compiles it, and the one that runs it."""
    heap = f"--max-old-space-size={max(16, memory_bytes >> 21)}"
    return {
        "bash": ("main.sh", [], ["bash", "main.sh"]),
        "javascript": ("main.js", [], ["node", heap, "main.js"]),
        "cpp": ("main.cpp", ["g++", "-O2", "-std=c++17", "-o", "main", "main.cpp"], ["./main"]),
    }[language]


def rehearse() -> None:
    """Nothing is made warm here: what follows is another program's doing."""


def main(fd: int) -> None:
    """Read the request, and become its program."""
    connection = Connection(fd)
    request: Any = connection.receive(limit=REQUEST_LIMIT)
    os.chdir("/tmp")
    source, compiler, run = commands(request["language"], request["memory_bytes"])
    for needed in [c[0] for c in (compiler, run) if c and not c[0].startswith("./")]:
        if shutil.which(needed, path=ENVIRONMENT["PATH"]) is None:
            connection.send({"missing": f"{needed} is not installed in the sandbox"})
            os._exit(0)
    with open(source, "w", encoding="utf-8", errors="surrogatepass") as f:
        f.write(request["sources"][0]["code"])
    if "/dev/stdin" in request["sources"][0]["code"] and not os.path.exists("/dev/stdin"):
        with contextlib.suppress(OSError), open(STDIN_FILE, "wb") as f:  # there may be no room for it
            f.write(os.pread(0, os.fstat(0).st_size, 0))
    if compiler:
        try:
            done = subprocess.run(
                compiler,
                env=ENVIRONMENT,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=request["compile_s"],
                check=False,
            )
            error = done.stderr.decode("utf-8", "replace") if done.returncode else ""
        except subprocess.TimeoutExpired:
            error = f"it did not compile within {request['compile_s']:g} s"
        if error:
            connection.send({"loaded": False, "syntax": True, "error": error[:2000]})
            os._exit(0)
    connection.send({"compiled": True})
    os.set_inheritable(fd, False)
    resource.setrlimit(resource.RLIMIT_FSIZE, (request["output_bytes"], request["output_bytes"]))
    os.execvpe(run[0], run, ENVIRONMENT)  # noqa: S606  # no shell is wanted
