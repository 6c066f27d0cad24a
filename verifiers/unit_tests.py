"""Does the code pass its tests? Judged outside the process that runs the code."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from referee.sandbox.embedded import Embedded
from referee.sandbox.records import Calls, Check, Execution, Limits, Outcome, Program, Sandbox, Source, Trial
from referee.verifiers.combine import Composable
from referee.verifiers.outputs import MATCHES, same_output, same_value
from referee.verifiers.protocol import UNIT, Item, failure
from referee.verifiers.reading.code_blocks import LANGUAGES, extract_code
from referee.verifiers.reading.fences import fenced_blocks
from referee.verifiers.records import Completion, Json, Problem, Reason, Verdict, text_of

_REASONS = {
    Outcome.TIMEOUT: Reason.TIMEOUT,
    Outcome.MEMORY: Reason.RESOURCE_LIMIT,
    Outcome.OUTPUT: Reason.RESOURCE_LIMIT,
}
_SHOWN = 2000
_Judge: TypeAlias = "Callable[[UnitTests, tuple[Source, ...], Problem, str], Verdict]"
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
    "expected": ...}``). ``info`` may also set ``"match"``, ``"tolerance"`` and ``"language"``.

    ``score`` is ``all`` (1 or 0, and the first failure ends the run), ``fraction`` of the tests that
    passed, or ``weighted``. ``match`` compares outputs: ``exact``, by ``whitespace``-separated words, or
    words where numbers may differ by ``tolerance`` (``float``). ``which`` takes only the ``public`` or
    the ``hidden`` tests.

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

    It abstains where the tests cannot be read or never call the solution (``bad_reference``) and where
    the sandbox cannot run (``unavailable``).

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
    bounds_itself = True

    def __post_init__(self) -> None:
        _one_of("score", self.score, ("all", "fraction", "weighted"))
        _one_of("match", self.match, MATCHES)
        _one_of("which", self.which, ("every", "public", "hidden"))
        if not 0 <= self.tolerance < 1:
            raise ValueError(f"tolerance must be at least 0 and below 1, got {self.tolerance}")
        if self.sandbox is None:
            object.__setattr__(self, "sandbox", Embedded())
        elif not isinstance(self.sandbox, Sandbox):
            raise TypeError(f"sandbox must have execute, workers and close, got {self.sandbox!r:.80}")

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return the verdict on one completion."""
        info: dict[str, Any] = problem.info
        try:
            language = _one_of("language", info.get("language", "python"), LANGUAGES)
            judge = _judge_for(info, language)
        except (ValueError, TypeError, KeyError) as e:
            return failure(f"problem.info: {e}", Reason.BAD_REFERENCE)
        entry_point = str(info.get("entry_point") or "")
        found = extract_code(
            text_of(completion), language=language, entry_point=entry_point, thinking=problem.thinking
        )
        if found.missing:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER, detail={"error": found.missing})
        preamble = _preamble(problem, entry_point) if language == "python" else ""
        sources = tuple(Source(code=code, before=preamble) for code in found.candidates)
        try:
            return judge(self, sources, problem, found.candidates[0])
        except (ValueError, TypeError, KeyError) as e:
            return failure(f"problem.info: {type(e).__name__}: {e}", Reason.BAD_REFERENCE)

    def verify_batch(self, items: Sequence[Item]) -> list[Verdict]:
        """Return the verdicts on many completions, as many at a time as the sandbox has workers."""
        assert self.sandbox is not None
        with ThreadPoolExecutor(max(1, min(self.sandbox.workers, len(items)))) as threads:
            return list(threads.map(lambda item: self(item.completion, item.problem), items))

    def _tests(self, sources: tuple[Source, ...], problem: Problem, code: str) -> Verdict:
        info: dict[str, Any] = problem.info
        tests = info["tests"]
        entry_point = str(info.get("entry_point") or "")
        trial = Trial(
            sources=sources,
            tests=tests if isinstance(tests, str) else "\n".join(tests),
            entry_point=entry_point,
            setup=_imports(info) + (str(info.get("setup") or "") or _preamble(problem, entry_point)),
            stop_early=self.score == "all",
        )
        run = self._execute(trial)
        passed, total = int(run.report.get("passed") or 0), int(run.report.get("total") or 0)
        failures = run.report.get("failures") or [{}]
        extra: dict[str, Json] = {"guarantee": str(run.report.get("guarantee") or "isolated")}
        if failures[0]:
            extra["failed"] = failures[0]
        done = run.outcome in (Outcome.OK, Outcome.WRONG, Outcome.KILLED, Outcome.MEMORY) and total > 0
        fraction = passed / total if done else 0.0
        return self._verdict(run, code, fraction if self.score != "all" else None, passed, total, extra)

    def _cases(self, sources: tuple[Source, ...], problem: Problem, code: str) -> Verdict:
        info: dict[str, Any] = problem.info
        cases = self._chosen(info["cases"])
        language = str(info.get("language") or "python")
        results: list[float] = []
        last = first_failure = None
        extra: dict[str, Json] = {"guarantee": "isolated"}
        for i, case in enumerate(cases):
            program = Program(sources=sources, stdin=_text(case.get("stdin", "")), language=language)
            last = self._execute(program)
            if last.outcome is Outcome.OK:
                last = self._compared(last, case, info)
            if last.outcome in (Outcome.SANDBOX_UNAVAILABLE, Outcome.BAD_REFERENCE):
                return self._verdict(last, code, None, 0, len(cases), extra)
            results.append(float(last.outcome is Outcome.OK))
            if last.outcome is not Outcome.OK and first_failure is None:
                first_failure = last
                extra["failed"] = {"test": i, **_cut_case(case)}
            if first_failure and (self.score == "all" or first_failure.outcome is Outcome.SYNTAX_ERROR):
                break
        run = first_failure or last
        assert run is not None
        return self._verdict(run, code, self._share(results, cases), int(sum(results)), len(cases), extra)

    def _compared(self, run: Execution, case: dict[str, Any], info: dict[str, Any]) -> Execution:
        expected = _text(case.get("stdout", case.get("expected", "")))
        if checker := info.get("checker"):
            check = Check(
                checker=checker, stdin=_text(case.get("stdin", "")), stdout=run.stdout, expected=expected
            )
            judged = self._execute(check)
            return Execution(
                outcome=judged.outcome,
                error=judged.error,
                stdout=run.stdout,
                stderr=run.stderr,
                report=judged.report,
            )
        match = _one_of("match", info.get("match", self.match), MATCHES)
        tolerance = float(info.get("tolerance", self.tolerance or 1e-6 if match == "float" else 0.0))
        if same_output(expected, run.stdout, match=match, tolerance=tolerance):
            return run
        return Execution(
            outcome=Outcome.WRONG, error="the output differs", stdout=run.stdout, stderr=run.stderr
        )

    def _calls(self, sources: tuple[Source, ...], problem: Problem, code: str) -> Verdict:
        info: dict[str, Any] = problem.info
        pairs = self._chosen([_pair(c) for c in info["calls"]])
        tolerance = float(info.get("tolerance", self.tolerance))
        job = Calls(
            sources=sources,
            entry_point=str(info["entry_point"]),
            arguments=tuple(tuple(p["args"]) for p in pairs),
        )
        results: list[float] = []

        def on_value(i: int, value: Any) -> bool:
            good = same_value(pairs[i]["expected"], value, tolerance=tolerance)
            results.append(float(good))
            return good or self.score != "all"

        run = self._execute(job, on_value)
        extra: dict[str, Json] = {"guarantee": "isolated"}
        if run.outcome is Outcome.OK and not (len(results) == len(pairs) and all(results)):
            run = Execution(
                outcome=Outcome.WRONG,
                error="the result differs",
                stdout=run.stdout,
                stderr=run.stderr,
                values=run.values,
            )
        if run.outcome is not Outcome.OK:
            i = next((i for i, r in enumerate(results) if not r), min(len(results), len(pairs) - 1))
            extra["failed"] = {
                "test": i,
                "args": _cut(pairs[i]["args"]),
                "expected": _cut(pairs[i]["expected"]),
            }
        return self._verdict(run, code, self._share(results, pairs), int(sum(results)), len(pairs), extra)

    def _execute(self, job: Any, on_value: Any = None) -> Execution:
        assert self.sandbox is not None
        return self.sandbox.execute(job, limits=self.limits, on_value=on_value)

    def _chosen(self, tests: Any) -> list[dict[str, Any]]:
        if self.which != "every":
            tests = [t for t in tests if bool(t.get("public")) is (self.which == "public")]
        if not tests:
            raise ValueError(f"there must be at least one {self.which} test")
        return list(tests)

    def _share(self, results: list[float], tests: list[dict[str, Any]]) -> float | None:
        """Return the (weighted) share of the tests that passed; None where only all of them count."""
        if self.score == "all":
            return None
        weights = [float(t.get("weight", 1.0)) if self.score == "weighted" else 1.0 for t in tests]
        if min(weights) < 0 or sum(weights) <= 0:
            raise ValueError("weights must be at least 0, and one above 0")
        return sum(w * r for w, r in zip(weights, results, strict=False)) / sum(weights)

    def _verdict(
        self, run: Execution, code: str, share: float | None, passed: int, total: int, extra: dict[str, Json]
    ) -> Verdict:
        if run.outcome is Outcome.SANDBOX_UNAVAILABLE:
            return failure(run.error, Reason.UNAVAILABLE)
        if run.outcome is Outcome.BAD_REFERENCE:
            return failure(run.error, Reason.BAD_REFERENCE)
        score = share if share is not None else float(run.outcome is Outcome.OK)
        detail: dict[str, Json] = {"outcome": str(run.outcome), "passed": passed, "total": total, **extra}
        for name, text in (("error", run.error), ("stdout", run.stdout), ("stderr", run.stderr)):
            if text:
                detail[name] = _cut(text)
        reason = Reason.CORRECT if score == 1.0 else Reason.PARTIAL
        if score == 0.0:
            reason = _REASONS.get(run.outcome, Reason.INCORRECT)
        return Verdict(score=score, reason=reason, answer=code, detail=detail)


