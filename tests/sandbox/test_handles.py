"""Objects of the solution live in its process; the judge holds handles of them."""

from __future__ import annotations

import pytest

from referee.sandbox import Embedded
from referee.verifiers import Problem, Reason, UnitTests

STACK = """
class Stack:
    kind = "stack"
    def __init__(self, items=()):
        self.items = list(items)
    def push(self, x):
        self.items.append(x)
        return self
    def pop(self):
        if not self.items:
            raise EmptyStack("no items", 7)
        return self.items.pop()
    def __len__(self):
        return len(self.items)
    def __iter__(self):
        return iter(list(self.items))
    @property
    def top(self):
        return self.items[-1]
    @staticmethod
    def twice(x):
        return 2 * x
    @classmethod
    def of(cls, *xs):
        return cls(xs)

class Bounded(Stack):
    pass

class EmptyStack(IndexError):
    def __init__(self, text, code):
        super().__init__(text, code)
        self.code = code
    def __str__(self):
        return f"{self.args[0]} ({self.code})"
"""
POINT = """
import enum
from dataclasses import dataclass, field
from collections import namedtuple
from typing import NamedTuple
@dataclass
class Point:
    x: int
    y: int = 0
    def __add__(self, o): return Point(self.x + o.x, self.y + o.y)
    def __mul__(self, k): return Point(self.x * k, self.y * k)
    __rmul__ = __mul__
@dataclass(frozen=True, order=True)
class Card:
    rank: int
class Color(enum.Enum):
    RED = 1
    BLUE = 2
class Level(enum.IntEnum):
    LOW = 1
Pair = namedtuple("Pair", "a b")
def pair(): return Pair(1, [2])
def points(): return [Point(1, 2), Point(3)]
def color(n): return Color(n)
"""
NODES = """
def reverse(head):
    last = None
    while head:
        head.next, last, head = last, head, head.next
    return last
def build(values):
    dummy = ListNode(0)
    at = dummy
    for v in values:
        at.next = ListNode(v)
        at = at.next
    return dummy.next
"""
LIST_NODE = """
class ListNode:
    def __init__(self, val=0, next=None):
        self.val, self.next = val, next
"""
HELPERS = """
def linked(values):
    head = None
    for v in reversed(values):
        head = ListNode(v, head)
    return head
def values(node):
    out = []
    while node:
        out.append(node.val)
        node = node.next
    return out
"""
FUNCTIONS = """
import contextlib, functools, itertools
def adder(n):
    def add(x):
        add.calls += 1
        return n + x
    add.calls = 0
    return add
def primes():
    for n in itertools.count(2):
        if all(n % p for p in range(2, n)):
            yield n
def echo():
    got = None
    while got != "stop":
        got = yield got
@contextlib.contextmanager
def opened(log):
    log.append("in")
    try:
        yield len(log)
    except KeyError:
        log.append("caught")
    finally:
        log.append("out")
def logged(f):
    @functools.wraps(f)
    def inner(*args):
        return f(*args), f.__name__
    return inner
@functools.lru_cache
def square(x): return x * x
class Later:
    async def __aenter__(self): return 5
    async def __aexit__(self, *e): return False
    def __aiter__(self):
        self.n = 0
        return self
    async def __anext__(self):
        self.n += 1
        if self.n > 3: raise StopAsyncIteration
        return self.n
def say(x):
    print("it is", x)
    return x
async def later(x): return x + 1
"""
TESTS = {
    "methods, attributes and length": (
        STACK,
        "s = Stack()\ns.push(1).push(2)\nassert s.pop() == 2\nassert len(s) == 1\nassert s.items == [1]\n"
        "assert s.top == 1 and Stack.kind == 'stack' and Stack.twice(4) == 8\n",
    ),
    "classes and their bases": (
        STACK,
        "b = Bounded.of(1, 2)\nassert isinstance(b, Stack) and isinstance(b, Bounded)\n"
        "assert not isinstance(Stack(), Bounded) and issubclass(Bounded, Stack)\n"
        "assert type(b).__name__ == 'Bounded' and list(b) == [1, 2] and 2 in b and 3 not in b\n"
        "assert hasattr(b, 'top') and not hasattr(b, 'bottom')\n",
    ),
    "its own exceptions are caught": (
        STACK,
        "import pytest\nwith pytest.raises(EmptyStack) as e:\n    Stack().pop()\n"
        "assert e.value.code == 7 and str(e.value) == 'no items (7)' and e.value.args == ('no items', 7)\n"
        "try:\n    Stack().pop()\n    assert False\nexcept IndexError as e:\n    assert e.code == 7\n",
    ),
    "attributes are set and deleted": (
        STACK,
        "s = Stack()\ns.items = [1, 2]\nassert s.pop() == 2\ns.name = 'x'\nassert s.name == 'x'\n"
        "del s.name\nassert not hasattr(s, 'name')\n",
    ),
    "a plain container is written back": (
        STACK,
        "s = Stack()\ns.items.append(4)\nassert s.pop() == 4\nheld = s.items\ns.push(9)\n"
        "assert held == [9] and type(held) is list and s.items is held\nheld.clear()\nassert len(s) == 0\n",
    ),
    "unittest": (
        STACK,
        "import unittest\nclass T(unittest.TestCase):\n    def setUp(self):\n        self.s = Stack([1])\n"
        "    def test_pop(self):\n        self.assertEqual(self.s.pop(), 1)\n"
        "        self.assertRaises(EmptyStack, self.s.pop)\n"
        "    def test_is(self):\n        self.assertIsInstance(self.s, Stack)\n"
        "        self.assertIs(self.s.push(1), self.s)\n",
    ),
    "a dataclass": (
        POINT,
        "p = Point(1, 2)\nassert (p.x, p.y) == (1, 2)\np.x = 5\nassert p.x == 5 and repr(p) == 'Point(x=5, y=2)'\n"
        "assert [q.x for q in points()] == [1, 3]\nassert (p + p).y == 4 and (2 * p).x == 10\n",
    ),
    "enumerations": (
        POINT,
        "assert color(1) is Color.RED and color(2).name == 'BLUE' and Color['RED'].value == 1\n"
        "assert [c.value for c in Color] == [1, 2] and len(Color) == 2 and Color.RED in Color\n"
        "assert Level.LOW == 1 and Level.LOW + 1 == 2 and Level.LOW.name == 'LOW'\n",
    ),
    "a named tuple is a tuple": (
        POINT,
        "p = pair()\nassert p == (1, [2]) and p.a == 1 and p[1] == [2] and isinstance(p, tuple)\na, b = p\n"
        "assert (a, b) == (1, [2]) and isinstance(p, Pair)\n",
    ),
    "nodes that the tests define": (
        LIST_NODE + NODES,
        LIST_NODE + HELPERS + "assert values(reverse(linked([1, 2, 3]))) == [3, 2, 1]\n"
        "assert values(build([4, 5])) == [4, 5] and reverse(None) is None\n",
    ),
    "nodes that only the solution defines": (
        LIST_NODE + NODES,
        HELPERS
        + "assert values(reverse(linked([1, 2, 3]))) == [3, 2, 1]\nassert values(build([4, 5])) == [4, 5]\n",
    ),
    "closures and attributes of functions": (
        FUNCTIONS,
        "g = adder(3)\nassert g(4) == 7 and g.calls == 1 and adder(1)(2) == 3\n"
        "assert square(3) == 9 and square(3) == 9 and square.cache_info().hits == 1\n",
    ),
    "generators without end": (
        FUNCTIONS,
        "import itertools\nassert list(itertools.islice(primes(), 5)) == [2, 3, 5, 7, 11]\ne = echo()\nnext(e)\n"
        "assert e.send('a') == 'a'\n",
    ),
    "context managers": (
        FUNCTIONS,
        "log = []\nwith opened(log) as n:\n    assert n == 1 and log == ['in']\nassert log == ['in', 'out']\n"
        "with opened([]):\n    raise KeyError('x')\n",
    ),
    "a decorator of the tests' function": (
        FUNCTIONS,
        "@logged\ndef double(x):\n    return 2 * x\nassert double(4) == (8, 'double')\n",
    ),
    "what is printed comes back": (
        FUNCTIONS,
        "import contextlib, io\nout = io.StringIO()\nsay(1)\nwith contextlib.redirect_stdout(out):\n    say(2)\n"
        "assert out.getvalue() == 'it is 2\\n'\n",
    ),
    "asynchronous": (
        FUNCTIONS,
        "import asyncio\nasync def test_a():\n    async with Later() as x:\n        assert x == 5\n"
        "    assert [n async for n in Later()] == [1, 2, 3]\n    assert await later(1) == 2\n",
    ),
    "objects of the tests": (
        "def use(account, log):\n    account.deposit(5)\n    account.owner = 'b'\n    log(account.balance)\n"
        "    return account\n",
        "from unittest.mock import Mock\nclass Account:\n    def __init__(self):\n        self.balance = 1\n"
        "    def deposit(self, n):\n        self.balance += n\na, log = Account(), Mock()\nassert use(a, log) is a\n"
        "assert (a.balance, a.owner) == (6, 'b')\nlog.assert_called_once_with(6)\n",
    ),
}
VALUES = {
    "KeyError('a')": "import pytest\nwith pytest.raises(KeyError) as e:\n    f()\nassert e.value.args == ('a',)\n",
    "ValueError('x', 3)": "try:\n    f()\n    assert False\nexcept ValueError as e:\n    assert e.args == ('x', 3)\n",
    "__import__('json').loads('{')": (
        "import json\ntry:\n    f()\n    assert False\nexcept json.JSONDecodeError as e:\n    assert e.pos == 1\n"
    ),
    "__import__('decimal').Decimal('x')": (
        "import decimal, pytest\nwith pytest.raises(decimal.InvalidOperation):\n    f()\n"
    ),
    "__import__('sys').exit(3)": (
        "import pytest\nwith pytest.raises(SystemExit) as e:\n    f()\nassert e.value.code == 3\n"
    ),
    "open('/nowhere')": "import errno\ntry:\n    f()\n    assert False\nexcept OSError as e:\n    assert e.errno == errno.ENOENT\n",
    "StopIteration()": "import pytest\nwith pytest.raises(StopIteration):\n    f()\n",
}
CROSSES = [
    "datetime.datetime(2024, 2, 29, 1, 2, 3, tzinfo=datetime.timezone.utc)", "datetime.date(2024, 1, 2)",
    "datetime.timedelta(days=1, seconds=2)", "datetime.time(1, 2)", "uuid.UUID(int=7)",
    "pathlib.PurePosixPath('/a/b')", "collections.OrderedDict(a=1)", "collections.Counter('aab')",
    "collections.defaultdict(list, a=[1])", "array.array('i', [1, 2])", "{'a': 1}.keys()",
    "decimal.Decimal('1.50')", "fractions.Fraction(1, 3)", "memoryview(b'ab')", "collections.deque([1])",
]  # fmt: skip


