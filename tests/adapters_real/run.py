"""Run each side's tests against its real library, in a virtual environment of its own.

    python tests/adapters_real/run.py [SIDE ...]

Environments lie under .venvs/adapters (or the folder that REFEREE_VENVS names) and are kept: one is
made again when its requirements change. One install at a time. Prints a table, and exits with 1 where
a side failed; a side that cannot be installed here is shown as such and is no failure with
--allow-missing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VENVS = Path(os.environ.get("REFEREE_VENVS", ROOT / ".venvs" / "adapters"))
CONSTRAINT = "torch==2.13.0\n"  # an open range takes a build of several GB
TOOLS = ["pytest", "pytest-timeout", "regex", "psutil", "jsonschema"]
TIMEOUT_S = 1800


@dataclass(frozen=True)
class Result:
    side: str
    version: str
    outcome: str
    seconds: float
    said: str = ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("sides", nargs="*", metavar="SIDE", help=f"of {', '.join(sides())}; default all")
    parser.add_argument("--allow-missing", action="store_true", help="what cannot be installed is no failure")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    arguments = parser.parse_args()
    if unknown := set(arguments.sides) - set(sides()):
        parser.error(f"SIDE must be one of {', '.join(sides())}, got {', '.join(sorted(unknown))}")
    results = []
    for side in arguments.sides or sides():
        results.append(run(side))
        print(row(results[-1]), flush=True)
        if results[-1].outcome == "failed":
            print(results[-1].said)
    print("\n" + "\n".join(map(row, results)))
    if arguments.json:
        print(json.dumps({"results": [asdict(r) for r in results]}))
    bad = {"failed"} if arguments.allow_missing else {"failed", "not installed"}
    return int(any(r.outcome in bad for r in results))


def sides() -> list[str]:
    return sorted(p.parent.name for p in HERE.glob("*/requirements.txt"))


def run(side: str) -> Result:
    started = time.monotonic()
    try:
        python = environment(side)
    except (subprocess.CalledProcessError, FileNotFoundError) as e:
        said = getattr(e, "stderr", "") or str(e)
        return Result(side, version(side), "not installed", time.monotonic() - started, said[-2000:])
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    env |= {"REFEREE_ADAPTER": side, "PYTHONSAFEPATH": "1", "HF_HUB_OFFLINE": "1"}
    command = [python, "-m", "pytest", "-q", "-W", "ignore", "-p", "no:cacheprovider", "--timeout", "900"]
    done = subprocess.run(
        [*map(str, command), "--show-capture=no", str(HERE / side), str(HERE / "test_documentation.py")],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    lines = done.stdout.strip().splitlines() or [done.stderr[-2000:]]
    seconds = time.monotonic() - started
    if done.returncode:
        return Result(side, version(side), "failed", seconds, done.stdout[-6000:])
    return Result(side, version(side), "passed", seconds, lines[-1])


def environment(side: str) -> Path:
    """Return the side's Python, made where it is not there or its requirements have changed."""
    folder, files = VENVS / side, [HERE / side / "requirements.txt", HERE / side / "requirements-no-deps.txt"]
    python = folder / "bin" / "python"
    wanted = hashlib.sha256(b"".join(f.read_bytes() for f in files if f.exists())).hexdigest()
    stamp = folder / "requirements.sha256"
    if not stamp.exists() or stamp.read_text() != wanted:
        call(interpreter(side), "-m", "venv", "--clear", str(folder))
        (folder / "constraints.txt").write_text(CONSTRAINT)
        pip = [str(python), "-m", "pip", "install", "-q", "-c", str(folder / "constraints.txt")]
        if files[1].exists():
            call(*pip, "--no-deps", "-r", str(files[1]))
        call(*pip, "-r", str(files[0]), *TOOLS)
    stamp.write_text(wanted)
    here = hashlib.sha256(str(ROOT).encode() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    linked = folder / "referee.sha256"  # a link to the sources: made again where the packages have changed
    if not linked.exists() or linked.read_text() != here:
        call(str(python), "-m", "pip", "install", "-q", "--no-deps", "-e", str(ROOT))
        linked.write_text(here)
    return python


def interpreter(side: str) -> str:
    """Return the Python that the side needs: this one, or the one that its python-version file names."""
    file = HERE / side / "python-version"
    if not file.exists():
        return sys.executable
    name = f"python{file.read_text().strip()}"
    found = [shutil.which(name), *map(str, Path.home().glob(f".pyenv/versions/{name[6:]}*/bin/python"))]
    for candidate in filter(None, found):
        if subprocess.run([candidate, "--version"], capture_output=True, check=False).returncode == 0:
            return candidate
    raise FileNotFoundError(f"{side} needs {name}, which is not on this machine")


def version(side: str) -> str:
    pins = "".join(f.read_text() for f in sorted((HERE / side).glob("requirements*.txt")))
    found = [m for m in re.findall(r"^([\w-]+)(?:\[\w+\])?==(\S+)", pins, re.M) if m[0] != "torch"]
    return " ".join(found[0]) if found else ""


def call(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT_S)


def row(result: Result) -> str:
    said = result.said.splitlines()[-1] if result.said and result.outcome != "failed" else ""
    return f"{result.side:24} {result.version:24} {result.outcome:14} {result.seconds:7.1f} s  {said[:100]}"


if __name__ == "__main__":
    sys.exit(main())
