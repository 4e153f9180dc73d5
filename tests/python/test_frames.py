"""The stack as samples record it, compared with what sys._getframe() shows.

Programs are made at random: a chain of levels, each of which reaches the next in another
way (a call, a comprehension, a generator, a coroutine, a class body, C code that calls
back, exec, ...).  At its end, and at every level, the stack is taken in both ways on one
line, and both must be equal: function, file and line of every frame.
"""

import gc
import os
import random
import sys
import threading
import types
import unittest
import weakref

from sneck import _sneck

PROGRAMS = int(os.environ.get("SNECK_TEST_PROGRAMS", "300" if os.environ.get("SNECK_SANITIZED") else "2000"))
WHOLE = 1 << 20
QUALIFIED = sys.version_info >= (3, 11)


def text(string):
    """What a str becomes in a profile."""
    return string.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def shown(frame):
    """The stack from this frame on, as the interpreter shows it."""
    out = []
    while frame:
        code = frame.f_code
        out.append((text(code.co_qualname if QUALIFIED else code.co_name), text(code.co_filename), frame.f_lineno or 0))
        frame = frame.f_back
    return out


class Comparer:
    """Takes pairs of stacks and keeps those that differ."""

    def __init__(self):
        self.count = 0
        self.differences = []
        self.deepest = 0

    def record(self, taken, frame):
        frames, omitted = taken
        expected = shown(frame)
        self.count += 1
        self.deepest = max(self.deepest, len(expected))
        if frames != expected[: len(frames)] or omitted != len(expected) - len(frames):
            self.differences.append((frames, omitted, expected))


