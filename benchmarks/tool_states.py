r"""Multi-turn episodes of BFCL, replayed: its own calls end in the wanted state, and what else does.

    python benchmarks/tool_states.py --package FOLDER

FOLDER holds ``bfcl_eval`` (``pip install --no-deps --target FOLDER bfcl-eval``), whose worlds (a file system,
a car, a broker, ...) are run here. Of each of the 200 episodes of ``multi_turn_base`` the calls are replayed,
then none of them, and then all but one, for each one in turn.
"""

from __future__ import annotations

import argparse
import copy
import importlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from referee.verifiers import Problem, ToolState

WORLDS = {
    "GorillaFileSystem": "gorilla_file_system", "MathAPI": "math_api", "MessageAPI": "message_api",
    "TwitterAPI": "posting_api", "TicketAPI": "ticket_api", "TradingBot": "trading_bot",
    "TravelAPI": "travel_booking", "VehicleControlAPI": "vehicle_control",
}  # fmt: skip
ROOM = "bfcl_eval.eval_checker.multi_turn_eval.func_source_code"


class Worlds:
    """Several of BFCL's worlds beside each other, whose methods are the tools."""

    def __init__(self, initial: Any) -> None:
        self._parts: dict[str, Any] = {}
        for name in initial["worlds"]:
            part = getattr(importlib.import_module(f"{ROOM}.{WORLDS[name]}"), name)()
            if hasattr(part, "_load_scenario"):
                part._load_scenario(copy.deepcopy(initial["config"].get(name, {})))
            self._parts[name] = part
            for method in methods(part):
                setattr(self, method, getattr(part, method))

    def state(self) -> dict[str, Any]:
        """Return what the worlds hold, as JSON data."""
        return {name: held(part) for name, part in self._parts.items()}


def methods(part: Any) -> list[str]:
    """Return the names of a world's tools."""
    return [m for m in dir(part) if m[0] != "_" and callable(getattr(part, m))]


def held(value: Any) -> Any:
    """Return a value of a world as JSON data, without the way back from a file to its folder."""
    if isinstance(value, dict):
        return {str(k): held(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [held(v) for v in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    kept = {k: v for k, v in getattr(value, "__dict__", {}).items() if k[0] != "_" and k != "parent"}
    return held(kept) if kept else type(value).__name__


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--package", type=Path, required=True, help="the folder that holds bfcl_eval")
    data = parser.parse_args().package / "bfcl_eval" / "data"
    if not data.is_dir():
        parser.error(f"--package must be a folder that holds bfcl_eval, got {data.parent.parent}")
    sys.path.append(str(data.parent.parent))
    tools = {
        m
        for n, file in WORLDS.items()
        for m in methods(getattr(importlib.import_module(f"{ROOM}.{file}"), n))
    }
    verify = ToolState(make=Worlds, tools=tuple(sorted(tools)), state=Worlds.state)
    counts = Counter[str]()
    episodes = (data / "BFCL_v4_multi_turn_base.json").read_text().splitlines()
    answers = (data / "possible_answer" / "BFCL_v4_multi_turn_base.json").read_text().splitlines()
    for episode, answer in zip(map(json.loads, episodes), map(json.loads, answers), strict=True):
        initial = {"worlds": episode["involved_classes"], "config": episode["initial_config"]}
        task = Problem(info={"initial": initial, "calls": answer["ground_truth"]})
        calls = [call for turn in answer["ground_truth"] for call in turn]
        counts["episodes"] += 1
        counts["its own calls, paid"] += verify(f"[{', '.join(calls)}]", task).score == 1.0
        counts["no call, paid"] += verify("Nothing is to be done.", task).score == 1.0
        for place in range(len(calls)):
            less = calls[:place] + calls[place + 1 :]
            counts["one call left out"] += 1
            counts["one call left out, paid"] += (
                verify(f"[{', '.join(less)}]" if less else "None.", task).score == 1.0
            )
    print(json.dumps(counts, indent=1))


if __name__ == "__main__":
    main()
