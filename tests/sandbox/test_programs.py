"""What honest programs do to their interpreter and to files, and what is left of it for the next one."""

from __future__ import annotations

import psutil
import pytest

from referee.sandbox import Calls, Embedded, Limits, Outcome, Program, Source, Trial

PROGRAMS = {
    "exit()": ("print(1)\nexit()\nprint(2)", "1\n"),
    "quit(0)": ("print(1)\nquit(0)\nprint(2)", "1\n"),
    "exit in a function": ("def f():\n    print(1)\n    exit(0)\nf()", "1\n"),
    "sys.exit": ("import sys\nprint(1)\nsys.exit()", "1\n"),
    "atexit": ("import atexit\natexit.register(print, 'bye')\nprint('hi')", "hi\nbye\n"),
    "atexit after exit": ("import atexit\natexit.register(print, 'bye')\nexit()", "bye\n"),
    "output kept for the end": (
        "import sys, os, atexit\nfrom io import BytesIO\nsys.stdout = BytesIO()\n"
        "atexit.register(lambda: os.write(1, sys.stdout.getvalue()))\nsys.stdout.write(b'ok')",
        "ok",
    ),
    "__del__": ("class A:\n    def __del__(self): print('gone', x)\nx = 5\na = A()\nprint(1)", "1\ngone 5\n"),
    "__del__ in a cycle": ("class A:\n    def __del__(self): print(2)\na = A()\na.a = a\nprint(1)", "1\n2\n"),
    "open('/dev/stdin')": ("print(open('/dev/stdin').read().upper())", "A B\nC\n"),
    "bytes of /dev/stdin": (
        "import sys\nsys.stdin = open('/dev/stdin', 'rb')\nprint(len(sys.stdin.readline()))",
        "4\n",
    ),
    "a path to /dev/stdin": ("import pathlib\nprint(len(pathlib.Path('/dev/stdin').read_text()))", "5\n"),
    "open(0)": ("print(open(0).read())", "a b\nc\n"),
    "/dev/stdout": ("with open('/dev/stdout', 'w') as f: print(1, file=f)\nprint(2)", "1\n2\n"),
    "__file__": ("import os\nprint(os.path.basename(__file__))", "solution.py\n"),
    "__name__": ("if __name__ == '__main__': print(1)", "1\n"),
    "48 threads": (
        "import threading, time\nout = []\ndef f(i):\n    time.sleep(0.1)\n    out.append(i)\n"
        "ts = [threading.Thread(target=f, args=(i,)) for i in range(48)]\n"
        "for t in ts: t.start()\nfor t in ts: t.join()\nprint(len(out))",
        "48\n",
    ),
    "a pool of threads": (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(32) as e: print(sum(e.map(abs, range(100))))",
        "4950\n",
    ),
    "a thread with a large stack": (
        "import sys, threading\nthreading.stack_size(1 << 27)\nsys.setrecursionlimit(10**6)\n"
        "def r(n): return 0 if n == 0 else 1 + r(n - 1)\n"
        "t = threading.Thread(target=lambda: print(r(50_000)))\nt.start()\nt.join()",
        "50000\n",
    ),
    "help": ("print(type(help).__name__)", "_Helper\n"),
}
FILES = {
    "a file here": ("open('out.txt', 'w').write('q')\nprint(open('out.txt').read())", "q\n"),
    "a temporary file": (
        "import tempfile\nwith tempfile.NamedTemporaryFile('w+') as f:\n    f.write('x')\n    f.seek(0)\n"
        "    print(f.read())",
        "x\n",
    ),
    "a temporary folder": (
        "import os, tempfile\nwith tempfile.TemporaryDirectory() as d:\n    os.makedirs(d + '/a/b')\n"
        "    open(d + '/a/b/c', 'w').write('1')\n    os.rename(d + '/a/b/c', d + '/c')\n"
        "    print(sorted(os.listdir(d)))",
        "['a', 'c']\n",
    ),
    "a path": (
        "from pathlib import Path\nPath('a').mkdir()\nPath('a/b').write_text('1')\nprint(*Path('.').rglob('*'))",
        "a a/b\n",
    ),
    "/dev/null": ("print(open('/dev/null', 'w').write('x'))", "1\n"),
}