def _judge_for(info: dict[str, Any], language: str) -> _Judge:
    forms = [f for f in ("tests", "cases", "calls") if info.get(f)]
    if len(forms) != 1:
        raise ValueError(f"it must hold one of tests, cases and calls, got {', '.join(forms) or 'none'}")
    if forms[0] != "cases" and language != "python":
        raise ValueError(f"{forms[0]} need python; {language} is judged by cases")
    return {"tests": UnitTests._tests, "cases": UnitTests._cases, "calls": UnitTests._calls}[forms[0]]


def _imports(info: dict[str, Any]) -> str:
    """Return the imports that the problem names, which the tests too build on."""
    named = info.get("import_statement") or ""
    return named + "\n" if isinstance(named, str) and named else "".join(f"{line}\n" for line in named)


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


def _pair(call: Any) -> dict[str, Any]:
    if isinstance(call, dict):
        return call
    arguments, expected = call
    return {"args": arguments, "expected": expected}


def _one_of(name: str, value: Any, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    return str(value)


def _text(value: Any) -> str:
    """Return a stdin or stdout as text; some data sets hold a list of lines."""
    if isinstance(value, list):
        return "\n".join(str(line) for line in value)
    if not isinstance(value, str):
        raise TypeError(f"stdin and stdout must be text, got {type(value).__name__}")
    return value


def _cut_case(case: dict[str, Any]) -> dict[str, Json]:
    return {k: _cut(case[k]) for k in ("stdin", "stdout") if k in case}


def _cut(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    text = _ADDRESS.sub("0x...", text[:_SHOWN])
    return text.encode("utf-8", "replace").decode()