# How a level reaches the next one.  {next} is an expression that does; {n} makes names unique.
LEVELS = [
    # functions
    "def f{n}():\n    return {next}\n",
    "def f{n}():\n\n\n    x = 1; return ({next},\n        x)\n",
    "def f{n}():\n    a = b = 1\n    def inner(): return a, {next}, b\n    return inner()\n",
    "def f{n}(*args, k=1, **kw):\n    try:\n        return {next}\n    finally:\n        k += 1\n",
    "def f{n}():\n    try: 1 / 0\n    except ZeroDivisionError:\n        return {next}\n",
    "def f{n}():\n    try: raise KeyError\n    except* KeyError:\n        {next}\n" if QUALIFIED else
    "def f{n}():\n    try: raise KeyError\n    except KeyError:\n        {next}\n",
    "def f{n}():\n    for i in range(3):\n        if i == 2: {next}\n",
    "def f{n}():\n    match 1:\n        case 1 if [{next}]: pass\n",
    "f{n} = lambda: {next}\n",
    "f{n} = lambda: (lambda x: (lambda: [x, {next}])())(1)\n",
    # comprehensions
    "def f{n}():\n    return [{next} for i in range(2)]\n",
    "def f{n}():\n    return {{i: {next} for i in range(1)}}\n",
    "def f{n}():\n    return {{bool({next}) for i in range(1)}}\n",
    "def f{n}():\n    return [[{next} for j in range(1)] for i in range(1)]\n",
    "def f{n}():\n    x = 1\n    return [(lambda: (x, i, {next}))() for i in range(1)]\n",
    "def f{n}():\n    return list({next} for i in range(2))\n",
    "def f{n}():\n    return sum(1 for i in range(2) if {next})\n",
    # generators and coroutines
    "def f{n}():\n    def g():\n        yield 1\n        yield {next}\n    return list(g())\n",
    "def f{n}():\n    x = 1\n    def g(): yield x; {next}; yield\n    def h(): yield from g()\n    return [*h()]\n",
    "def f{n}():\n    def g():\n        while True: (yield) or {next}\n    it = g(); next(it); it.send(0)\n",
    "def f{n}():\n    def g():\n        try: yield\n        finally: {next}\n    it = g(); next(it); it.close()\n",
    "def f{n}():\n    def g():\n        try: yield\n        except KeyError: {next}; yield\n    it = g(); next(it); it.throw(KeyError)\n",
    "def f{n}():\n    async def a(): return {next}\n    async def b():\n        x = await a()\n        return x\n    drive(b())\n",
    "def f{n}():\n    async def g():\n        yield 1\n        {next}\n    async def b():\n        async for x in g(): pass\n    drive(b())\n",
    "def f{n}():\n    async def g():\n        yield 1\n    async def b(): return [{next} async for x in g()]\n    drive(b())\n",
    "def f{n}():\n    class C:\n        async def __aenter__(self): {next}\n        async def __aexit__(self, *a): pass\n"
    "    async def b():\n        async with C(): pass\n    drive(b())\n",
    "def f{n}():\n    async def a(): {next}\n    t = threading.Thread(target=lambda: asyncio.run(a()))\n    t.start(); t.join()\n",
    # classes
    "def f{n}():\n    class C:\n        x = [1]\n        {next}\n",
    "class C{n}:\n    def __init__(self): {next}\ndef f{n}(): C{n}()\n",
    "class C{n}:\n    def __new__(cls):\n        {next}\n        return object.__new__(cls)\ndef f{n}(): C{n}()\n",
    "class B{n}:\n    def m(self): {next}\nclass C{n}(B{n}):\n    def m(self):\n        super().m()\ndef f{n}(): C{n}().m()\n",
    "class C{n}:\n    @property\n    def p(self): return {next}\ndef f{n}(): return C{n}().p\n",
    "class C{n}:\n    @classmethod\n    def m(cls): {next}\n    s = staticmethod(lambda: C{n}.m())\ndef f{n}(): C{n}.s()\n",
    "class C{n}:\n    def __getattr__(self, name): {next}; return 1\ndef f{n}(): return C{n}().absent\n",
    "class C{n}:\n    def __getitem__(self, i): {next}; return 1\ndef f{n}(): return C{n}()[1]\n",
    "class C{n}:\n    def __call__(self): {next}\nf{n} = C{n}()\n",
    "class C{n}:\n    def __enter__(self): pass\n    def __exit__(self, *a): {next}\ndef f{n}():\n    with C{n}():\n        pass\n",
    "class C{n}:\n    def __iter__(self): return self\n    def __next__(self): {next}; raise StopIteration\ndef f{n}():\n    for x in C{n}(): pass\n",
    "class C{n}:\n    def __lt__(self, other): {next}; return False\ndef f{n}(): sorted([C{n}(), C{n}()])\n",
    "class C{n}:\n    def __del__(self): {next}\ndef f{n}():\n    x = C{n}()\n    del x\n",
    "class M{n}(type):\n    def __call__(cls): {next}\ndef f{n}():\n    class C(metaclass=M{n}): pass\n    C()\n",
    "class C{n}:\n    def __init_subclass__(cls): {next}\ndef f{n}():\n    class D(C{n}): pass\n",
    "class C{n}:\n    def __set_name__(self, owner, name): {next}\ndef f{n}():\n    class D:\n        x = C{n}()\n",
    "class C{n}:\n    def __eq__(self, other): {next}; return True\n    __hash__ = object.__hash__\ndef f{n}(): [C{n}()].index(0)\n",
    # decorated
    "@plain_decorator\ndef f{n}():\n    return {next}\n",
    "@functools.wraps(len)\ndef f{n}():\n    return {next}\n",
    "@contextlib.contextmanager\ndef c{n}():\n    {next}\n    yield\ndef f{n}():\n    with c{n}(): pass\n",
    "@contextlib.contextmanager\ndef c{n}():\n    try: yield\n    finally:\n        {next}\ndef f{n}():\n    with c{n}():\n        pass\n",
    # C that calls back
    "def f{n}(): list(map(lambda x: {next}, (1, 2)))\n",
    "def f{n}(): list(filter(lambda x: {next}, [1]))\n",
    "def f{n}(): sorted([1], key=lambda x: {next} or 0)\n",
    "def f{n}(): max([1], key=lambda x: {next} or 0)\n",
    "def f{n}(): functools.reduce(lambda a, b: {next}, [1, 2, 3])\n",
    "def f{n}(): functools.partial(lambda a: {next}, 1)()\n",
    "def f{n}(): functools.lru_cache()(lambda: {next})()\n",
    "def f{n}(): re.sub('a', lambda m: str({next}), 'aba')\n",
    "def f{n}(): next(iter(lambda: [{next}], 0))\n",
    "def f{n}():\n    class C:\n        def m(self): {next}\n    operator.methodcaller('m')(C())\n",
    "def f{n}():\n    class C: pass\n    x = C()\n    r = weakref.ref(x, lambda r: {next})\n    del x\n",
    "def f{n}():\n    dict.fromkeys(i for i in range(2) if {next})\n",
    "def f{n}():\n    t = threading.Thread(target=lambda: {next})\n    t.start(); t.join()\n",
    # exec and eval
    "def f{n}(): exec('\\n\\n{next}', globals())\n",
    "def f{n}(): eval('{next}', globals())\n",
    "def f{n}(): exec(compile('def g(): {next}\\ng()', 'other file {n}', 'exec'), dict(globals()))\n",
    # many times, and deep
    "def f{n}():\n    for i in range(70): warm{n}()\n    {next}\ndef warm{n}(): return [x for x in range(3)]\n",
    "def r{n}(i):\n    if i:\n        return r{n}(i - 1)\n    return {next}\ndef f{n}(): return r{n}({deep})\n",
]

