"""Docker: the same fork servers inside one warm container for each worker.

The container has no network, a read-only root, no capabilities, no new privileges, the engine's
default seccomp profile, and limits on processes, memory and processor time. Its own namespaces serve;
seccomp and Landlock go on top, sample by sample, as in the embedded sandbox. Podman serves through its
Docker-compatible socket (``engine=``), gVisor by ``runtime="runsc"`` where it lets Unix sockets in.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from referee.sandbox.channel import Channel, ServerDown
from referee.sandbox.embedded import ENVIRONMENT, SCRATCH_BYTES, server_options
from referee.sandbox.inside.supervisor import ADDRESS
from referee.sandbox.lane import Lane
from referee.sandbox.pool import close_lanes, lanes_of
from referee.sandbox.records import Execution, Job, Limits, OnValue

LABEL = "referee.sandbox.owner"
START_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Docker:
    """Run code in warm, hardened containers of a Docker or Podman engine on this machine.

    ``engine`` is the engine's address (``unix:///run/podman/podman.sock``; by default the one that the
    docker command finds). ``memory_bytes``, ``cpus`` and ``processes`` bound one container, that is one
    worker. Without ``image``, one is made from this machine's own Python when it is first needed, with
    the ``preload`` packages; an image that is named must hold them. Containers end with the process
    that started them; strays of a killed run are removed at the next start.

    Raises:
        ImportError: where the docker package is missing (at construction).
    """

    workers: int = 0
    preload: tuple[str, ...] = ()
    image: str = ""
    engine: str = ""
    runtime: str = ""
    memory_bytes: int = 2 << 30
    cpus: float = 2.0
    processes: int = 512

    def __post_init__(self) -> None:
        try:
            import docker  # noqa: F401  # only whether it is there
        except ImportError:
            raise ImportError("Docker needs the docker package: pip install 'referee[docker]'") from None
        if self.workers < 0:
            raise ValueError(f"workers must be at least 1, or 0 for one a processor, got {self.workers}")
        object.__setattr__(self, "workers", self.workers or len(os.sched_getaffinity(0)))
        object.__setattr__(self, "preload", tuple(self.preload))

    def execute(
        self, job: Job, *, limits: Limits | None = None, on_value: OnValue | None = None
    ) -> Execution:
        """Run one job, waiting for a free worker first."""
        return lanes_of(self, self._lane, self.workers).run(job, limits or Limits(), on_value)

    def start(self) -> None:
        """Start every worker now, so that the first jobs do not wait; ServerDown where one fails."""
        lanes_of(self, self._lane, self.workers).start(("solution", "judge"))

    def close(self) -> None:
        """End the containers; the next job starts them again."""
        close_lanes(self)

    def _lane(self, processor: int | None) -> Lane:
        container = _Container(self, processor)
        return Lane(container.launch, container.close)


class _Container:
    """One warm container, started when its first fork server is asked for."""

    def __init__(self, options: Docker, processor: int | None) -> None:
        self.options = options
        self.processor = processor
        self.host: socket.socket | None = None
        self.container: Any = None

    def launch(self, role: str, world: Sequence[int] = ()) -> Channel:
        """Start a fork server in the container, whose root they all have."""
        if self.host is None:
            self.host = self._start()
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        channel = Channel(mine)
        try:
            socket.send_fds(self.host, [role.encode()], [theirs.fileno()])
            options = server_options(role, (), isolation="container", processor=self.processor)
            channel.start({**options, "preload": list(self.options.preload)})
        except (ServerDown, OSError) as e:
            channel.close()
            raise ServerDown(
                f"the container of image {self.options.image or 'our own'} does not serve: {e}{self._logs()}"
            ) from e
        finally:
            theirs.close()
        return channel

    def close(self) -> None:
        """End the container."""
        if self.host is not None:
            self.host.close()
            self.host = None
        if self.container is not None:
            with contextlib.suppress(Exception):  # it ends by itself when its host is gone
                self.container.remove(force=True)
            self.container.client.close()
            self.container = None

    def _start(self) -> socket.socket:
        import docker

        folder = tempfile.mkdtemp(prefix="referee-")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            client = connect(self.options.engine)
            remove_strays(client)
            door = os.path.join(folder, "door")  # only its parent is closed to others
            os.mkdir(door)
            listener.bind(os.path.join(door, os.path.basename(ADDRESS)))
            os.chmod(listener.getsockname(), 0o666)  # noqa: S103  # the container is nobody
            os.chmod(door, 0o755)  # noqa: S103  # its parent is closed to others
            listener.listen(1)
            listener.settimeout(START_S)
            image = self.options.image or own_image(client, self.options.preload)
            self.container = client.containers.run(image, **container_options(self.options, door))
            host, _ = listener.accept()
        except (docker.errors.DockerException, OSError) as e:
            logs = self._logs()
            self.close()
            raise ServerDown(f"the container cannot be started: {e}{logs}") from e
        finally:
            listener.close()
            shutil.rmtree(folder, ignore_errors=True)
        return host

    def _logs(self) -> str:
        if self.container is None:
            return ""
        with contextlib.suppress(Exception):  # it may be gone, and its logs with it
            return f": {self.container.logs(tail=3).decode('utf-8', 'replace').strip()[-500:]}"
        return ""


def container_options(options: Docker, door: str) -> dict[str, Any]:
    """Return how a container is confined."""
    return {
        "detach": True,
        "auto_remove": True,
        "network_mode": "none",
        "ipc_mode": "none",
        "read_only": True,
        "user": "65534:65534",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": options.processes,
        "mem_limit": options.memory_bytes,
        "memswap_limit": options.memory_bytes,
        **({"nano_cpus": int(options.cpus * 1e9)} if options.cpus < len(os.sched_getaffinity(0)) else {}),
        "environment": ENVIRONMENT,
        "tmpfs": {"/tmp": f"size={SCRATCH_BYTES},mode=1777,nosuid,nodev,exec"},
        "volumes": {door: {"bind": os.path.dirname(ADDRESS), "mode": "ro"}},
        "labels": {LABEL: owner()},
        **({"runtime": options.runtime} if options.runtime else {}),
    }


def own_image(client: Any, packages: tuple[str, ...]) -> str:
    """Return the tag of the image made from this machine's Python, making it where it is not there."""
    import docker

    from referee.sandbox.image import build_image, own_tag

    tag = own_tag(packages)
    with _building:
        try:
            client.images.get(tag)
        except docker.errors.ImageNotFound:
            build_image(tag=tag, engine=client.api.base_url, packages=packages, client=client)
    return tag


