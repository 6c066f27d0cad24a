"""Worker processes: what they import, what survives a fork, and what they never raise."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import pickle
import socket
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from referee.trainers import Scorer, to_lm_eval, to_verl
from referee.verifiers import Completion, Exact, Item, Math, Problem, Reason, Rubric, Verdict, evaluate
from referee.verifiers.scoring import score
from referee.verifiers.scoring.pipe import Pipe
from referee.verifiers.scoring.plan import Place, place, plan

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import places  # noqa: E402  # worker processes must find it by this name too

P = Problem(prompt="2+2=", answer="4")


def run_script(tmp_path: Path, code: str, **env: str) -> str:
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(code))
    done = subprocess.run(
        [sys.executable, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(HERE), *sys.path]), **env},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_script_is_not_imported_again_for_verifiers_that_live_elsewhere(tmp_path: Path) -> None:
    out = run_script(
        tmp_path,
        """
        import os, places
        from referee.trainers import Scorer
        from referee.verifiers import Completion, Problem, Rubric
        print("imported by", os.getpid(), flush=True)
        if __name__ == "__main__":
            scorer = Scorer(rubric=Rubric({"loops": places.loops}), deadline_s=0.3, workers=2)
            pairs = [(Completion(text=t), Problem()) for t in ("a", "hostile", "hostile", "b")]
            print([r.total for r in scorer.score(pairs)], flush=True)
        """,
    )
    assert out.count("imported by") == 1
    assert "[1.0, 0.0, 0.0, 1.0]" in out


def test_a_verifier_of_the_script_itself_works_under_its_guard(tmp_path: Path) -> None:
    out = run_script(
        tmp_path,
        """
        from referee.verifiers import Problem, Rubric, score
        def rule(completion, problem):
            while completion.text == "hang": pass
            return 1.0
        if __name__ == "__main__":
            pairs = [(t, Problem()) for t in ("a", "hang", "b")]
            print([r.total for r in score(Rubric({"rule": rule}), pairs, workers=1, deadline_s=0.3)])
        """,
    )
    assert out.strip() == "[1.0, 0.0, 1.0]"


def test_a_script_without_a_guard_is_told_so_and_starts_no_process_after_process(tmp_path: Path) -> None:
    out = run_script(
        tmp_path,
        """
        from referee.verifiers import Problem, Rubric, score
        def rule(completion, problem):
            return 1.0
        (reward,) = score(Rubric({"rule": rule}), [("a", Problem())], workers=1)
        print(reward.total, reward.parts["rule"].detail["error"])
        """,
    )
    assert out.startswith("None a worker process could not load the verifiers: RuntimeError")
    assert 'put what it does under if __name__ == "__main__":' in out


def test_a_slow_import_is_paid_once_for_workers_that_have_to_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "slow_rule.py").write_text(
        "import time\ntime.sleep(1.5)\n"
        "def rule(completion, problem):\n    while completion.text == 'hang': pass\n    return 1.0\n"
    )
    out = run_script(
        tmp_path,
        """
        import time, slow_rule
        from referee.trainers import Scorer
        from referee.verifiers import Completion, Problem, Rubric
        if __name__ == "__main__":
            scorer = Scorer(rubric=Rubric({"rule": slow_rule.rule}), deadline_s=0.3)
            score = lambda *texts: [r.total for r in scorer.score([(Completion(text=t), Problem()) for t in texts])]
            score("a")
            time.sleep(3)  # a spare has loaded meanwhile
            start = time.monotonic()
            print(score("hang", "b"), time.monotonic() - start < 1.5)
        """,
    )
    assert out.strip() == "[0.0, 1.0] True"


def test_verifiers_that_cannot_be_loaded_abstain_and_say_why(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "brittle.py").write_text("def rule(completion, problem):\n    return 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    import brittle

    (tmp_path / "brittle.py").write_text("import os\nos._exit(3)\n")
    (one,) = score(Rubric({"brittle": brittle.rule}), [("a", P)], workers=1)
    assert (
        one.parts["brittle"].detail["error"].startswith("a worker process ended with code 3 while it loaded")
    )
    (tmp_path / "brittle.py").write_text("raise KeyError('broken module')\n")
    rewards = score(
        Rubric({"brittle": brittle.rule, "exact": Exact()}), [("4", P)] * 3 + [("5", P)], workers=2
    )
    assert [r.parts["brittle"].reason for r in rewards] == [Reason.ERROR] * 4
    assert "KeyError: 'broken module'" in str(rewards[0].parts["brittle"].detail["error"])


def totals_of(scorer: Scorer) -> list[float | None]:
    return [r.total for r in scorer.score([(Completion(text=t), P) for t in ("a", places.HOSTILE)])]


def test_a_forked_child_scores_after_its_parent_did() -> None:
    scorer = Scorer(rubric=Rubric({"loops": places.loops}), deadline_s=0.5)
    assert totals_of(scorer) == [1.0, 0.0]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        assert list(pool.map(totals_of, [scorer, scorer], timeout=60)) == [[1.0, 0.0]] * 2
    assert totals_of(scorer) == [1.0, 0.0]
    scorer.close()


def test_what_a_client_holds_can_be_written_out_and_copied_after_it_scored() -> None:
    """lm-evaluation-harness logs its tasks' functions by asdict."""
    metric = to_lm_eval(Rubric({"exact": Exact()}), deadline_s=5)
    assert metric({"prompt": "p", "answer": "4"}, ["4"])["reward"] == 1.0
    assert dataclasses.asdict(metric)
    reward = to_verl(Rubric({"exact": Exact()}), on_abstention=0.0, deadline_s=5)
    assert reward("d", "4", "4", {})["score"] == 1.0
    assert dataclasses.asdict(reward.scorer)["deadline_s"] == 5
    assert dataclasses.replace(reward.scorer) == reward.scorer