# By offsets; and now and then by frame objects, which must give the same.
WALKS = ["_stack"] * 9 + ["_stack_slowly"]

# Names that a compiler would not let through.
STRANGE = ["naïve", "函数", "🔒", "\udc80tail", "a\ud800b", "nul\0inside", "", "x" * 300, "back\\slash", "new\nline"]


def plain_decorator(function):
    def wrapped(*args):
        return function(*args)
    return wrapped


def drive(coroutine):
    try:
        coroutine.send(None)
    except StopIteration:
        pass


def rename(function, rng):
    """Give a function's code a name and a file that source text could not."""
    if not isinstance(function, types.FunctionType):
        return
    strange = {"co_name": rng.choice(STRANGE), "co_filename": rng.choice(STRANGE)}
    if QUALIFIED:
        strange["co_qualname"] = rng.choice(STRANGE)
    function.__code__ = function.__code__.replace(**strange)


def make_program(rng, number):
    """A program's source, and its number of levels: f0 is the outermost."""
    depth = rng.choice((1, 1, 2, 3, 3, 4, 5, 8))
    take = f"record({rng.choice(WALKS)}({{limit}}), getframe())"
    parts = []
    for n in range(depth):
        limit = rng.choice((0, 1, 3, 64, WHOLE, WHOLE, WHOLE))
        inner = take.format(limit=limit) if n == depth - 1 else rng.choice(("f{0}()", "(f{0}())", "(0, f{0}())")).format(n + 1)
        if n < depth - 1 and rng.random() < 0.3:
            inner = "[" + take.format(limit=WHOLE) + ", " + inner + "]"
        level = rng.choice(LEVELS)
        parts.append("\n" * rng.randrange(4) + level.format(n=n, next=inner, deep=rng.choice((1, 2, 10, 30))))
    return "".join(parts), depth


def make_globals(comparer):
    import asyncio
    import contextlib
    import functools
    import operator
    import re
    return {"__name__": "generated", "_stack": _sneck._stack,
            "_stack_slowly": _sneck._stack_slowly, "getframe": sys._getframe, "record": comparer.record,
            "drive": drive, "plain_decorator": plain_decorator, "asyncio": asyncio, "contextlib": contextlib,
            "functools": functools, "operator": operator, "re": re, "threading": threading, "weakref": weakref}


def run_program(rng, number, comparer):
    source, depth = make_program(rng, number)
    variables = make_globals(comparer)
    exec(compile(source, f"program {number}.py", "exec"), variables)
    if rng.random() < 0.2:
        rename(variables[f"f{rng.randrange(depth)}"], rng)
    before = comparer.count
    for _ in range(rng.choice((1, 1, 2, 20))):
        variables["f0"]()
    return source, comparer.count - before