_building = threading.Lock()


def connect(engine: str) -> Any:
    """Return a client of the engine; DockerException where none answers."""
    import docker

    client = docker.DockerClient(base_url=engine) if engine else docker.from_env()
    client.ping()
    return client


_swept: set[str] = set()
_sweeping = threading.Lock()


def remove_strays(client: Any) -> list[str]:
    """Remove the containers whose host process is gone, once for each engine, and return their ids."""
    with _sweeping:
        if client.api.base_url in _swept:
            return []
        _swept.add(client.api.base_url)
    removed = []
    for container in client.api.containers(all=True, filters={"label": LABEL}):
        if not alive(container["Labels"].get(LABEL, "")):
            with contextlib.suppress(Exception):  # another process may be removing it
                client.api.remove_container(container["Id"], force=True)
                removed.append(str(container["Id"]))
    return removed


def owner() -> str:
    """Return this process's name: its machine's boot, its number, and when it started."""
    return f"{_boot()}:{os.getpid()}:{_start_time(os.getpid())}"


def alive(name: str) -> bool:
    """Tell whether the process of that name still runs; another machine's are left alone."""
    boot, _, rest = name.partition(":")
    pid, _, started = rest.partition(":")
    if boot != _boot():
        return False
    try:
        return _start_time(int(pid)) == started
    except (OSError, ValueError):
        return False


def _boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
        return f.read().strip()


def _start_time(pid: int) -> str:
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
        return f.read().rpartition(")")[2].split()[19]
