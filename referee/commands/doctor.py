"""``referee doctor``: what this machine can isolate and accelerate, what it cannot, and what would help."""

from __future__ import annotations

import importlib.util
import json as json_lines
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated

import psutil
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from referee.sandbox import capabilities
from referee.verifiers.extras import EXTRAS


@dataclass(frozen=True, slots=True)
class Fact:
    """Something about this machine. ``good`` is None where it is neither good nor bad."""

    section: str
    name: str
    value: str
    good: bool | None = None
    help: str = ""


def doctor(*, json: Annotated[bool, Parameter(negative=())] = False) -> int:
    """Say what this machine can isolate and accelerate, what it cannot, and what would help.

    Args:
        json: Print one JSON object for each fact.
    """
    console = Console(highlight=False, markup=False, soft_wrap=True)
    found = [fact for section in (_machine, _acceleration, _isolation, _packages) for fact in section()]
    if json:
        for fact in found:
            print(json_lines.dumps(asdict(fact)))  # noqa: T201
        return 0
    for section in dict.fromkeys(fact.section for fact in found):
        console.print(f"\n{section}", style="bold")
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        for fact in found:
            if fact.section == section:
                sign, style = {True: ("yes", "green"), False: ("no", "yellow"), None: ("", "")}[fact.good]
                table.add_row(f"  {sign:3}", fact.name, fact.value, style=style or None)
        console.print(table)
    helps = [fact for fact in found if fact.help]
    if helps:
        console.print("\nWhat would help", style="bold")
        for fact in helps:
            console.print(f"  {fact.name}: {fact.help}")
    return 0


def _machine() -> Iterator[Fact]:
    yield Fact("Machine", "python", f"{platform.python_version()} ({sys.executable})")
    yield Fact("Machine", "system", f"{platform.system()} {platform.release()}, {platform.machine()}")
    usable, there = len(os.sched_getaffinity(0)), os.cpu_count() or 0
    yield Fact("Machine", "cores", f"{usable} usable" + (f" of {there}" if there != usable else ""))
    memory = psutil.virtual_memory()
    yield Fact("Machine", "memory", f"{memory.available / 2**30:.1f} GiB free of {memory.total / 2**30:.1f}")
    limit = _cgroup_limit()
    if limit is not None and limit < memory.total:
        yield Fact("Machine", "memory limit", f"{limit / 2**30:.1f} GiB (control group)")


def _acceleration() -> Iterator[Fact]:
    if importlib.util.find_spec("torch") is None:
        wanted = "pip install 'referee[train]'"
        yield Fact("Acceleration", "torch", "not installed: scoring works, training does not", False, wanted)
        return
    import torch

    yield Fact("Acceleration", "torch", torch.__version__, True)
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            facts = torch.cuda.get_device_properties(i)
            memory = f"{facts.total_memory / 2**30:.0f} GiB"
            yield Fact("Acceleration", f"GPU {i}", f"{facts.name}, {memory}", True)
    elif torch.backends.mps.is_available():
        yield Fact("Acceleration", "GPU", "Apple MPS", True)
    else:
        built = (
            f"torch is built for CUDA {torch.version.cuda}" if torch.version.cuda else "torch is a CPU build"
        )
        yield Fact("Acceleration", "GPU", f"none seen ({built}): training runs on the CPU", False)


def _isolation() -> Iterator[Fact]:
    """What can be put between a program that a model wrote and this machine."""
    for found in capabilities():
        value = found.found or ("yes" if found.available else "no")
        yield Fact("Isolation", found.name, value, found.available, found.help)


def _packages() -> Iterator[Fact]:
    yield Fact("Packages", "referee", metadata.version("referee") if _installed("referee") else "from source")
    for extra, packages in EXTRAS.items():
        there = {p: metadata.version(p) for p in packages if _installed(p)}
        missing = [p for p in packages if p not in there]
        value = ", ".join(f"{p} {v}" for p, v in there.items()) or "not installed"
        if there and missing:
            value += f"; without {', '.join(missing)}"
        remedy = f"pip install 'referee[{extra}]'" if missing and extra != "train" else ""
        yield Fact("Packages", f"[{extra}]", value, not missing, remedy)
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    yield Fact("Packages", "browser", browser or "none: tests of the report's page skip", bool(browser))


def _installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _cgroup_limit() -> int | None:
    for place in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(place).read_text().strip()
        except OSError:
            continue
        return int(text) if text.isdecimal() else None
    return None
