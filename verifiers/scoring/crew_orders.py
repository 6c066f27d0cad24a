"""What the crew is given: verifiers as they are sent to workers, and the tasks that are put to them."""

from __future__ import annotations

import multiprocessing.spawn
import pickle
import pickletools
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from referee.verifiers.protocol import AnyVerifier, Item, least_of
from referee.verifiers.records import Verdict
from referee.verifiers.scoring.call import Call
from referee.verifiers.scoring.crew_worker import Question, Ruling, portions
from referee.verifiers.scoring.plan import is_group

_CHUNK_S = 0.02  # of work that is handed out at once: cheap verdicts must not pay for a message each


class Payload:
    """Verifiers as they are sent to workers.

    Raises:
        TypeError: where they cannot be pickled.
    """

    def __init__(self, verifiers: Sequence[AnyVerifier]) -> None:
        self.number = next(_numbers)
        self.pickled = _pickled(tuple(verifiers))
        self.whole = tuple(is_group(v) for v in verifiers)
        self.least = tuple(map(least_of, verifiers))
        self.needs_main = b"__main__" in self.pickled or b"__mp_main__" in self.pickled
        self.modules = sorted(m for m in _modules(self.pickled) if m.startswith("referee.verifiers"))
        self.chunk = 1
        self.slow = False
        self.deaths = 0  # of workers that were loading it
        self.failed: Verdict | None = None  # why it cannot be loaded: no use in trying for every order

    def places(self, items: Sequence[Item]) -> set[Question]:
        """Return the questions that ``items`` raise."""
        return {
            (part, first)
            for part, whole in enumerate(self.whole)
            for first, _ in portions(items, whole=whole)
        }

    def surroundings(self) -> dict[str, Any]:
        """Return what a worker needs to unpickle: the paths, and the main module only where it is named."""
        try:
            around = multiprocessing.spawn.get_preparation_data("referee")
        except OSError:  # the working directory is gone
            around = {"sys_path": list(sys.path), "sys_argv": list(sys.argv)}
        wanted = {"sys_path", "sys_argv", "dir", "orig_dir"}
        if self.needs_main:
            wanted |= {"init_main_from_name", "init_main_from_path"}
        return {name: value for name, value in around.items() if name in wanted}

    def adapt(self, seconds: float) -> None:
        """Learn how many tasks make a chunk."""
        fitting = int(_CHUNK_S / seconds) if seconds > 1e-6 else 1024
        self.chunk = max(1, min(1024, (3 * self.chunk + fitting) // 4))


@dataclass(slots=True, eq=False)
class CrewTask:
    """Items that one payload is asked about together: a completion, or the siblings of a group."""

    items: Sequence[Item]
    tag: Any = None
    cells: dict[Question, Ruling] = field(default_factory=dict)
    open: set[Question] = field(default_factory=set)
    died: Question | None = None  # the question at which its worker died


@dataclass(slots=True, eq=False)
class CrewOrder:
    """Tasks that were handed in together. ``done`` is told, in the crew's thread, of those that end."""

    call: Call
    client: object
    workers: int
    payload: Payload
    deadline_s: float
    waiting: deque[CrewTask]
    done: Callable[[list[CrewTask]], None]


_numbers = iter(range(1, 1 << 62))


def give_up(order: CrewOrder, tasks: Iterable[CrewTask], verdict: Verdict) -> None:
    """Decide what is open in ``tasks`` by an abstention."""
    ended = list(tasks)
    for task in ended:
        for place in order.payload.places(task.items) - set(task.cells):
            count = len(task.items) if order.payload.whole[place[0]] else 1
            task.cells[place] = Ruling(*place, [verdict] * count, 0.0)
        task.open.clear()
    if ended and not order.call.cancelled:
        order.done(ended)


def _pickled(verifiers: tuple[AnyVerifier, ...]) -> bytes:
    try:
        return pickle.dumps(verifiers)
    except (pickle.PicklingError, AttributeError, TypeError) as e:
        raise TypeError(
            f"rubric must be picklable to be used in worker processes, got {e}: define its functions at the "
            "top of a module (no lambdas, no closures), or pass workers=0 to score without deadlines"
        ) from None


def _modules(pickled: bytes) -> Iterator[str]:
    """Yield the texts in a pickle that may name modules."""
    for _, argument, _ in pickletools.genops(pickled):
        if isinstance(argument, str):
            yield argument.partition(" ")[0]
