"""Which files the bare interpreter needs: all that a solution may read."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

SYSTEM = ["/usr", "/bin", "/lib", "/lib64", "/etc/alternatives", "/etc/ld.so.cache"]  # of other languages


def python_path(preload_folders: list[str]) -> list[str]:
    """Return the import path: the standard library, and the folders of what is preloaded."""
    stdlib = sysconfig.get_path("stdlib")
    dynamic = os.path.join(sysconfig.get_path("platstdlib"), "lib-dynload")
    return list(dict.fromkeys([stdlib, dynamic, *preload_folders]))


def python_files(path: list[str]) -> list[str]:
    """Return the folders and files that Python reads, given its import path."""
    multiarch = sysconfig.get_config_var("MULTIARCH")
    libraries = (
        [f"/usr/lib/{multiarch}"] if multiarch and os.path.isdir(f"/usr/lib/{multiarch}") else ["/usr/lib"]
    )
    shared = [str(p) for p in Path(sys.base_exec_prefix, "lib").glob("libpython*.so*")]
    files = [*path, "/lib", "/lib64", "/usr/lib64", *libraries, "/usr/share/zoneinfo", *shared]
    there = [f for f in files if os.path.exists(f)]
    return list(dict.fromkeys([*there, *(os.path.realpath(f) for f in there)]))