class Frames(unittest.TestCase):
    def setUp(self):
        self.comparer = Comparer()
        self.record = self.comparer.record

    def assert_equal_stacks(self, at_least=1):
        for frames, omitted, expected in self.comparer.differences[:1]:
            self.assertEqual(frames, expected[: len(frames)])
            self.assertEqual(omitted, len(expected) - len(frames))
        self.assertGreaterEqual(self.comparer.count, at_least)

    def test_stacks_are_walked_by_offsets(self):
        self.assertIsNone(_sneck._stack_way())

    def test_wrong_offsets_do_not_prove(self):
        members = 0
        try:
            while True:
                self.assertIsNone(_sneck._stack_prove(members, 0))
                for delta in (-16, -8, -2, 2, 8, 16, 400):
                    with self.subTest(member=members, delta=delta):
                        self.assertIsNotNone(_sneck._stack_prove(members, delta))
                members += 1
        except LookupError:
            pass
        self.assertGreaterEqual(members, 8)

    def test_random_programs(self):
        seed = int(os.environ.get("SNECK_TEST_SEED", random.randrange(1 << 32)))
        rng = random.Random(seed)
        for number in range(PROGRAMS):
            source, recorded = run_program(rng, number, self.comparer)
            self.assertTrue(recorded, source)
            if self.comparer.differences:
                print(f"SNECK_TEST_SEED={seed}, program {number}:\n{source}", file=sys.stderr)
                self.assert_equal_stacks()
            if number % 100 == 99:
                _sneck._code_table("step")
        self.assert_equal_stacks(PROGRAMS)

    def test_every_level_alone(self):
        for number, level in enumerate(LEVELS):
            with self.subTest(level=level):
                variables = make_globals(self.comparer)
                source = level.format(n=0, next=f"record(_stack({WHOLE}), getframe())", deep=50)
                exec(compile(source, f"level {number}", "exec"), variables)
                before = self.comparer.count
                for _ in range(40):
                    variables["f0"]()
                self.assertGreaterEqual(self.comparer.count, before + 40)
                self.assert_equal_stacks()

    def test_recursion(self):
        def recurse(n):
            return recurse(n - 1) if n else self.record(_sneck._stack(limit), sys._getframe())

        limits = sys.getrecursionlimit()
        sys.setrecursionlimit(5000)
        try:
            for depth in [*range(1, 70), 100, 599, 600, 601, 1000, 2000]:
                for limit in (0, 1, 64, 599, WHOLE):
                    recurse(depth)
        finally:
            sys.setrecursionlimit(limits)
        self.assertGreater(self.comparer.deepest, 2000)
        self.assert_equal_stacks(300)

    def test_recursion_through_c(self):
        def recurse(n):
            if n:
                return list(map(recurse, (n - 1,)))
            return self.record(_sneck._stack(WHOLE), sys._getframe())

        for depth in range(1, 150, 7):
            recurse(depth)
        self.assert_equal_stacks(20)

    def test_hot_loops(self):
        """Long enough for every tier of the interpreter, a JIT included."""
        def leaf(i):
            if i % 499 == 0: self.record(_sneck._stack(WHOLE), sys._getframe())

        class Init:
            def __init__(self, i): leaf(i)

        def numbers(n):
            for i in range(n): yield i, leaf(i)

        def middle(i):
            leaf(i)
            return i + 1

        for i in range(20000):
            middle(i)
        for i in range(8000):
            Init(i)
        for i, _ in numbers(8000):
            (lambda: leaf(i))()
        self.assert_equal_stacks(50)

    def test_traced_code(self):
        def traced():
            x = 1
            self.record(_sneck._stack(WHOLE), sys._getframe())
            for i in range(3):
                x += (lambda: i)()
            return x

        def trace(frame, event, argument):
            if frame.f_code.co_filename == __file__ and frame.f_code is not self.comparer.record.__code__:
                self.record(_sneck._stack(WHOLE), sys._getframe())
            return trace

        for install in (sys.settrace, sys.setprofile):
            install(trace)
            try:
                traced()
            finally:
                install(None)
        self.assert_equal_stacks(10)

    def test_finalisers_in_half_made_frames(self):
        """A collection may begin while a function still makes its cells; it is not shown then."""
        record = self.record

        class Cycle:
            def __init__(self): self.me = self

            def __del__(self): record(_sneck._stack(WHOLE), sys._getframe())

        def cells(a, b, c):
            d = e = 1
            return lambda: (a, b, c, d, e)

        def generator(a):
            yield lambda: a

        async def coroutine(a):
            return lambda: a

        before = gc.get_threshold()
        gc.set_threshold(1)
        try:
            for _ in range(300):
                Cycle()
                cells(1, 2, 3)()
                list(generator(1))
                drive(coroutine(1))
                [lambda: i for i in range(3)]
        finally:
            gc.set_threshold(*before)
        gc.collect()
        self.assert_equal_stacks(300)

    def test_threads(self):
        def work(seed):
            rng = random.Random(seed)
            for number in range(30):
                run_program(rng, number, self.comparer)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assert_equal_stacks(240)

    def test_frame_objects_give_the_same(self):
        def generator():
            yield self.record(_sneck._stack_slowly(WHOLE), sys._getframe())

        for function in (lambda: list(generator()), lambda: [next(generator()) for _ in (1,)],
                         lambda: list(map(lambda _: next(generator()), (1, 2)))):
            function()
        self.record(_sneck._stack_slowly(2), sys._getframe())
        self.assert_equal_stacks(5)

    def test_exception_on_the_way_stays(self):
        try:
            raise KeyError("mine")
        except KeyError as error:
            for walk in (_sneck._stack, _sneck._stack_slowly):
                walk(WHOLE)
            self.assertIs(sys.exc_info()[1], error)

    def test_strange_names(self):
        for name in STRANGE:
            def function():
                self.record(_sneck._stack(WHOLE), sys._getframe())
            strange = {"co_name": name, "co_filename": name}
            function.__code__ = function.__code__.replace(**strange, **({"co_qualname": name} if QUALIFIED else {}))
            function()
        self.assert_equal_stacks(len(STRANGE))

    def test_subinterpreter(self):
        script = "\n".join([
            "import sys", f"sys.path[:0] = {[os.path.dirname(os.path.dirname(_sneck.__file__))]!r}",
            "from sneck import _sneck",
            "def f():",
            "    frames, omitted = _sneck._stack(100); frame = sys._getframe(); line = sys._getframe().f_lineno",
            "    assert omitted == 0 and frames[0][0] == 'f' and frames[0][2] == line, frames",
            "    assert frames[1][0] == '<module>' and len(frames) == 2, frames",
            "f()", "f()", "assert _sneck._code_table('forget')[1] >= 2"])
        for _ in range(3):
            self.assertIsNone(run_in_subinterpreter(script))


