"""A Docker engine for tests and benchmarks: the one that runs, or one of our own where we are root."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator


class NoEngine(Exception):
    """There is no engine here, and none can be started."""


@contextlib.contextmanager
def engine() -> Iterator[str]:
    """Yield an engine's address; one that was started here is stopped by its process id afterwards."""
    docker = __import__("importlib").import_module("docker")
    with contextlib.suppress(Exception):
        client = docker.from_env()
        client.ping()
        yield client.api.base_url
        return
    if shutil.which("dockerd") is None:
        raise NoEngine("no Docker engine answers, and dockerd is not installed")
    if os.geteuid() != 0:
        raise NoEngine("no Docker engine answers, and only root can start one")
    home = tempfile.mkdtemp(prefix="referee-engine-")
    address = f"unix://{home}/docker.sock"
    options = ["--iptables=false", "--bridge=none", "--storage-driver=vfs", f"--data-root={home}/data"]
    options += [f"--exec-root={home}/exec", f"--pidfile={home}/pid", "-H", address]
    with open(f"{home}/log", "wb") as log:
        process = subprocess.Popen(["dockerd", *options], stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for(docker, address, process, f"{home}/log")
        yield address
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(home, ignore_errors=True)


def _wait_for(docker: object, address: str, process: subprocess.Popen[bytes], log: str) -> None:
    for _ in range(120):
        with contextlib.suppress(Exception):
            docker.DockerClient(base_url=address).ping()  # type: ignore[attr-defined]
            return
        if process.poll() is not None:
            break
        time.sleep(0.25)
    with open(log, errors="replace") as f:
        raise NoEngine(f"dockerd did not start: {f.read()[-300:]}")