class Template:
    """A batch verifier that refuses some prompts, and counts how it is asked."""

    def __init__(self, *, asked_once: bool = False) -> None:
        self.batches: list[int] = []
        self.asked_once = asked_once

    def __call__(self, completion: Completion, problem: Problem) -> float:
        return 1.0

    def verify_batch(self, items: list[Item]) -> list[float]:
        self.batches.append(len(items))
        if any(i.problem.prompt == "refused" for i in items):
            raise ValueError("System role not supported")
        return [1.0] * len(items)


def items_with_one_refused(count: int, at: int) -> list[Item]:
    return [
        Item(Completion(text="x"), Problem(prompt="refused" if i == at else "fine"), i) for i in range(count)
    ]


def test_an_item_that_a_batch_verifier_refuses_costs_its_own_verdict_only() -> None:
    template = Template()
    verdicts = evaluate(template, items_with_one_refused(8, at=5))
    assert [v.score for v in verdicts] == [1.0] * 5 + [None] + [1.0] * 2
    assert verdicts[5].detail == {"error": "ValueError: System role not supported"}
    assert template.batches == [8, 4, 4, 2, 1, 1, 2]


def test_a_service_that_costs_money_is_not_asked_twice() -> None:
    template = Template(asked_once=True)
    assert [v.score for v in evaluate(template, items_with_one_refused(4, at=0))] == [None] * 4
    assert template.batches == [4]


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        ("quick", Place.WORKER),
        ("math", Place.WORKER),
        ("siblings", Place.WORKER),
        ("awaited", Place.LOOP),
        ("model", Place.HERE),
        ("unit_tests", Place.HERE),
    ],
)
def test_the_plan_says_where_a_part_runs(kind: str, where: Place) -> None:
    assert place(places.KINDS[kind][0]) is where


def test_the_plan_of_mathematics_alone_needs_no_process() -> None:
    assert plan({"math": Math()}).self_bounded
    assert not plan({"math": Math(), "exact": Exact()}).self_bounded


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_means_what_it_says_also_for_mathematics(workers: int, tmp_path: Path) -> None:
    out = run_script(
        tmp_path,
        f"""
        import os, psutil, places
        from referee.verifiers import Completion, Item, Math, Problem, Rubric
        from referee.verifiers.scoring import Engine
        if __name__ == "__main__":
            def children():
                return len(psutil.Process().children(recursive=True))
            engine = Engine(Rubric({{"math": Math(), "waits": places.quick}}), workers={workers})
            P = Problem(answer="4")
            engine.score_items([Item(Completion(text=str(i)), P, i) for i in range(50 * {workers})])
            held = children()
            engine.close()
            print(held, children())
        """,
    )
    held, left = map(int, out.split())
    # beside the workers what they are forked from; on a slow machine, where loading takes long, a spare
    assert workers + 1 <= held <= workers + 2
    assert left == 0


def test_workers_that_cannot_be_started_abstain(tmp_path: Path) -> None:
    out = run_script(
        tmp_path,
        """
        import sys, time, places
        from referee.verifiers import Problem, Rubric, score
        if __name__ == "__main__":
            sys.executable = "/no/such/python"
            start = time.monotonic()
            (reward,) = score(Rubric({"quick": places.quick}), [("a", Problem())], workers=1)
            print(reward.parts["quick"].reason, time.monotonic() - start < 20)
        """,
    )
    assert out.strip() == "unavailable True"


@pytest.mark.parametrize("kind", ["writes_half_a_message", "writes_rubbish"])
def test_a_verifier_that_writes_into_its_workers_pipe_holds_nobody_up(kind: str) -> None:
    texts = ["a", "hostile", "b"]
    started = time.monotonic()
    with ThreadPoolExecutor(2) as clients:
        spoilt = clients.submit(_scored, kind, texts)
        whole = clients.submit(_scored, "quick", texts * 20)
        assert {v.score for v in whole.result(60)} == {1.0}
        assert [v.score for v in spoilt.result(60)] == [1.0, None, 1.0]
    assert time.monotonic() - started < 20


def _scored(kind: str, texts: list[str]) -> list[Verdict]:
    pairs = [(t, Problem(id=str(i))) for i, t in enumerate(texts)]
    rubric = Rubric({kind: getattr(places, kind)})
    return [r.parts[kind] for r in score(rubric, pairs, workers=1, deadline_s=0.5)]


def test_a_pipe_keeps_what_is_not_read_and_takes_in_what_comes_in_pieces() -> None:
    here, there = socket.socketpair()
    pipe, worker = Pipe(here), Connection(there.detach())
    long = ("load", b"x" * 3_000_000)
    pipe.send(long)
    pipe.send(("judge", []))
    assert pipe.unsent
    reader = ThreadPoolExecutor(1).submit(lambda: [worker.recv(), worker.recv()])
    while pipe.unsent:
        pipe.flush()
    assert reader.result(10) == [long, ("judge", [])]
    assert pipe.receive() == ([], False)
    worker.send_bytes(pickle.dumps("whole"))
    os.write(worker.fileno(), b"\x00\x00")
    assert pipe.receive() == (["whole"], False)
    worker.close()
    assert pipe.receive() == ([], True)


@pytest.mark.parametrize(
    "rubbish", [b"\xff\xff\xff\x00", b"\x00\x00\x00\x02ab", b"\x70\x00\x00\x00"], ids=repr
)
def test_what_came_before_rubbish_is_taken_in_and_nothing_after_it(rubbish: bytes) -> None:
    here, there = socket.socketpair()
    worker = Connection(there.detach())
    worker.send("whole")
    os.write(worker.fileno(), rubbish)
    assert Pipe(here).receive() == (["whole"], True)
    worker.close()
