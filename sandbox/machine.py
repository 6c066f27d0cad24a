"""What this machine can enforce, found out by trying it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from dataclasses import dataclass

from referee.sandbox.channel import ServerDown
from referee.sandbox.embedded import HELP, server_options, start
from referee.sandbox.kernel import landlock

NAMESPACES_HELP = (
    "sysctl kernel.unprivileged_userns_clone=1 and user.max_user_namespaces above 0, "
    "and no AppArmor rule against them (kernel.apparmor_restrict_unprivileged_userns=0)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One thing that a sandbox may rest on: whether it is there, what was found, and what would help."""

    name: str
    available: bool
    found: str = ""
    help: str = ""


def capabilities(*, engine: str = "") -> list[Capability]:
    """Try what the sandboxes rest on and return it, the strongest first.

    ``embedded`` sums up the embedded sandbox: which isolation it takes here, or that it refuses to run.
    ``engine`` is a Docker engine's address, where it is not the default one.
    """
    abi = landlock.abi()
    strong, weak = _try("namespaces"), _try("none")
    level = "namespaces, seccomp and limits" + (f", and Landlock {abi}" if abi else "")
    if not strong.available and weak.available:
        level = "Landlock, seccomp and limits; no namespaces"
    elif not strong.available:
        level = ""
    return [
        Capability(name="embedded", available=bool(level), found=level, help="" if level else HELP),
        strong,
        Capability(
            name="landlock",
            available=abi > 0,
            found=f"version {abi}" if abi else "",
            help="" if abi else "Linux 5.13 or later with the boot option lsm=landlock,...",
        ),
        weak,
        Capability(name="kernel", available=True, found=f"{platform.system()} {platform.release()}"),
        _docker(engine),
        *[
            _language(name, program)
            for name, program in (("bash", "bash"), ("javascript", "node"), ("cpp", "g++"))
        ],
    ]


def _try(isolation: str) -> Capability:
    """Start a fork server with this isolation and ask what it enforces."""
    name = "namespaces" if isolation == "namespaces" else "landlock and seccomp alone"
    try:
        channel = start(server_options("solution", (), isolation=isolation))
    except ServerDown as e:
        advice = NAMESPACES_HELP if isolation == "namespaces" else ""
        return Capability(name=name, available=False, found=str(e)[:300], help=advice)
    try:
        uid = channel.facts.get("uid")
    finally:
        channel.close()
    return Capability(name=name, available=True, found="" if isolation == "namespaces" else f"as user {uid}")


def _docker(engine: str) -> Capability:
    if importlib.util.find_spec("docker") is None:
        return Capability(name="docker", available=False, help="pip install 'referee[docker]'")
    import docker

    from referee.sandbox.container import connect

    try:
        client = connect(engine)
    except docker.errors.DockerException as e:
        advice = "start Docker or Podman, or name its socket" if os.geteuid() else "start dockerd"
        return Capability(name="docker", available=False, found=str(e)[:200], help=advice)
    version = client.version()
    client.close()
    return Capability(name="docker", available=True, found=f"version {version.get('Version', '')}")


def _language(name: str, program: str) -> Capability:
    where = shutil.which(program)
    return Capability(
        name=name, available=where is not None, found=where or "", help="" if where else f"install {program}"
    )