@pytest.fixture(scope="module")
def box():
    box = Embedded(workers=1, preload=("pytest", "numpy", "pandas"))
    yield box
    box.close()


def judged(box, code, tests, entry_point="f", **info):
    return UnitTests(box)(code, Problem(info={"tests": tests, "entry_point": entry_point, **info}))


@pytest.mark.parametrize("what", TESTS)
def test_tests_use_objects_as_if_they_were_here(box, what):
    code, tests = TESTS[what]
    verdict = judged(box, code, tests, entry_point="")
    assert verdict.score == 1.0, verdict


@pytest.mark.parametrize("what", TESTS)
def test_a_solution_without_them_fails(box, what):
    code, tests = TESTS[what]
    assert judged(box, "def unrelated(): pass", tests, entry_point="").score in (0.0, None)
    lies = "class Any:\n    def __getattr__(s, n): return s\n    def __call__(s, *a, **k): return s\n"
    lies += "    def __eq__(s, o): return True\n    def __bool__(s): return True\n    def __iter__(s): return iter([s])\n"
    names = [
        w.split("(")[0]
        for line in code.splitlines()
        if line[:4] in ("def ", "clas")
        for w in [line.split()[1]]
    ]
    lies += "".join(f"{name.rstrip(':')} = Any()\n" for name in names)
    assert judged(box, lies, tests, entry_point="").score != 1.0


