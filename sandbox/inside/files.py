"""Which files the bare interpreter needs: all that a solution may read."""

from __future__ import annotations

import os
import sys

SYSTEM = ["/usr", "/bin", "/lib", "/lib64", "/etc/alternatives", "/etc/ld.so.cache"]  # of other languages


PACKAGES = "/opt/referee/packages"  # of an image that is made here


def container_packages() -> list[str]:
    """Return the folders with a container's packages: what our image brings, or its own site-packages."""
    import site

    return [folder for folder in (PACKAGES, *site.getsitepackages()) if os.path.isdir(folder)]


def python_path(preload_folders: list[str]) -> list[str]:
    """Return the import path: the standard library, and the folders of what is preloaded."""
    stdlib = os.path.dirname(os.path.abspath(os.__file__))
    dynamic = [p for p in sys.path if os.path.basename(p) == "lib-dynload"]
    return list(dict.fromkeys([stdlib, *dynamic, *preload_folders]))


def python_files(path: list[str]) -> list[str]:
    """Return the folders and files that Python reads, given its import path."""
    multiarch = f"/usr/lib/{getattr(sys.implementation, '_multiarch', '')}"
    libraries = multiarch if multiarch != "/usr/lib/" and os.path.isdir(multiarch) else "/usr/lib"
    own = os.path.join(sys.base_exec_prefix, "lib")
    names = os.listdir(own) if os.path.isdir(own) else []
    shared = [os.path.join(own, n) for n in names if n.startswith("libpython") and ".so" in n]
    files = [*path, "/lib", "/lib64", "/usr/lib64", libraries, "/usr/share/zoneinfo", *shared]
    there = [f for f in files if os.path.exists(f)]
    return list(dict.fromkeys([*there, *(os.path.realpath(f) for f in there)]))
