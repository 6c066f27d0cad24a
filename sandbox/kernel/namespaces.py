"""A world of its own for a fork server: user, mount, pid, net, ipc, uts and cgroup namespaces, and a
small read-only root with no /proc, /tmp or /dev/shm.

Set up once for each server and inherited by its children, so that a sample pays nothing for it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterable, Sequence

from referee.sandbox.kernel import calls

NOBODY = 65534
STDIN_FILE = "/tmp/.stdin"
_WORLD = (
    calls.CLONE_NEWNS
    | calls.CLONE_NEWPID
    | calls.CLONE_NEWNET
    | calls.CLONE_NEWIPC
    | calls.CLONE_NEWUTS
    | calls.CLONE_NEWCGROUP
)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


def enter(user: int | None = None) -> bool:
    """Enter new namespaces (the next child is process 1 of them); True where it took real root.

    With ``user``, a user namespace that it joins unless it is real root, it takes no mounts of its own:
    :func:`join_mounts` is for the child.

    Root needs no user namespace for this, and takes one only after it has become nobody, so that
    even outside its world the process would own nothing. Others map themselves to nobody.
    """
    uid, gid = os.geteuid(), os.getegid()
    world = _WORLD if user is None else _WORLD & ~calls.CLONE_NEWNS
    if uid == 0:
        try:
            calls.call("unshare", world)
            return True
        except PermissionError:
            pass  # root of a container without the right to mount: as anyone else
    if user is not None:
        calls.call("setns", user, calls.CLONE_NEWUSER)
        calls.call("unshare", world)
        return False
    calls.call("unshare", calls.CLONE_NEWUSER | _WORLD)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{NOBODY} {uid} 1")
    _write("/proc/self/gid_map", f"{NOBODY} {gid} 1")
    return False


def join_mounts(mounts: int) -> None:
    """Take the root that another server has built."""
    calls.call("setns", mounts, calls.CLONE_NEWNS)
    os.chdir("/")


def build_root(readable: Iterable[str], *, scratch_bytes: int = 0, shared: bool = False) -> None:
    """Make the root a small read-only one that holds ``readable`` and nothing else.

    With ``scratch_bytes`` there is also a /tmp of that size. Where it is ``shared`` nobody may list it; else
    :func:`fresh_scratch` replaces it, and ``/dev/stdin`` is a file in it.
    """
    calls.mount("none", "/", "", calls.MS_REC | calls.MS_PRIVATE)
    base = "/dev" if os.path.isdir("/dev") else "/mnt"  # any folder serves to build on: it is left behind
    calls.mount("tmpfs", base, "tmpfs", calls.MS_NOSUID | calls.MS_NODEV, "size=1m,mode=755")
    # what lies under the tmpfs is still reached through the root that is kept open
    root = base
    os.mkdir(root + "/old", 0o755)
    calls.call("pivot_root", root.encode(), (root + "/old").encode())
    os.chdir("/")
    if scratch_bytes:  # first: what is readable may lie in it
        os.mkdir("/tmp", 0o777)
        fresh_scratch(scratch_bytes, shared=shared)
    for path in [*_without_nested(readable), *_DEVICES]:
        _bind("/old", path)
    if scratch_bytes and not shared:
        os.symlink(STDIN_FILE, "/dev/stdin")
    calls.call("umount2", b"/old", calls.MNT_DETACH)
    os.rmdir("/old")
    _read_only("/", recursive=False)


def fresh_scratch(size: int, *, shared: bool = False) -> None:
    """Mount an empty /tmp, in place of the last one and all that was left in it."""
    with contextlib.suppress(OSError):  # nothing is mounted there yet, the first time
        calls.call("umount2", b"/tmp", calls.MNT_DETACH)
    flags = calls.MS_NOSUID | calls.MS_NODEV
    calls.mount(
        "tmpfs",
        "/tmp",
        "tmpfs",
        flags,
        f"size={size},{'nr_inodes=256,mode=333' if shared else 'nr_inodes=4096,mode=777'}",
    )


def become_nobody() -> None:
    """Real root gives up its identity, and takes a user namespace so that its threads are counted alone."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    calls.call("unshare", calls.CLONE_NEWUSER)


def _bind(old_root: str, path: str) -> None:
    source = old_root + path
    if path == "/" or not os.path.exists(source):
        return
    if os.path.islink(source) and not os.path.isabs(target := os.readlink(source)):
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        os.symlink(target, path)  # /lib -> usr/lib, whose target is listed as well
        return
    if os.path.isdir(source):
        os.makedirs(path, 0o755, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    calls.mount(source, path, "", calls.MS_BIND | calls.MS_REC)
    if path not in _DEVICES:
        _read_only(path, recursive=True)


def _read_only(path: str, *, recursive: bool) -> None:
    attributes = struct.pack("=QQQQ", 1 | 2 | 4, 0, 0, 0)  # RDONLY, NOSUID, NODEV
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    at_fdcwd, at_recursive = -100, 0x8000 if recursive else 0
    try:
        calls.call("mount_setattr", at_fdcwd, path.encode(), at_recursive, buffer, len(attributes))
    except OSError as e:
        if e.errno != 38:
            raise
        flags = calls.MS_REMOUNT | calls.MS_BIND | calls.MS_RDONLY | calls.MS_NOSUID
        calls.mount("none", path, "", flags | calls.MS_NODEV)


def _without_nested(paths: Iterable[str]) -> Sequence[str]:
    """Return the paths, less those that lie within another one of them."""
    kept: list[str] = []
    for path in sorted({os.path.abspath(p) for p in paths}):
        if not any(path.startswith(k + "/") for k in kept):
            kept.append(path)
    return kept


def _write(path: str, text: str) -> None:
    with open(path, "wb") as f:
        f.write(text.encode())