@pytest.mark.parametrize("raised", VALUES)
def test_exceptions_keep_their_class_arguments_and_text(box, raised):
    code = f"def f():\n    x = {raised}\n    raise x\n"
    assert judged(box, code, VALUES[raised]).score == 1.0
    assert judged(box, "def f(): pass", VALUES[raised]).score == 0.0


@pytest.mark.parametrize("value", CROSSES)
def test_values_of_the_standard_library_cross_both_ways(box, value):
    modules = "import array, collections, datetime, decimal, fractions, pathlib, uuid\n"
    code = modules + "def f(x=None): return x if x is not None else " + value
    tests = f"{modules}assert f() == {value}\nassert f({value}) == {value}\nassert type(f({value})) is type({value})\n"
    assert judged(box, code, tests).score == 1.0
    assert judged(box, "def f(x=None): return 0", tests).score == 0.0


def test_arrays_and_tables_cross_as_what_they_are(box):
    tests = (
        "import numpy as np, pandas as pd\nm = np.array([[1.0, 2.0], [3.0, 4.0]])\n"
        "assert (f(m) == m @ m.T).all() and f(m).shape == (2, 2)\n"
        "t = pd.DataFrame({'a': [1, 2], 'b': ['x', None]})\n"
        "pd.testing.assert_frame_equal(g(t), pd.DataFrame({'a': [1, 2], 'b': ['x', None], 'c': [2, 4]}))\n"
    )
    code = "def f(m): return m @ m.T\ndef g(t):\n    t = t.copy()\n    t['c'] = t.a * 2\n    return t\n"
    assert judged(box, code, tests).score == 1.0
    assert judged(box, code.replace("* 2", "* 3"), tests).score == 0.0


