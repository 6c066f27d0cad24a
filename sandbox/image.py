"""Making the Docker sandbox's image from this machine's own Python, without any registry."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from referee.sandbox.container import connect
from referee.sandbox.embedded import FLAGS
from referee.sandbox.inside.files import PACKAGES

NAME = "referee-sandbox"
HOME = "/opt/referee/sandbox"
_LEFT_OUT = {"site-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip"}
_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


def own_tag(packages: tuple[str, ...] = ()) -> str:
    """Return the tag of the image that this interpreter, packages and files of the sandbox make."""
    digest = hashlib.sha256(" ".join([sys.version, python_executable(), *sorted(packages)]).encode())
    for source in (source for name in packages for source in _package_files(name)):
        digest.update(f"{source} {os.stat(source).st_mtime_ns}".encode())  # another version is another image
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return f"{NAME}:{digest.hexdigest()[:16]}"


def build_image(
    *, tag: str = "", engine: str = "", packages: tuple[str, ...] = (), client: Any = None
) -> str:
    """Make the image, and return its tag. ``packages`` are taken along from this environment.

    Raises:
        docker.errors.DockerException: where no engine answers.
    """
    client = client or connect(engine)
    tag = tag or own_tag(packages)
    with tempfile.TemporaryFile() as archive:
        write_root(archive, packages)
        archive.seek(0)
        entry = [python_executable(), *FLAGS, f"{HOME}/inside/boot.py", "supervisor"]
        changes = [f"ENTRYPOINT {json.dumps(entry)}", "USER 65534:65534", 'LABEL referee.sandbox="image"']
        repository, _, version = tag.partition(":")
        client.api.import_image_from_data(
            archive.read(), repository=repository, tag=version or "latest", changes=changes
        )
    return tag


def write_root(target: Any, packages: tuple[str, ...] = ()) -> None:
    """Write the image's file system as a tar: the interpreter, its libraries, and the sandbox's files."""
    with tarfile.open(fileobj=target, mode="w", dereference=True) as tar:
        for folder in ("/tmp", "/proc", "/dev", "/run/referee", "/sys"):
            _parents(tar, folder + "/x")
        executable, stdlib = python_executable(), sysconfig.get_path("stdlib", vars=_base())
        dynamic = os.path.join(sysconfig.get_path("platstdlib", vars=_base()), "lib-dynload")
        _add(tar, executable, executable)
        for source in [stdlib] if dynamic.startswith(stdlib) else [stdlib, dynamic]:
            _parents(tar, source)
            tar.add(source, arcname=source, filter=_wanted)
        brought = [source for name in packages for source in _package_files(name)]
        programs = [executable, *(str(p) for p in Path(dynamic).glob("*.so"))]
        programs += [str(p) for source in brought for p in Path(source).rglob("*.so*")]
        if os.path.exists("/bin/bash"):
            _add(tar, "/bin/bash", "/bin/bash")
            programs.append("/bin/bash")
        for library in libraries(programs):
            if not any(library.startswith(source) for source in brought):
                _add(tar, library, library)
        here = Path(__file__).parent
        for source, target in [
            (str(here), HOME),
            *((b, f"{PACKAGES}/{os.path.basename(b)}") for b in brought),
        ]:
            _parents(tar, target)
            tar.add(source, arcname=target, filter=_wanted)


def python_executable() -> str:
    """Return the interpreter that this environment was made from."""
    return os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)


def libraries(programs: list[str]) -> list[str]:
    """Return the shared libraries that programs of this machine load, and the loader."""
    done = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False)
    return sorted(set(_LIBRARY.findall(done.stdout)))


def _base() -> dict[str, str]:
    return {"base": sys.base_prefix, "platbase": sys.base_exec_prefix, "installed_base": sys.base_prefix}


def _package_files(name: str) -> list[str]:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ImportError(f"packages names {name}, which is not installed: pip install {name}")
    if not spec.submodule_search_locations:
        return [spec.origin]
    folder = os.path.dirname(spec.origin)
    beside = f"{folder}.libs"  # where wheels keep the shared libraries that they bring
    return [folder, beside] if os.path.isdir(beside) else [folder]


def _parents(tar: tarfile.TarFile, path: str) -> None:
    """Add the folders above a path, each once, open to everyone."""
    for parent in reversed(Path(path).parents):
        name = str(parent).strip("/")
        if name and name not in tar.getnames():
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(entry)


def _add(tar: tarfile.TarFile, source: str, target: str) -> None:
    _parents(tar, target)
    data = Path(source).read_bytes()
    entry = tarfile.TarInfo(target.lstrip("/"))
    entry.size, entry.mode = len(data), 0o755
    tar.addfile(entry, io.BytesIO(data))


def _wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    ours = f"/{entry.name}/".startswith(PACKAGES)
    if _LEFT_OUT & set(Path(entry.name).parts) and not ours:
        return None
    # static libraries are for linking: Python's own is larger than all else together
    if entry.name.endswith((".a", ".opt-1.pyc", ".opt-2.pyc")):
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode |= 0o444 | (0o111 if entry.isdir() else 0)
    return entry
