"""Wherever a part runs, whatever stands beside it and whoever scores: its own verdict, within its deadline.

Each cell of the table scores a hostile text and a fine one with a rubric of one part, alone or beside
a rule that loops on the hostile text, through one of the doors. It must end within the deadline and two
seconds, and no part may pay for another.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from referee.cli import main
from referee.envs.records import Group, Rollout, Turn
from referee.trainers import GroupTrainer, Scorer, Tiny, Training, preset, tiny_policy, to_service
from referee.trainers.adapters.service import ServiceLimits
from referee.verifiers import Completion, Item, Math, Problem, Reward, Rubric, audit, gate, score, score_file
from referee.verifiers.jsonl import loads
from referee.verifiers.probing import Probe
from referee.verifiers.scoring import read_scored
from referee.verifiers.scoring.crew import crew

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import places  # noqa: E402  # worker processes must find it by this name too

DEADLINE_S = 0.3
# An answer for Math, a program for UnitTests, and a word for the others.
FINE = "```python\ndef four():\n    return 4\n```\nThe answer is \\boxed{4}."
TEXTS = (FINE.replace("```\n", f"```\n{places.HOSTILE}\n"), FINE)
PROBLEM = Problem(prompt="2+2=", answer="4", info={"calls": [[[], 4]], "entry_point": "four"})
PAIRS = [(Completion(text=text), PROBLEM) for text in TEXTS]
LOOPS = ("beside", places.loops, 0.0, "timeout")


@pytest.fixture(scope="module", autouse=True)
def warm() -> Iterator[None]:
    """Keep the workers from one cell to the next."""
    crew().hold("the table")
    _policy()
    yield
    crew().release("the table")


def by_score(rubric: Rubric, tmp_path: Path) -> list[Reward]:
    return score(rubric, PAIRS, workers=2, deadline_s=DEADLINE_S)


def by_file(rubric: Rubric, tmp_path: Path) -> list[Reward]:
    rows = [{"prompt": "2+2=", "completion": list(TEXTS), "answer": "4", "info": PROBLEM.info}]
    score_file(rubric, rows, tmp_path / "out.jsonl", workers=2, deadline_s=DEADLINE_S)
    return [s.reward for s in read_scored(tmp_path / "out.jsonl")]


def by_scorer(rubric: Rubric, tmp_path: Path) -> list[Reward]:
    return Scorer(rubric=rubric, deadline_s=DEADLINE_S, workers=2).score(PAIRS)


class Fixed:
    """Rollouts whose completions are given, scored as all rollouts are: by the rubric they are handed."""

    def __call__(self, policy, problems, rubric, *, group_size, sampling, seeds, policy_step=0):
        completions = [Completion(text=t, token_ids=(3,), logprobs=(-0.5,)) for t in TEXTS]
        rewards = rubric.score_items([Item(c, PROBLEM) for c in completions])
        rollouts = tuple(
            Rollout(problem=PROBLEM, turns=(Turn(completion=c),), reward=r, prompt_ids=(3,))
            for c, r in zip(completions, rewards, strict=True)
        )
        return [Group(problem=PROBLEM, rollouts=rollouts)]

    def figures(self, groups):
        return {}


@cache
def _policy():
    return tiny_policy(Tiny(alphabet="0123456789+=", layers=1, width=8, heads=1))


def by_trainer(rubric: Rubric, tmp_path: Path) -> list[Reward]:
    trainer = GroupTrainer(
        _policy(),
        [PROBLEM],
        rubric,
        preset=replace(preset("grpo"), group_size=2, batch_size=2, kl_coef=0.0, max_new_tokens=4),
        training=Training(steps=1, deadline_s=DEADLINE_S, scoring_workers=2),
        rollouts=Fixed(),
    )
    (group,) = trainer.rollout([0])
    return [r.reward for r in group.rollouts]


def by_service(rubric: Rubric, tmp_path: Path) -> list[Reward]:
    app = to_service(rubric, workers=2, limits=ServiceLimits(deadline_s=DEADLINE_S))
    item = {"prompt": "2+2=", "answer": "4", "info": PROBLEM.info}
    with TestClient(app) as client:
        said = client.post("/score", json={"items": [{**item, "completion": t} for t in TEXTS]}).json()
    return [
        loads(Reward, f'{{"total": null, "parts": {part}, "truncated": false}}')
        for part in (_parts(r["parts"]) for r in said["rewards"])
    ]


def _parts(parts: dict) -> str:
    return json.dumps({n: {"score": p["score"], "reason": p["reason"]} for n, p in parts.items()})


DOORS: dict[str, Callable[[Rubric, Path], list[Reward]]] = {
    "score": by_score,
    "score_file": by_file,
    "scorer": by_scorer,
    "service": by_service,
    "trainer": by_trainer,
}


def parts_of(kind: str, beside: str) -> dict[str, tuple[object, float | None, str]]:
    parts = {"part": places.KINDS[kind]}
    if beside == "beside a loop":
        parts[LOOPS[0]] = LOOPS[1:]
    return parts


def in_time(call: Callable[[], object]) -> object:
    """Return what a call returns, within the deadline and two seconds of a machine that has time."""
    start, cpu = time.monotonic(), time.process_time()
    out = call()
    assert time.monotonic() - start <= _allowed(time.process_time() - cpu)
    return out


def _allowed(cpu: float) -> float:
    """On a busy machine a deadline holds in processor time: a verdict waits up to ten for its share."""
    return max(DEADLINE_S + 2.0, 10 * DEADLINE_S + 2.0 + cpu if _busy() else 0.0)


def _busy() -> bool:
    return os.getloadavg()[0] > len(os.sched_getaffinity(0))


@pytest.mark.parametrize("beside", ["alone", "beside a loop"])
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", places.KINDS)
def test_each_part_is_decided_by_itself_and_in_time(
    kind: str, door: str, beside: str, tmp_path: Path
) -> None:
    parts = parts_of(kind, beside)
    rubric = Rubric({name: verifier for name, (verifier, _, _) in parts.items()})
    hostile, fine = in_time(lambda: DOORS[door](rubric, tmp_path))
    for name, (_, expected, reason) in parts.items():
        assert (hostile.parts[name].score, str(hostile.parts[name].reason)) == (expected, reason), name
        assert fine.parts[name].score == 1.0, name


@pytest.mark.parametrize("beside", ["alone", "beside a loop"])
@pytest.mark.parametrize("kind", places.KINDS)
def test_verify_and_audit_decide_it_the_same_way(kind: str, beside: str, tmp_path: Path, capsys) -> None:
    parts = parts_of(kind, beside)
    total = None if any(s is None for _, s, _ in parts.values()) else sum(s for _, s, _ in parts.values())
    rubric = Rubric({name: verifier for name, (verifier, _, _) in parts.items()})
    probe = Probe(name="hostile", says="", compose=lambda case: TEXTS[0], honest=True)
    problems = [PROBLEM, Problem(prompt="2+3=", answer="5")]
    (probed,) = in_time(
        lambda: audit(
            rubric, problems[:1] * 1 + problems[1:], probes=[probe], workers=2, deadline_s=DEADLINE_S
        )
    )
    assert probed.decided + probed.abstained == 2
    assert probed.abstained >= (2 if total is None and kind not in ("math", "unit_tests") else 0)
    path = tmp_path / "rubric.yaml"
    names = {"math": "math", "unit_tests": "unit_tests"}
    lines = [f"  part: {names.get(kind, f'{HERE}/places.py:{_name(kind)}')}"]
    if beside == "beside a loop":
        lines.append(f"  beside: {HERE}/places.py:loops")
    path.write_text("parts:\n" + "\n".join(lines) + "\n")
    command = [
        "verify", str(path), "--text", TEXTS[0], "--answer", "4", "--info", json.dumps(PROBLEM.info),
        "--deadline-s", str(DEADLINE_S), "--json", "--at-least", "0.5",
    ]  # fmt: skip
    capsys.readouterr()
    code = in_time(lambda: main(command))
    reward = loads(Reward, capsys.readouterr().out)
    assert reward.total == total
    assert code == (0 if total is not None and total >= 0.5 else 1)


def _name(kind: str) -> str:
    return kind


def test_no_thread_or_process_of_ours_works_on_after_the_table() -> None:
    """What was given up has ended: nothing is left that spins."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        before = time.process_time()
        time.sleep(0.2)
        if time.process_time() - before < 0.1:
            return
    pytest.fail(f"something works on: {[t.name for t in threading.enumerate()]}")


def test_a_rule_in_a_composition_keeps_its_deadline_beside_what_is_awaited_or_batched() -> None:
    """A gate of a rule and a model is split: each is asked where it belongs."""
    rubric = Rubric(
        {
            "gated": gate(places.loops, places.model),
            "guarded": gate(places.awaited, places.loops),
            "math": gate(places.quick, Math() & places.awaited),
        }
    )
    hostile, fine = in_time(lambda: by_score(rubric, Path()))
    assert [str(v.reason) for v in hostile.parts.values()] == ["timeout", "timeout", "correct"]
    assert [v.score for v in fine.parts.values()] == [1.0, 1.0, 1.0]