def test_two_objects_are_compared_by_the_solution_and_the_verdict_says_so(box):
    tests = "assert points()[1] == Point(3)\nassert Card(1) < Card(2) and len({Card(1), Card(1)}) == 1\n"
    verdict = judged(box, POINT, tests, entry_point="")
    assert (verdict.score, verdict.detail["guarantee"]) == (1.0, "best effort")
    plain = judged(box, POINT, "assert points()[0].x == 1\nassert points()[0] != (1, 2)\n", entry_point="")
    assert (plain.score, plain.detail["guarantee"]) == (1.0, "isolated")


def test_the_tests_have_the_modules_that_the_problem_names_and_no_others_of_the_solution(box):
    tests = "class_under_test = Clock()\nassert Clock().at() == datetime.date(2024, 1, 2)\n"
    code = "import datetime\nclass Clock:\n    def at(self): return datetime.date(2024, 1, 2)\n"
    assert judged(box, code, tests, "Clock", import_statement=["import datetime"]).score == 1.0
    fake = "class datetime:\n    class date:\n        def __new__(cls, *a): return 7\n"
    fake += "class Clock:\n    def at(self): return 7\n"
    assert judged(box, fake, tests, "Clock", import_statement=["import datetime"]).score == 0.0


@pytest.mark.parametrize(
    "tests",
    [
        "class Mine(Stack):\n    pass\nassert Mine().pop() == 1\n",
        "from unittest.mock import patch\nwith patch('time.time', return_value=1):\n    assert Stack().pop() == 1\n",
        "import builtins\nbuiltins.input = lambda: '1'\nassert Stack().pop() == 1\n",
        "import inspect\nassert 'pop' in inspect.getsource(Stack)\n",
        "import threading\nassert Stack(threading.Lock()).pop() == 1\n",
    ],
)
def test_tests_that_need_more_are_refused_for_every_solution(box, tests):
    for code in (STACK, "class Stack:\n    def __init__(self, *a): pass\n    def pop(self): return 1\n"):
        assert judged(box, code, tests, "").reason is Reason.BAD_REFERENCE


def test_files_that_either_side_makes_are_found_by_the_other(box):
    code = (
        "import os\ndef save(path, text):\n    with open(path, 'w') as f:\n        f.write(text)\n"
        "def load(path):\n    with open(path) as f:\n        return f.read()\ndef there(path): return os.path.exists(path)\n"
    )
    tests = (
        "import os, sqlite3, tempfile\nsave('a.txt', 'x')\nwith open('a.txt') as f:\n    assert f.read() == 'x'\n"
        "with open('b.txt', 'w') as f:\n    f.write('yy')\nassert load('b.txt') == 'yy'\nos.remove('b.txt')\n"
        "assert not there('b.txt') and there('a.txt')\nname = os.path.join(tempfile.gettempdir(), 'c.txt')\n"
        "save(name, 'z')\nassert open(name).read() == 'z' and load(name) == 'z'\n"
    )
    verdict = judged(box, code, tests, entry_point="")
    if verdict.reason is Reason.BAD_REFERENCE:
        assert "no folder" in verdict.detail["error"]
        pytest.skip("there is no folder of one's own here")
    assert verdict.score == 1.0, verdict
    assert judged(box, code.replace("f.write(text)", "f.write('')"), tests, entry_point="").score == 0.0


@pytest.mark.parametrize("running", ["import pickle", "import importlib"])
def test_tests_that_may_run_what_the_solution_wrote_are_refused(box, running):
    tests = f"{running}\nsave('a.txt', 'x')\nassert open('a.txt').read() == 'x'\n"
    verdict = judged(box, "def save(path, text): open(path, 'w').write(text)", tests, entry_point="")
    assert verdict.reason is Reason.BAD_REFERENCE


def test_a_lying_comparison_of_two_objects_is_paid_as_best_effort_alone(box):
    lie = "class Point:\n    def __init__(self, *a): pass\n    def __eq__(self, o): return True\ndef points(): return [0, Point()]\n"
    verdict = judged(box, lie, "assert points()[1] == Point(3)\n", entry_point="")
    assert (verdict.score, verdict.detail["guarantee"]) == (1.0, "best effort")