@pytest.mark.parametrize("what", PROGRAMS)
def test_programs_find_what_they_are_used_to(sandbox: Embedded, what: str) -> None:
    code, wanted = PROGRAMS[what]
    run = sandbox.execute(Program(sources=(Source(code=code),), stdin="a b\nc"))
    assert (run.outcome, run.stdout.rstrip()) == (Outcome.OK, wanted.rstrip()), run


@pytest.mark.parametrize("what", FILES)
def test_programs_may_make_files_in_a_folder_of_their_own(embedded: Embedded, what: str) -> None:
    code, wanted = FILES[what]
    run = embedded.execute(Program(sources=(Source(code=code),)))
    assert (run.outcome, run.stdout) == (Outcome.OK, wanted), run


HOGS = {
    "files": "for i in range(99999): open(f'f{i}', 'w').write('x')",
    "bytes": "for i in range(99999): open(f'f{i}', 'wb').write(bytes(1_000_000))",
    "folders": "for i in range(99999):\n    os.mkdir('d')\n    os.chdir('d')",
    "what it closed to itself": "os.mkdir('a', 0)\nos.umask(0o777)\nos.mkdir('b')\nopen('c', 'w')\nprint(undefined)",
}


@pytest.mark.parametrize("how", ["os._exit(0)", "while True: pass", "exit()"])
@pytest.mark.parametrize("hog", HOGS)
def test_whatever_a_program_leaves_the_next_has_an_empty_folder(
    embedded: Embedded, hog: str, how: str
) -> None:
    body = HOGS[hog].replace("\n", "\n    ")
    code = f"import os\ntry:\n    {body}\nexcept Exception as e: print(e)\n{how}"
    hogs = embedded.execute(Program(sources=(Source(code=code),)), limits=Limits(wall_s=0.7))
    assert hogs.outcome in (Outcome.OK, Outcome.TIMEOUT, Outcome.KILLED), hogs
    code = "import os\nprint(os.listdir('.'))\nopen('f', 'wb').write(bytes(1_000_000))\nos.mkdir('d')"
    for _ in range(8):
        run = embedded.execute(Program(sources=(Source(code=code),)), limits=Limits(wall_s=3))
        assert (run.outcome, run.stdout) == (Outcome.OK, "[]\n"), run


DENIED = {
    "a file beside it": "open('/tmp/left', 'w')",
    "a file above it": "open('../left', 'w')",
    "a folder beside it": "os.mkdir('/tmp/left')",
    "moving it": "os.rename(os.getcwd(), '/tmp/left')",
    "moving out of it": "(open('x', 'w'), os.rename('x', '/tmp/left'))",
    "removing it": "(os.chdir('/'), os.rmdir(here))",
    "listing the others": "os.listdir('/tmp')",
    "opening the list to all": "os.chmod('/tmp', 0o777)",
    "a file in the root": "open('/left', 'w')",
    "removing the library": "os.unlink(os.__file__)",
    "a link out of it": "os.symlink('/', 'x')",
    "a hard link": "os.link(os.__file__, 'x')",
}


@pytest.mark.parametrize("what", DENIED)
def test_nothing_outside_its_folder_can_be_changed(
    embedded: Embedded, landlocked: Embedded, what: str
) -> None:
    code = f"import os\nhere = os.getcwd()\ntry:\n    {DENIED[what]}\n    print('done')\nexcept OSError: print('denied')"
    for box in (embedded, landlocked):
        assert box.execute(Program(sources=(Source(code=code),))).stdout == "denied\n"


SHARED = """
import os, tempfile
open("a", "w").write("1")
assert f("a") == "1"
with tempfile.NamedTemporaryFile("w") as t:
    t.write("2")
    t.flush()
    assert f(t.name) == "2"
with tempfile.TemporaryDirectory() as d:
    open(os.path.join(d, "x"), "w").write("3")
    assert f(os.path.join(d, "x")) == "3"
assert open("f_made").read() == "4"
"""


