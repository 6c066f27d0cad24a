"""Every test that is found is run, or the reference is bad; what raises early is not paid for it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from referee.sandbox import Embedded
from referee.verifiers import Problem, Reason, UnitTests

WRONG, RIGHT = "def f(x): return 1", "def f(x): return x * x"
STYLES = {
    "base+test": ("BASE = f(1)\ndef test_b():\n    assert f(2) == 4\n"),
    "assert+test": ("assert f(1) == 1\ndef test_b():\n    assert f(2) == 4\n"),
    "assert+case": (
        "assert f(1) == 1\n"
        "import unittest\n"
        "class TC(unittest.TestCase):\n"
        "    def test_b(self): self.assertEqual(f(2), 4)\n"
    ),
    "assert+check": ("assert f(1) == 1\ndef check(candidate):\n    assert candidate(2) == 4\n"),
    "check+test": (
        "def check(candidate):\n    assert candidate(1) == 1\ndef test_b():\n    assert f(2) == 4\n"
    ),
    "check+case": (
        "def check(candidate):\n"
        "    assert candidate(1) == 1\n"
        "import unittest\n"
        "class TC(unittest.TestCase):\n"
        "    def test_b(self): self.assertEqual(f(2), 4)\n"
    ),
    "case+test": (
        "import unittest\n"
        "class TC(unittest.TestCase):\n"
        "    def test_b(self): self.assertEqual(f(1), 1)\n"
        "def test_b():\n"
        "    assert f(2) == 4\n"
    ),
    "class+assert": (
        "assert f(1) == 1\n"
        "class TestX:\n"
        "    def setup_method(self): self.x = 2\n"
        "    def test_b(self): assert f(self.x) == 4\n"
    ),
    "class": (
        "class TestX:\n    def setup_method(self): self.x = 2\n    def test_b(self): assert f(self.x) == 4\n"
    ),
    "nested": (
        "assert f(1) == 1\nclass TestO:\n    class TestI:\n        def test_b(self): assert f(2) == 4\n"
    ),
    "async": ("async def test_b():\n    assert f(2) == 4\nassert f(1) == 1\n"),
    "gen": ("def test_b():\n    yield\n    assert f(2) == 4\nassert f(1) == 1\n"),
    "gen2": ("def go(a, b):\n    assert f(a) == b\ndef test_b():\n    yield go, 2, 4\n"),
    "guard": ("assert f(1) == 1\nif __name__ == '__main__':\n    assert f(2) == 4\n"),
    "guard2": (
        "def test_b():\n    assert f(2) == 4\nif __name__ == '__main__':\n    test_b()\n    print('ok')\n"
    ),
    "guard3": (
        "import unittest\n"
        "class TC(unittest.TestCase):\n"
        "    def test_b(self): self.assertEqual(f(2), 4)\n"
        "if __name__ == '__main__':\n"
        "    unittest.main()\n"
    ),
    "print": ("assert f(1) == 1\nprint(f(2) == 4)\n"),
    "print2": ("print('a', f(2) == 4)\n"),
    "print3": ("print(f'{f(2) == 4}')\n"),
    "printif": ("print('ok' if f(2) == 4 else 'no')\n"),
    "param": (
        "import pytest\n@pytest.mark.parametrize('x,y', [(1,1),(2,4)])\ndef test_b(x, y): assert f(x) == y\n"
    ),
    "paramclass": (
        "import pytest\n"
        "class TestA:\n"
        "    @pytest.mark.parametrize('x,y', [(1,1),(2,4)])\n"
        "    def test_b(self, x, y): assert f(x) == y\n"
    ),
    "paramclass2": (
        "import pytest\n"
        "@pytest.mark.parametrize('x,y', [(1,1),(2,4)])\n"
        "class TestA:\n"
        "    def test_b(self, x, y): assert f(x) == y\n"
    ),
    "swallow": (
        "def test_b():\n"
        "    assert f(2) == 4\n"
        "def test_a():\n"
        "    assert f(1) == 1\n"
        "for t in (test_a, test_b):\n"
        "    try:\n"
        "        t()\n"
        "        print('ok')\n"
        "    except AssertionError: print('FAIL')\n"
    ),
    "runner": (
        "import unittest\n"
        "class TC(unittest.TestCase):\n"
        "    def test_b(self): self.assertEqual(f(2), 4)\n"
        "s = unittest.TestLoader().loadTestsFromTestCase(TC)\n"
        "unittest.TextTestRunner().run(s)\n"
    ),
    "main": ("def main():\n    assert f(1) == 1\n    assert f(2) == 4\n"),
    "mainguard": (
        "def main():\n    assert f(1) == 1\n    assert f(2) == 4\nif __name__ == '__main__':\n    main()\n"
    ),
    "testcand": ("def test(candidate):\n    assert candidate(2) == 4\n"),
    "helper": ("def test_case(x, y):\n    assert f(x) == y\ntest_case(1, 1)\ntest_case(2, 4)\n"),
    "subtest": (
        "import unittest\n"
        "class TC(unittest.TestCase):\n"
        "    def test_b(self):\n"
        "        for i in (1, 2):\n"
        "            with self.subTest(i=i): self.assertEqual(f(i), i*i)\n"
    ),
    "acase": (
        "import unittest\n"
        "class TC(unittest.IsolatedAsyncioTestCase):\n"
        "    async def test_b(self): self.assertEqual(f(2), 4)\n"
    ),
    "ifraise": ("if f(2) != 4:\n    raise AssertionError('x')\n"),
    "raises": (
        "import pytest\n"
        "def test_b():\n"
        "    assert f(2) == pytest.approx(4.0)\n"
        "    with pytest.raises(TypeError):\n"
        "        f('a', 1, 2)\n"
    ),
    "checkarg": ("def check(candidate):\n    assert candidate(2) == 4\ncheck(f)\n"),
    "setupcase": (
        "import unittest\n"
        "class TC(unittest.TestCase):\n"
        "    def setUp(self): self.y = f(2)\n"
        "    def test_b(self): self.assertEqual(self.y, 4)\n"
    ),
    "lambdatests": ("tests = [(1, 1), (2, 4)]\nfor x, y in tests:\n    assert f(x) == y\n"),
    "setupmod": ("def setup_module():\n    global B\n    B = f(2)\ndef test_b(): assert B == 4\n"),
}
FIXTURE = (
    "import pytest\n@pytest.fixture\ndef x(): return 2\ndef test_a(x): assert f(x) == 4\n"
    "def test_b(x): assert f(x).real == 4\n"
)
FIXTURES = {
    "a fixture": "import pytest\n@pytest.fixture\ndef x(): return 2\ndef test_b(x): assert f(x) == 4\n",
    "capsys": "def test_b(capsys):\n    assert f(2) == 4\n",
    "beside a case": STYLES["case+test"] + "def test_c(capsys):\n    assert f(2) == 4\n",
}
REFUSED = {
    "nothing is checked": "f(2)\n",
    "an unknown fixture": "def test_b(x): assert f(x) == 4\n",
    "no entry point": "def check(candidate): assert candidate(2) == 4\n",
    "a patch of what the solution has its own of": (
        "from unittest.mock import patch\ndef test_b():\n"
        "    with patch('builtins.input', return_value='2'):\n        assert f(2) == 4\n"
    ),
    "only skipped": "import pytest\nf(1)\n@pytest.mark.skip\ndef test_b(): assert f(2) == 4\n",
}


@pytest.fixture(scope="module")
def plain():
    box = Embedded(workers=1)
    yield box
    box.close()


@pytest.fixture(scope="module")
def with_pytest():
    box = Embedded(workers=1, preload=("pytest",))
    yield box
    box.close()


def judged(box, code, tests, *, entry_point="f", score="all"):
    info = {"tests": tests, "entry_point": entry_point}
    return UnitTests(box, score=score)(code, Problem(info=info))


@pytest.mark.parametrize("score", ["all", "fraction"])
@pytest.mark.parametrize("style", STYLES)
def test_no_style_of_tests_goes_by_unrun(plain, style, score):
    assert judged(plain, RIGHT, STYLES[style], score=score).score == 1.0
    assert judged(plain, WRONG, STYLES[style], score=score).score in ({0.0} if score == "all" else {0.0, 0.5})


@pytest.mark.parametrize("style", [*FIXTURES, *STYLES])
def test_where_pytest_is_preloaded_it_runs_what_needs_it(plain, with_pytest, style):
    tests = {**FIXTURES, **STYLES}[style]
    assert judged(with_pytest, RIGHT, tests).score == 1.0
    assert judged(with_pytest, WRONG, tests).score == 0.0
    if style in FIXTURES:
        assert judged(plain, RIGHT, tests).reason is Reason.BAD_REFERENCE


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_run_is_a_bad_reference_for_every_solution(plain, why):
    for code in (RIGHT, WRONG):
        verdict = judged(plain, code, REFUSED[why], entry_point="" if why == "no entry point" else "f")
        assert verdict.reason is Reason.BAD_REFERENCE, verdict


LOOP = (
    "def check(candidate):\n    for i in range(100):\n        out = candidate(i)\n"
    "        assert out == i * i\n"
)
FLAT = "".join(f"x = f({i})\nassert x == {i * i}\n" for i in range(20))
FUNCTIONS = "".join(f"def test_{i}():\n    assert f({i}) == {i * i}\n" for i in range(20))
CASES = "import unittest\nclass T(unittest.TestCase):\n" + "".join(
    f"    def test_{i:02}(self):\n        self.assertEqual(f({i}), {i * i})\n" for i in range(20)
)


@pytest.mark.parametrize("tests", [LOOP, FLAT, FUNCTIONS, CASES], ids=["loop", "flat", "functions", "cases"])
@pytest.mark.parametrize(
    "otherwise", ["-1", "1/0", "__import__('os')._exit(0)", "__import__('sys').exit(0)", "[][1]"]
)
def test_a_fraction_is_of_all_tests_however_the_rest_ends(plain, tests, otherwise):
    code = f"def f(x): return x * x if x < 5 else {otherwise}"
    verdict = judged(plain, code, tests, score="fraction")
    assert verdict.score == (0.05 if tests is LOOP else 0.25)
    assert verdict.detail["total"] == (100 if tests is LOOP else 20)


def test_what_a_failed_statement_should_have_bound_fails_every_check_of_it(plain):
    tests = "a = f(0)\nfor i in range(4):\n    a = f(i)\n    assert a is not None\n"
    code = "def f(x): return 1 if x < 2 else 1/0"
    assert judged(plain, code, tests, score="fraction").score == 0.5


@pytest.mark.parametrize(
    "tests",
    [
        "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n"
        "        if f(1) != 1: self.skipTest('no')\n        self.assertEqual(f(2), 4)\n",
        "import pytest\ndef test_a():\n    if f(2) != 4: pytest.skip('no')\n",
    ],
)
def test_a_test_that_asks_the_solution_and_then_skips_has_not_passed(plain, tests):
    assert judged(plain, "def f(x): return 7", tests).score == 0.0
    assert judged(plain, RIGHT, tests).score == 1.0


BOUGHT = {
    "KeyboardInterrupt": ("def f(x): raise KeyboardInterrupt", FIXTURE),
    "SystemExit": ("def f(x): raise SystemExit(0)", FIXTURE),
    "a text that exits": (
        "class R:\n    real = 3\n    def __repr__(s): raise SystemExit\n    __str__ = __repr__\ndef f(x): return R()",
        FIXTURE,
    ),
    "an exception named as pytest's": (
        "class FixtureLookupError(Exception): pass\ndef f(x): raise FixtureLookupError('x')",
        FIXTURE,
    ),
    "an exception named as a skip": ("class Skipped(Exception): pass\ndef f(x): raise Skipped('x')", FIXTURE),
    "a constant that is not there": (
        "def g(): pass",
        "assert ANSWER == 42\n",
    ),
    "a wrong constant": (
        "ANSWER = 3",
        "assert ANSWER == 42\n",
    ),
    "a class that is not there": (
        "x = 1",
        "s = Stack()\nassert s.pop() == 1\n",
    ),
    "a coroutine for a function": (
        "async def g(x): return x\ndef f(x): return 4",
        "assert f(g(1)) == 5\n",
    ),
    "nested as deep as may be": (
        "def f(x=None):\n    r = []\n    for _ in range(199): r = [r]\n    return r",
        "y = f()\nassert f([y, y]) == 5\n",
    ),
    "names that interrupt": (
        "def __getattr__(n): raise KeyboardInterrupt\n",
        "assert isinstance(3, Foo)\n",
    ),
    "names that end the process": (
        "import os\ndef __getattr__(n): os._exit(0)\n",
        "assert isinstance(3, Foo)\n",
    ),
    "a module for a class": (
        "import sys\nFoo = sys",
        "assert Foo().x == 3\n",
    ),
    "a decorator that keeps the test from running": (
        "class D:\n    pytestmark = [type('M', (), {'name': 'skip', 'args': (), 'kwargs': {}})()]\n    def __call__(s): pass\ndef f(g): return D()",
        "@f\ndef test_a():\n    assert f(1) == 3\n",
    ),
    "a class named as a test's": (
        "class TestFoo:\n    def __getattr__(s, n): raise SystemExit\n    def x(s): return 0",
        FIXTURE.replace("f(x)", "TestFoo().x()"),
    ),
}


@pytest.mark.parametrize("how", BOUGHT)
def test_no_solution_makes_the_tests_look_at_fault(with_pytest, how):
    code, tests = BOUGHT[how]
    assert judged(with_pytest, code, tests, entry_point="").score == 0.0


PARTS = [  # each asks about f(3) = 9 once
    "assert f({0}) == {1}\n",
    "def test_{2}():\n    assert f({0}) == {1}\n",
    "def all_of_{2}():\n    assert f({0}) == {1}\n",
    "async def test_{2}():\n    assert f({0}) == {1}\n",
    "def test_{2}():\n    yield\n    assert f({0}) == {1}\n",
    "class Test{2}:\n    def test_a(self):\n        assert f({0}) == {1}\n",
    "class Test{2}:\n    class TestIn:\n        def test_a(self):\n            assert f({0}) == {1}\n",
    "class Case{2}(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(f({0}), {1})\n",
    "if __name__ == '__main__':\n    assert f({0}) == {1}\n",
    "print('right:', f({0}) == {1})\n",
    "@pytest.mark.parametrize('x, y', [({0}, {1})])\ndef test_{2}(x, y):\n    assert f(x) == y\n",
    "def test_{2}(x, y):\n    assert f(x) == y\ntest_{2}({0}, {1})\n",
    "if f({0}) != {1}:\n    raise ValueError('wrong')\n",
    "for x, y in [({0}, {1})]:\n    assert f(x) == y\n",
]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=6), st.data())
def test_of_whatever_styles_are_mixed_each_test_counts(plain, parts, data):
    hard = data.draw(st.integers(0, len(parts) - 1))
    tests = "import unittest, pytest\n" + "".join(
        part.format(*((3, 9) if i == hard else (1, 1)), i) for i, part in enumerate(parts)
    )
    assert judged(plain, RIGHT, tests).score == 1.0
    assert judged(plain, WRONG, tests).score == 0.0
    share = judged(plain, WRONG, tests, score="fraction")
    assert (share.detail["passed"], share.detail["total"]) == (len(parts) - 1, len(parts))
    raises = judged(plain, "def f(x): return 1 if x == 1 else 1/0", tests, score="fraction")
    assert raises.score == share.score
