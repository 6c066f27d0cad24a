"""A Docker engine for tests and benchmarks: the one that runs, or one of our own where we are root."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import Any


class NoEngine(Exception):
    """There is no engine here, and none can be started."""


@contextlib.contextmanager
def engine() -> Iterator[str]:
    """Yield an engine's address; one that was started here is stopped by its process id afterwards."""
    docker = __import__("importlib").import_module("docker")
    running = ""
    with contextlib.suppress(Exception):
        client = docker.from_env()
        client.ping()
        running = client.api.base_url
    if running:
        yield running
        return
    if shutil.which("dockerd") is None:
        raise NoEngine("no Docker engine answers, and dockerd is not installed")
    if os.geteuid() != 0:
        raise NoEngine("no Docker engine answers, and only root can start one")
    home = tempfile.mkdtemp(prefix="referee-engine-")
    try:
        try:
            process, address = _start(docker, home, [])
        except NoEngine:  # vfs asks nothing of the file system, but copies an image for each container
            process, address = _start(docker, home, ["--storage-driver=vfs"])
        try:
            yield address
        finally:
            process.terminate()
            process.wait(30)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _start(docker: Any, home: str, storage: list[str]) -> tuple[subprocess.Popen[bytes], str]:
    address = f"unix://{home}/docker.sock"
    options = ["--iptables=false", "--bridge=none", f"--data-root={home}/data", f"--exec-root={home}/exec"]
    options += [f"--pidfile={home}/pid", "-H", address, *storage]
    with open(f"{home}/log", "wb") as log:
        process = subprocess.Popen(["dockerd", *options], stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for(docker, address, process, f"{home}/log")
    except BaseException:
        process.terminate()
        process.wait(30)
        raise
    return process, address


def _wait_for(docker: Any, address: str, process: subprocess.Popen[bytes], log: str) -> None:
    for _ in range(120):
        with contextlib.suppress(Exception):
            docker.DockerClient(base_url=address).ping()
            return
        if process.poll() is not None:
            break
        time.sleep(0.25)
    with open(log, errors="replace") as f:
        raise NoEngine(f"dockerd did not start: {f.read()[-300:]}")