def test_tests_and_solution_share_a_folder(embedded: Embedded) -> None:
    code = "def f(path):\n    open('f_made', 'w').write('4')\n    return open(path).read()"
    job = Trial(sources=(Source(code=code),), tests=SHARED, entry_point="f")
    for _ in range(4):
        run = embedded.execute(job)
        assert run.outcome is Outcome.OK, run


NO_ROOM = {
    "bytes": "for i in range(99): open(f'b{i}', 'wb').write(bytes(1_000_000))",
    "files": "for i in range(9999): open(f'f{i}', 'w')",
    "another folder": "d = b'{\"folder\": \"/usr\"}'\n    os.write(3, len(d).to_bytes(4, 'big') + d)",
}


@pytest.mark.parametrize("what", NO_ROOM)
def test_no_solution_can_take_the_tests_folder_and_call_the_tests_bad(embedded: Embedded, what: str) -> None:
    code = f"import os\ntry:\n    {NO_ROOM[what]}\nexcept OSError: pass\ndef f(path): return None"
    job = Trial(sources=(Source(code=code),), tests=SHARED, entry_point="f")
    run = embedded.execute(job)
    assert run.outcome in (Outcome.WRONG, Outcome.KILLED), run


def test_tests_that_fail_by_themselves_are_bad_whatever_the_solution(embedded: Embedded) -> None:
    job = Trial(sources=(Source(code="def f(x): return x"),), tests="open('/no/such')\nf(1)", entry_point="f")
    assert embedded.execute(job).outcome is Outcome.BAD_REFERENCE


def test_other_languages_read_their_input_by_name(embedded: Embedded) -> None:
    code = "process.stdout.write(require('fs').readFileSync('/dev/stdin', 'utf8'))"
    run = embedded.execute(Program(sources=(Source(code=code),), stdin="a b\nc", language="javascript"))
    if "not installed" in run.error:
        pytest.skip(run.error)
    assert (run.outcome, run.stdout) == (Outcome.OK, "a b\nc"), run


def test_no_descriptor_or_process_is_left_of_many_hogs() -> None:
    box = Embedded(workers=1, preload=("bisect",))
    try:
        hog = Program(sources=(Source(code="import os\nos.makedirs('a/b/c')\nopen('a/x', 'w')"),))
        for _ in range(5):
            box.execute(hog)
        before = psutil.Process().num_fds()
        for _ in range(100):
            assert box.execute(hog).outcome is Outcome.OK
        assert psutil.Process().num_fds() <= before + 24
    finally:
        box.close()


TYPED = {
    "List": "def f(x: List[int]) -> Optional[int]: return x[0]",
    "in a class": "class Solution:\n    def f(self, x: List[int]) -> Dict[str, int]: return x[0]",
    "its own": "List = 7\ndef f(x: List): return x[0] + List - 7",
    "imported": "from typing import List\ndef f(x: List[int]): return x[0]",
}


@pytest.mark.parametrize("what", TYPED)
def test_functions_find_the_names_of_typing(embedded: Embedded, what: str) -> None:
    job = Calls(sources=(Source(code=TYPED[what]),), entry_point="f", arguments=(([3],),))
    assert embedded.execute(job).values == (3,)


def test_only_names_for_annotations_are_there(embedded: Embedded) -> None:
    job = Calls(sources=(Source(code="def f(x): return Counter(x)"),), entry_point="f", arguments=(([3],),))
    assert "Counter" in embedded.execute(job).error


@pytest.mark.parametrize("entry_point", ["f", "Solution.f", "Solution().f"])
@pytest.mark.parametrize("decorator", ["", "@staticmethod", "@classmethod"])
def test_a_method_is_found_by_each_of_its_names(embedded: Embedded, entry_point: str, decorator: str) -> None:
    own = {"": "self, ", "@classmethod": "cls, "}.get(decorator, "")
    code = f"class Solution:\n    {decorator}\n    def f({own}x): return x + 1"
    job = Calls(sources=(Source(code=code),), entry_point=entry_point, arguments=((3,),))
    assert embedded.execute(job).values == (4,)
