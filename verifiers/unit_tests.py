"""Does the code pass its tests? Judged outside the process that runs the code."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any, TypeVar

from referee.sandbox.embedded import Embedded
from referee.sandbox.records import Calls, Check, Execution, Limits, Outcome, Program, Sandbox, Source, Trial
from referee.verifiers.code_tests import CallCase, CodeTests, StdioCase, one_of, read_code_tests
from referee.verifiers.combine import Composable
from referee.verifiers.outputs import MATCHES, same_output, same_value
from referee.verifiers.protocol import UNIT, Item, failure
from referee.verifiers.reading.code_blocks import extract_code
from referee.verifiers.reading.fences import fenced_blocks
from referee.verifiers.records import Completion, Json, Problem, Reason, Verdict, text_of

_REASONS = {
    Outcome.TIMEOUT: Reason.TIMEOUT,
    Outcome.MEMORY: Reason.RESOURCE_LIMIT,
    Outcome.OUTPUT: Reason.RESOURCE_LIMIT,
}
_SHOWN = 2000
_ROOM = 1 << 16  # bytes: what an answer may have beyond what is expected
_Test = TypeVar("_Test", StdioCase, CallCase)
_MISSING = re.compile(r"No module named '([A-Za-z][A-Za-z0-9_]{0,63})['.]", re.ASCII)
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,16}\b")


@dataclass(frozen=True, slots=True)
class UnitTests(Composable):
    """Run a completion's code against the problem's tests, in a sandbox.

    ``problem.info`` holds the tests in one of three forms:

    - ``{"tests": source, "entry_point": name}``: asserts, ``check(candidate)``, unittest, or ``test_*``
      functions (HumanEval, MBPP); they run in a process of their own against a proxy of the solution;
    - ``{"cases": [{"stdin": ..., "stdout": ...}]}``: each case runs the program once (APPS, contests);
      with ``"checker"``, the source of ``check(stdin, stdout, expected)`` decides;
    - ``{"calls": [[arguments, expected], ...], "entry_point": name}``: compared outside.

    A case or call may carry ``"public": true`` and ``"weight"`` (a call then is ``{"args": ...,
    "kwargs": ..., "expected": ...}``). ``info`` may also set ``"match"``, ``"tolerance"``, ``"language"``,
    and the problem's own ``"time_limit_s"`` and ``"memory_bytes"``, of which ``limits`` are the default
    and the ceiling. The spellings of common data sets are read too (``input`` and ``output``, ``inputs``
    and ``outputs``, ``expected_output``, ``fn_name``, ``input_output``).

    ``score`` is ``all`` (1 or 0, and the first failure ends the run), the ``fraction`` of all tests that
    passed, or ``weighted``. A checker's number is the share of its case: all of it is 1. ``match`` compares
    outputs: ``exact``, by ``whitespace``-separated words, or words where numbers may differ by
    ``tolerance`` (``float``), unless a whole number is expected. ``which`` takes only the ``public`` or the
    ``hidden`` tests.

    The verdict's ``detail`` has the outcome, tests passed and total, the failing test, what was written,
    and ``guarantee``: ``isolated`` where the tests and expected values were never in the solution's
    process, ``best effort`` where they were (a remote sandbox's asserts).

    **Accepts**

    - a fenced block, bare code, or the body that goes on where the prompt's function stops
    - the last fenced block that defines the entry point, after the thinking
    - code that builds on the imports and helpers of the prompt
    - a method of a class ``Solution`` that has the entry point's name
    - a tuple where a call expects a list

    **Rejects**

    - code that fails a test, raises, ends its process, runs too long, or floods its output: score 0
    - results that claim to equal everything, or are no plain data
    - a completion with no code, or only thinking: ``no_answer``

    It abstains where the tests cannot be read (a key that is missing, or none of ours) or never call the
    solution (``bad_reference``) and where the sandbox cannot run (``unavailable``).

    >>> from referee.verifiers import Problem
    >>> problem = Problem(info={"calls": [[[3, 4], 7]], "entry_point": "add"})
    >>> UnitTests()("def add(a, b): return a + b", problem).score
    1.0
    """

    sandbox: Sandbox | None = None
    limits: Limits = field(default_factory=Limits, kw_only=True)
    score: str = field(default="all", kw_only=True)
    match: str = field(default="whitespace", kw_only=True)
    tolerance: float = field(default=0.0, kw_only=True)
    which: str = field(default="every", kw_only=True)

    range = UNIT
    rules_version = 2
    bounds_itself = True

    def __post_init__(self) -> None:
        one_of("score", self.score, ("all", "fraction", "weighted"))
        one_of("match", self.match, MATCHES)
        one_of("which", self.which, ("every", "public", "hidden"))
        if not 0 <= self.tolerance < 1:
            raise ValueError(f"tolerance must be at least 0 and below 1, got {self.tolerance}")
        if self.sandbox is None:
            object.__setattr__(self, "sandbox", Embedded())
        elif not isinstance(self.sandbox, Sandbox):
            raise TypeError(f"sandbox must have execute, workers and close, got {self.sandbox!r:.80}")

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return the verdict on one completion."""
        try:
            tests = self._chosen(read_code_tests(problem.info))
        except ValueError as e:
            return failure(f"problem.info: {e}", Reason.BAD_REFERENCE)
        found = extract_code(
            text_of(completion),
            language=tests.language,
            entry_point=tests.entry_point,
            thinking=problem.thinking,
        )
        if found.missing:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER, detail={"error": found.missing})
        preamble = _preamble(problem, tests.entry_point) if tests.language == "python" else ""
        sources = tuple(Source(code=code, before=preamble) for code in found.candidates)
        if tests.cases:
            return self._cases(sources, tests)
        return self._calls(sources, tests) if tests.calls else self._tests(sources, tests, preamble)

    def verify_batch(self, items: Sequence[Item]) -> list[Verdict]:
        """Return the verdicts on many completions, as many at a time as the sandbox has workers."""
        assert self.sandbox is not None
        with ThreadPoolExecutor(max(1, min(self.sandbox.workers, len(items)))) as threads:
            return list(threads.map(lambda item: self(item.completion, item.problem), items))

    def _tests(self, sources: tuple[Source, ...], tests: CodeTests, preamble: str) -> Verdict:
        trial = Trial(
            sources=sources,
            tests=tests.source,
            entry_point=tests.entry_point,
            setup=(tests.imports + "\n" if tests.imports else "") + (tests.setup or preamble),
            stop_early=self.score == "all",
        )
        run = self._execute(trial, self._limits(tests))
        passed, total = int(run.report.get("passed") or 0), int(run.report.get("total") or 0)
        failures = run.report.get("failures") or [{}]
        extra: dict[str, Json] = {"guarantee": str(run.report.get("guarantee") or "isolated")}
        if failures[0]:
            extra["failed"] = failures[0]
        done = run.outcome in (Outcome.OK, Outcome.WRONG, Outcome.KILLED, Outcome.MEMORY) and total > 0
        fraction = passed / total if done else 0.0
        share = fraction if self.score != "all" else None
        return self._verdict(run, sources, share, (passed, total), extra)

    def _cases(self, sources: tuple[Source, ...], tests: CodeTests) -> Verdict:
        limits = self._limits(tests)
        results: list[float] = []
        last = first_failure = None
        extra: dict[str, Json] = {"guarantee": "isolated"}
        for i, case in enumerate(tests.cases):
            program = Program(sources=sources, stdin=case.stdin, language=tests.language)
            last = self._execute(program, limits)
            share = 0.0
            if last.outcome is Outcome.OK:
                last, share = self._compared(last, case, tests, limits)
            if last.outcome in (Outcome.SANDBOX_UNAVAILABLE, Outcome.BAD_REFERENCE):
                return self._verdict(last, sources, None, (0, len(tests.cases)), extra)
            results.append(share)
            if last.outcome is not Outcome.OK and first_failure is None:
                first_failure = last
                extra["failed"] = {"test": i, "stdin": _cut(case.stdin), "stdout": _cut(case.stdout)}
            if first_failure and (self.score == "all" or first_failure.outcome is Outcome.SYNTAX_ERROR):
                break
        run = first_failure or last
        assert run is not None
        counts = results.count(1.0), len(tests.cases)
        return self._verdict(run, sources, self._share(dict(enumerate(results)), tests.cases), counts, extra)

    def _compared(
        self, run: Execution, case: StdioCase, tests: CodeTests, limits: Limits
    ) -> tuple[Execution, float]:
        """Return what came of a case that ran, and the share of it that is paid."""
        if tests.checker:
            check = Check(checker=tests.checker, stdin=case.stdin, stdout=run.stdout, expected=case.stdout)
            judged = self._execute(check, limits)
            share = float(judged.report.get("score") or 0.0) if judged.outcome is not Outcome.TIMEOUT else 0.0
            return replace(judged, stdout=run.stdout, stderr=run.stderr), share
        match = tests.match or self.match
        tolerance = tests.tolerance if tests.tolerance is not None else self.tolerance
        if match == "float" and tests.tolerance is None:
            tolerance = tolerance or 1e-6
        if same_output(case.stdout, run.stdout, match=match, tolerance=tolerance):
            return run, 1.0
        return replace(run, outcome=Outcome.WRONG, error="the output differs"), 0.0

    def _calls(self, sources: tuple[Source, ...], tests: CodeTests) -> Verdict:
        calls = tests.calls
        tolerance = tests.tolerance if tests.tolerance is not None else self.tolerance
        job = Calls(
            sources=sources,
            entry_point=tests.entry_point,
            arguments=tuple(c.args for c in calls),
            keywords=tuple(c.kwargs for c in calls),
            stop_early=self.score == "all",
            answer_bytes=_ROOM + 16 * max(_length(c.expected) for c in calls),
        )
        results: dict[int, float] = {}

        def on_value(i: int, value: Any) -> bool:
            good = any(same_value(e, value, tolerance=tolerance) for e in calls[i].expected)
            results[i] = float(good)
            return good or self.score != "all"

        run = self._execute(job, self._limits(tests), on_value)
        extra: dict[str, Json] = {"guarantee": "isolated"}
        passed = sum(results.values())
        if run.outcome is Outcome.OK and passed < len(calls):
            run = replace(run, outcome=Outcome.WRONG, error="the result differs")
        if run.outcome is not Outcome.OK:
            i = next((i for i in range(len(calls)) if not results.get(i)), len(calls) - 1)
            extra["failed"] = {
                "test": i,
                "args": _cut([*calls[i].args, *([calls[i].kwargs] if calls[i].kwargs else [])]),
                "expected": _cut(calls[i].expected[0]),
            }
        counts = int(passed), len(calls)
        return self._verdict(run, sources, self._share(results, calls), counts, extra)

    def _execute(self, job: Any, limits: Limits, on_value: Any = None) -> Execution:
        assert self.sandbox is not None
        return self.sandbox.execute(job, limits=limits, on_value=on_value)

    def _limits(self, tests: CodeTests) -> Limits:
        """Return the problem's limits, up to our own; output may be as long as what is expected."""
        longest = max((len(c.stdout.encode("utf-8", "replace")) for c in tests.cases), default=0)
        output_bytes = self.limits.output_bytes
        return replace(
            self.limits,
            wall_s=min(tests.time_limit_s or self.limits.wall_s, self.limits.wall_s),
            memory_bytes=min(tests.memory_bytes or self.limits.memory_bytes, self.limits.memory_bytes),
            output_bytes=output_bytes if longest < output_bytes else 2 * longest + _ROOM,
        )

    def _chosen(self, tests: CodeTests) -> CodeTests:
        """Return the tests that ``which`` takes."""
        if tests.source:
            return tests
        cases, calls = self._of_those(tests.cases), self._of_those(tests.calls)
        if not cases and not calls:
            raise ValueError(f"there must be at least one {self.which} test")
        if self.score == "weighted" and sum([t.weight for t in cases] + [t.weight for t in calls]) <= 0:
            raise ValueError("weights must be at least 0, and one above 0")
        return replace(tests, cases=cases, calls=calls)

    def _of_those(self, tests: tuple[_Test, ...]) -> tuple[_Test, ...]:
        return tuple(t for t in tests if self.which == "every" or t.public is (self.which == "public"))

    def _share(
        self, results: dict[int, float], tests: tuple[StdioCase, ...] | tuple[CallCase, ...]
    ) -> float | None:
        """Return the (weighted) share of all the tests; None where they must all pass."""
        if self.score == "all":
            return None
        weights = [t.weight if self.score == "weighted" else 1.0 for t in tests]
        return sum(w * results.get(i, 0.0) for i, w in enumerate(weights)) / sum(weights)

    def _verdict(
        self,
        run: Execution,
        sources: tuple[Source, ...],
        share: float | None,
        counts: tuple[int, int],
        extra: dict[str, Json],
    ) -> Verdict:
        """Return the verdict on a run; ``counts`` are the tests passed, and all of them."""
        if run.outcome is Outcome.SANDBOX_UNAVAILABLE:
            return failure(run.error, Reason.UNAVAILABLE)
        if run.outcome is Outcome.BAD_REFERENCE:
            return failure(run.error, Reason.BAD_REFERENCE)
        score = share if share is not None else float(run.outcome is Outcome.OK)
        detail: dict[str, Json] = {
            "outcome": str(run.outcome),
            "passed": counts[0],
            "total": counts[1],
            **extra,
        }
        for name, text in (
            ("error", run.error + _hint(run.error)),
            ("stdout", run.stdout),
            ("stderr", run.stderr),
        ):
            if text:
                detail[name] = _cut(text)
        reason = Reason.CORRECT if score == 1.0 else Reason.PARTIAL
        if score == 0.0:
            reason = _REASONS.get(run.outcome, Reason.INCORRECT)
        return Verdict(score=score, reason=reason, answer=sources[0].code, detail=detail)


def _preamble(problem: Problem, entry_point: str) -> str:
    """Return the prompt's own code, where the prompt begins the function that is asked for."""
    prompt = problem.prompt_text
    if not entry_point or entry_point not in prompt:
        return ""
    begins = re.compile(
        rf"^\s*(?:(?:async\s+)?def|class)\s+{re.escape(entry_point.split('.')[-1])}\b", re.MULTILINE
    )
    for _, block in fenced_blocks(prompt):
        if begins.search(block):
            return block + "\n"
    return prompt if begins.search(prompt) else ""


def _hint(error: str) -> str:
    """Say of a package that is installed here, and that the sandbox lacks, how it would get there."""
    missing = _MISSING.search(error)
    name = missing[1] if missing is not None else ""
    try:
        here = bool(name) and name not in sys.stdlib_module_names and find_spec(name) is not None
    except ValueError:  # a module that was made by hand
        here = False
    return (
        f' ({name} is installed here, but not in the sandbox: preload=("{name}",) brings it)' if here else ""
    )


def _length(expected: tuple[Any, ...]) -> int:
    return max(len(json.dumps(e)) for e in expected)


def _cut(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    text = _ADDRESS.sub("0x...", text[:_SHOWN])
    return text.encode("utf-8", "replace").decode()