def run_in_subinterpreter(script):
    """What went wrong, or None; an interpreter that shares the GIL."""
    try:
        import _interpreters as interpreters
        made = interpreters.create("legacy")
    except ImportError:
        import _xxsubinterpreters as interpreters
        made = interpreters.create(isolated=False)
    try:
        return interpreters.run_string(made, script)
    finally:
        interpreters.destroy(made)


class Variables(unittest.TestCase):
    """py_frames_variables() against frame.f_locals and f_globals."""

    def compare_all(self):
        frame, index, compared = sys._getframe(1), 1, 0
        while frame:
            dict_globals, namespace, slots = _sneck._stack_variables(index)
            self.assertIs(dict_globals, frame.f_globals)
            code = frame.f_code
            if code.co_flags & 2:  # CO_NEWLOCALS: a function
                found = dict(slots)
                for name, value in frame.f_locals.items():
                    cell = name in code.co_cellvars or name in code.co_freevars
                    got = found[name]
                    if cell and isinstance(got, types.CellType):
                        got = got.cell_contents
                    self.assertIs(got, value, name)
                    compared += 1
            else:
                self.assertIs(namespace, frame.f_locals)
            frame, index = frame.f_back, index + 1
        self.assertIsNone(_sneck._stack_variables(index))
        return compared

    def test_locals_cells_and_free_variables(self):
        captured = object()

        def function(a, b=2, *args, c=3, **kw):
            local = [1]
            made = lambda: (local, captured)
            self.assertGreater(self.compare_all(), 7)
            del a
            self.compare_all()
            return made

        function(1, 2, 3, 4, d=5)

    def test_generators_and_comprehensions(self):
        def generator(n):
            x = object()
            for i in range(n):
                yield self.compare_all(), x

        list(generator(3))
        [(self.compare_all(), j) for j in range(2)]

    def test_class_bodies_and_modules(self):
        scope = {"check": self.compare_all, "x": 1}
        exec("check()\nclass Body:\n    y = 2\n    check()\n    def method(self, z=3): check()\nBody().method()", scope)
        exec("check()", scope, {"own": 1})

    def test_beyond_the_root_there_is_nothing(self):
        self.assertIsNone(_sneck._stack_variables(1000))


