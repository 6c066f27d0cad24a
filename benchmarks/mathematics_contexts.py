"""Whether mathematics is judged alike in threads, event loops, forked and spawned processes."""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
from mathematics_sets import Row
from mathematics_systems import judge_of


def verdicts_of(rows: list[Row]) -> list[float | None]:
    """Judge rows with ours; a module-level function, so that a spawned process can be asked for it."""
    judge = judge_of("ours")
    return [judge(r["completion"], r["gold"]) for r in rows]


def _send(pipe: Any, rows: list[Row]) -> None:
    pipe.send(verdicts_of(rows))
    pipe.close()


def contexts(rows: list[Row]) -> dict[str, Any]:
    """Judge the same rows in five contexts; say how many verdicts differ, and what was left behind."""

    def in_process(method: str) -> list[float | None]:
        context = multiprocessing.get_context(method)
        mine, theirs = context.Pipe()
        process = context.Process(target=_send, args=(theirs, rows))  # type: ignore[attr-defined]
        process.start()
        theirs.close()  # a child that dies ends the pipe
        out: list[float | None] = mine.recv()
        process.join()
        return out

    main = verdicts_of(rows)
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(verdicts_of, [rows[i::4] for i in range(4)]))
    threaded: list[float | None] = [None] * len(rows)
    for i, part in enumerate(parts):
        threaded[i::4] = part
    others = {
        "thread pool": threaded,
        "asyncio.to_thread": asyncio.run(_to_thread(rows)),
        "forked": in_process("fork"),
        "spawned": in_process("spawn"),
    }
    differ = {name: sum(a != b for a, b in zip(got, main, strict=True)) for name, got in others.items()}
    left = [p for p in psutil.Process().children(recursive=True) if p.pid not in before and _works(p)]
    return {"rows": len(rows), "differing": differ, "processes_left": len(left)}


def _works(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and "tracker" not in " ".join(process.cmdline())
    except psutil.Error:  # ended while it was looked at
        return False


async def _to_thread(rows: list[Row]) -> list[float | None]:
    return await asyncio.to_thread(verdicts_of, rows)