class CodeTable(unittest.TestCase):
    def make(self, name):
        scope = {"take": _sneck._stack}
        exec(compile(f"def {name}(): return take(1)[0][0]", name + ".py", "exec"), scope)
        return scope.pop(name)

    def test_codes_live_two_periods_longer(self):
        function = self.make("short")
        code = weakref.ref(function.__code__)
        function()
        del function
        for _ in range(2):
            _sneck._code_table("step")
            self.assertIsNotNone(code())
        kept, given_back = _sneck._code_table("step")
        self.assertIsNone(code())
        self.assertGreaterEqual(given_back, 1)

    def test_a_trim_may_be_scheduled(self):
        function = self.make("scheduled")
        code = weakref.ref(function.__code__)
        function()
        del function
        for _ in range(3):
            self.assertIsNotNone(code())
            self.assertEqual(_sneck._code_table("schedule")[1], 0)
        for _ in range(100000):
            if code() is None:
                return
        self.fail("not trimmed")

    def test_fork_while_others_resolve(self):
        done = threading.Event()

        def work():
            while not done.is_set():
                self.make("working")()

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(30):
                self.assertEqual(_sneck._code_table("fork")[1], 0)
        finally:
            done.set()
            for thread in threads:
                thread.join()

    def test_forgotten_codes_come_back(self):
        function = self.make("again")
        for _ in range(3):
            self.assertEqual(function()[0], "again")
            kept, given_back = _sneck._code_table("forget")
            self.assertEqual(kept, 0)
            self.assertGreaterEqual(given_back, 1)

    def test_codes_in_use_stay(self):
        function = self.make("busy")
        code = weakref.ref(function.__code__)
        for _ in range(6):
            function()
            _sneck._code_table("step")
        del function
        self.assertIsNotNone(code())

    def test_no_name_outlives_its_function(self):
        for i in range(5000):
            name = f"f{i}"
            self.assertEqual(self.make(name)(), (name, name + ".py", 1))
            if i % 50 == 0:
                _sneck._code_table("step")

    def test_weak_references_may_run_python_in_a_trim(self):
        function, seen = self.make("watched"), []
        watch = weakref.ref(function.__code__, lambda r: seen.append(_sneck._stack(1)[0][0][0]))
        function()
        del function
        for _ in range(3):
            _sneck._code_table("step")
        self.assertEqual(len(seen), 1)
        self.assertIsNone(watch())

    def test_too_many_functions(self):
        def take():
            return _sneck._stack(1)[0][0]

        code, names, keep = take.__code__, [], []
        for i in range(66000):
            function = types.FunctionType(code.replace(co_firstlineno=i + 1), globals())
            keep.append(function.__code__)
            names.append(function()[0])
        self.assertEqual(names[-1], "<too many functions>")
        self.assertIn(names.index("<too many functions>"), range(60000, 65537))
        self.assertEqual(take()[1:], ("", 0))
        for _ in range(3):
            _sneck._code_table("step")
        self.assertEqual(take()[1], __file__)


if __name__ == "__main__":
    unittest.main()
