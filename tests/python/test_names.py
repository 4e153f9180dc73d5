"""Names of locks: what naming answers for the programs of names_table, without any sampling."""

import _thread
import argparse
import contextlib
import gc
import logging
import os
import queue
import re
import subprocess
import sys
import threading
import time
import types
import unittest
import unittest.case

from sneck import _sneck

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import names_table  # noqa: E402
from names_table import expectations, run  # noqa: E402
from support import Case, run_child  # noqa: E402

_sneck._name_init()


@contextlib.contextmanager
def naming_locks(record):
    """Have every lock made meanwhile named; record gets (label, owner)."""
    names = {"Lock": _sneck._created_lock, "_CRLock": _sneck._created_rlock, "_allocate_lock": _sneck._created_lock}
    natives = {name: getattr(threading, name) for name in names}
    _sneck._on_name(lambda label, owner: record.append((label, owner)))
    try:
        vars(threading).update(names)
        yield
    finally:
        vars(threading).update(natives)
        _sneck._on_name(lambda *_: None)


class Names(Case):
    maxDiff = None

    def check(self, expected, record):
        self.assertEqual([label for label, _ in expected], [label for label, _ in record])
        for (label, owner), (_, found) in zip(expected, record):
            if owner is not None:
                self.assertEqual((label, owner), (label, found))


class Creation(Names):
    def test_the_bytecode_names_what_it_stores(self):
        self.assertGreaterEqual(len(names_table.CREATED), 30)
        for title, source in names_table.CREATED.items():
            with self.subTest(title):
                record = []
                with naming_locks(record):
                    run(source)
                self.check(expectations(source), record)

    def test_no_frame_at_all_is_no_error(self):
        record = []
        _sneck._on_name(lambda *name: record.append(name))
        _thread.start_new_thread(_sneck._created_lock, ())
        deadline = time.monotonic() + 10
        while not record and time.monotonic() < deadline:
            time.sleep(0.001)
        self.assertEqual(record, [(":0", "")])


class Bytecode(unittest.TestCase):
    GOES_NAMED = 1

    def codes(self, code):
        yield code
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                yield from self.codes(constant)

    def test_any_instruction_can_be_followed(self):
        """Whatever it starts from, it ends, and names nothing that is not in the code."""
        followed = named = 0
        for module in argparse, queue, threading, logging, unittest.case:
            with open(module.__file__, encoding="utf-8") as file:
                whole = compile(file.read(), module.__file__, "exec", dont_inherit=True)
            for code in self.codes(whole):
                known = {*code.co_names, *code.co_varnames, *code.co_cellvars, *code.co_freevars, *code.co_consts, None}
                for byte in range(0, len(code.co_code) + 2, 14):
                    kind, name = _sneck._follow(code, byte, followed % 4)
                    self.assertIn(name, known)
                    followed += 1
                    named += kind == self.GOES_NAMED
        self.assertGreater(followed, 3000)
        self.assertGreater(named, followed // 50)


class Search(Names):
    def test_a_lock_is_found_by_identity(self):
        for title, source in names_table.FOUND.items():
            with self.subTest(title):
                record = []
                _sneck._on_name(lambda label, owner: record.append((label, owner)))
                run(source, use=_sneck._used_lock)
                self.check(expectations(source), record)

    def test_attributes_are_left_alone_if_so_wished(self):
        class Holder:
            def __init__(self):
                self.lock = threading.Lock()

            def look(self):
                return _sneck._search_name(self.lock, False)[0], _sneck._search_name(self.lock, True)[0]
        without, with_attributes = Holder().look()
        self.assertRegex(without, r"^test_names\.py:\d+$")
        self.assertRegex(with_attributes, r"^test_names\.py:\d+:lock$")

    def test_nothing_of_the_users_runs(self):
        def abort(*_):
            os.abort()

        class Meta(type):
            __getattribute__ = abort
            lock = property(abort)

        class Descriptor:
            __get__ = abort

        class Hidden:
            lock = property(abort)
            other = Descriptor()
            __getattribute__ = abort
            __getattr__ = abort
            __eq__ = abort
            __hash__ = abort
            __len__ = abort
            __iter__ = abort
            __bool__ = abort
            __class__ = property(abort)
            __dict__ = property(abort)

        class Items(dict):
            __getitem__ = __iter__ = __len__ = keys = items = values = __contains__ = abort

        class Row(list):
            __getitem__ = __iter__ = __len__ = __contains__ = abort

        class Holder:
            def __init__(self):
                self.lock = threading.Lock()

        pid = os.fork()
        if pid == 0:
            first = object.__new__(Hidden)
            meta = type.__new__(Meta, "Class", (), {})
            space = {"search": _sneck._search_name, "trap": first, "other": meta}
            exec(compile("def look(first, meta, items, row, lock_holder):\n"
                         "    if lock_holder is None:\n"
                         "        first.lock; first.other; items.keys; meta.lock; trap.lock; other.lock\n"
                         "    return search(lock_holder.lock)\n", "look.py", "exec"), space)
            found = space["look"](first, meta, Items(a=1), Row([1]), Holder())
            os._exit(0 if found[0].endswith(":lock") else 1)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)

    def test_a_slot_of_another_class_is_not_read(self):
        """It would be 1.6 MB behind the object."""
        ran = run_child("""
            import threading
            from sneck import _sneck
            _sneck._name_init()
            class Far:
                __slots__ = [f"a{i:06}" for i in range(200_000)] + ["lock"]
            class Near:
                __slots__ = ()
                lock = Far.lock
            def use(near, rows):
                near.lock if rows is None else None
                return _sneck._search_name(rows[0])[0]
            print(use(Near(), [threading.Lock()]))
            """, start=None)
        self.assert_clean(ran)
        self.assertRegex(ran.out, r"^program\.py:\d+:rows\[\.\.\.\]\n$")

    def test_searching_makes_nothing_that_is_collected(self):
        class Inner:
            def __init__(self):
                self.lock = threading.Lock()

        class Outer:
            __slots__ = ("inner", "unset", "rows")

            def __init__(self):
                self.inner = Inner()
                self.rows = [Inner() for _ in range(10)]

            def look(self, rounds, locks):
                _ = (self.inner.lock, self.unset) if rounds < 0 else None
                return _sneck._search_count(next(locks), rounds)

        def allocate(rounds, locks):
            next(locks)
            return [[] for _ in range(rounds)]

        outer = Outer()
        nowhere = iter([threading.Lock() for _ in range(10)])
        inside = iter([outer.inner.lock] * 10)
        self.assertEqual(outer.look(5, inside), 5)
        self.assertEqual(outer.look(5, nowhere), 0)
        idle = collections_of(outer.look, 0, inside)
        self.assertEqual(collections_of(outer.look, 1000, inside), idle)
        self.assertEqual(collections_of(outer.look, 1000, nowhere), idle)
        self.assertNotEqual(collections_of(allocate, 1000, inside), idle)

    def test_references_are_given_back(self):
        class Holder:
            __slots__ = ("lock", "rows")

            def __init__(self):
                self.lock = threading.Lock()
                self.rows = [threading.Lock()]
        holder = Holder()

        def count(rounds):
            kept = threading.Lock()
            things = [holder, holder.lock, holder.rows, holder.rows[0], kept, Holder, threading, count.__code__]
            before = [sys.getrefcount(thing) for thing in things]
            found = _sneck._search_count(holder.lock, rounds) + _sneck._search_count(holder.rows[0], rounds)
            found += _sneck._search_count(kept, rounds)
            return found, before, [sys.getrefcount(thing) for thing in things]
        count(1)
        found, before, after = count(1000)
        self.assertEqual(before, after)
        self.assertEqual(found, 3000)

    def test_no_dictionary_is_made_for_an_instance(self):
        class Plain:
            def __init__(self):
                self.lock = threading.Lock()
                self.a = self.b = self.c = 1

            def look(self):
                return _sneck._search_name(self.lock)
        plain = Plain()
        before = sys.getsizeof(plain), len(gc.get_referents(plain))
        self.assertRegex(plain.look()[0], ":lock$")
        self.assertEqual((sys.getsizeof(plain), len(gc.get_referents(plain))), before)

    def test_the_work_is_bounded(self):
        def look(rows, lock):
            start = time.perf_counter()
            name = _sneck._search_name(lock)[0]
            return name, time.perf_counter() - start
        rows = [object() for _ in range(1_000_000)]
        lock = threading.Lock()
        self.assertRegex(look(rows, lock)[0], ":lock$")
        seconds = min(_look_for_nothing(rows) for _ in range(5))
        self.assertLess(seconds, 0.005)


def collections_of(function, *args):
    """How many collections begin in a call, when each tracked object that is made would begin one."""
    phases = []
    callback = lambda phase, info: phases.append(phase)  # noqa: E731
    thresholds = gc.get_threshold()
    gc.disable()
    litter = [[] for _ in range(100)]
    gc.callbacks.append(callback)
    gc.set_threshold(1)
    try:
        gc.enable()
        function(*args)
        gc.disable()
        return phases.count("start") if litter else -1
    finally:
        gc.callbacks.remove(callback)
        gc.set_threshold(*thresholds)
        gc.enable()


def _look_for_nothing(rows):
    box = [rows, [threading.Lock() for _ in range(3)]]
    start = time.perf_counter()
    _sneck._search_name((lambda: box)()[1][2])
    return time.perf_counter() - start


class Probe:
    """A lock whose operations are classified; as a lock's, they are C functions."""

    acquire = release = __enter__ = __exit__ = _sneck._operated
    _is_owned = staticmethod(lambda: True)
    locked = _at_fork_reinit = staticmethod(lambda: False)


class RProbe(Probe):
    acquire = release = __enter__ = __exit__ = _release_save = _acquire_restore = _sneck._operated_rlock


@contextlib.contextmanager
def probes():
    natives = {name: getattr(threading, name) for name in ("Lock", "RLock", "_allocate_lock")}
    try:
        vars(threading).update(Lock=Probe, RLock=RProbe, _allocate_lock=Probe)
        yield
    finally:
        vars(threading).update(natives)


QUALIFIED = sys.version_info >= (3, 11)


class Primitives(unittest.TestCase):
    def setUp(self):
        self.record = []
        _sneck._on_name(lambda *use: self.record.append(use))
        self.addCleanup(_sneck._on_name, lambda *_: None)

    def uses(self):
        """What was told since last asked."""
        record, self.record = self.record, []
        return record

    def use(self, role, owner=None, kind=None):
        """An operation of the calling test's own frame."""
        function = sys._getframe(1).f_code
        return role, function.co_qualname if QUALIFIED else function.co_name, owner, kind

    def roles(self):
        return [use[0] for use in self.uses()]

    def test_a_lock_of_the_users_is_the_users(self):
        with Probe():
            pass
        self.assertEqual(self.uses(), [self.use("none")] * 2)

    def test_a_condition_is_transparent(self):
        ready = threading.Condition(Probe())
        with ready:
            ready.notify()
        ready.acquire()
        self.assertEqual(self.uses(), [self.use("transparent", ready, "threading.Condition")] * 2 + [self.use("none")])

    def test_waiting_takes_and_gives_the_users_lock_alone(self):
        with probes():
            plain, reentrant = threading.Condition(Probe()), threading.Condition(RProbe())
            for ready in plain, reentrant:
                ready.wait()
                ready.wait(0.001)
                uses = self.uses()
                mine = self.use("transparent", ready, "threading.Condition")
                self.assertEqual([use for use in uses if use[0] != "inner"], [mine] * 4)
                self.assertEqual([use[0] for use in uses].count("inner"), 4)

    def test_a_semaphore_is_its_own(self):
        with probes():
            for slots in threading.Semaphore(1), threading.BoundedSemaphore(1):
                slots.acquire()
                self.assertEqual(self.uses(), [self.use("semaphore-acquire", slots, "threading.Semaphore")] * 2)
                slots.release()
                kind = "threading." + type(slots).__name__
                self.assertEqual(self.uses(), [self.use("semaphore-release", slots, kind)] * 2)
                with slots:
                    pass
                self.assertEqual(self.roles(), ["semaphore-acquire"] * 2 + ["semaphore-release"] * 2)

    def test_waiting_for_a_semaphore_is_waiting(self):
        with probes():
            slots = threading.Semaphore(0)
            slots.acquire(timeout=0.001)
            uses = self.uses()
            self.assertEqual({use[0] for use in uses}, {"semaphore-acquire", "semaphore-wait", "inner"})
            self.assertEqual({use[1:] for use in uses if use[0] != "inner"},
                             {self.use("", slots, "threading.Semaphore")[1:]})
            self.assertEqual([use[0] for use in uses].count("semaphore-acquire"), 2)

    def test_a_queue_owns_its_lock(self):
        with probes():
            jobs = queue.Queue()
            jobs.put(1)
            jobs.get()
            jobs.qsize()
            jobs.put_nowait(1)
            self.assertEqual(self.uses(), [self.use("owned", jobs, "queue.Queue")] * 8)

    def test_a_handler_owns_its_lock(self):
        with probes():
            handler = logging.StreamHandler(open(os.devnull, "w"))
            self.uses()
            handler.acquire()
            logger = logging.Logger("x")
            logger.addHandler(handler)
            self.uses()
            logger.error("x")
            uses = [use for use in self.uses() if use[0] != "inner"]
            self.assertIn(self.use("owned", handler, "logging.Handler"), uses)
            self.assertEqual({use[1] for use in uses}, {self.use("")[1]})
            handler.stream.close()

    def test_what_is_inside_is_nobodys_business(self):
        with probes():
            done = threading.Event()
            done.set()
            done.wait()
            done.clear()
            self.assertEqual(set(self.roles()), {"inner"})

    def test_a_context_manager_of_the_librarys_is_transparent(self):
        with contextlib.ExitStack() as stack:
            stack.enter_context(Probe())
        self.assertEqual(self.uses(), [self.use("transparent")] * 2)

    def test_a_condition_in_a_context_manager_is_the_owner(self):
        ready = threading.Condition(Probe())
        with contextlib.ExitStack() as stack:
            stack.enter_context(ready)
        self.assertEqual(self.uses(), [self.use("transparent", ready, "threading.Condition")] * 2)

    def test_a_module_imported_later_is_met(self):
        code = ("import sys\nfrom sneck import _sneck\n_sneck._name_init()\nassert 'sched' not in sys.modules\n"
                "uses = []\n_sneck._on_name(lambda *use: uses.append(use))\n"
                "import sched\nplan = sched.scheduler()\n"
                "class Probe:\n    acquire = release = __enter__ = __exit__ = _sneck._operated\n"
                "plan._lock = Probe()\nplan.empty()\n"
                "assert uses == [('owned', '<module>', plan, 'sched.scheduler')] * 2, uses\n")
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_the_librarys_own_locks_are_inner(self):
        self.assertEqual(_sneck._role_in_library(logging.Handler.handle, logging._lock), "inner")
        self.assertEqual(_sneck._role_in_library(logging.Handler.handle, threading.Lock()), "owned")
        self.assertEqual(_sneck._role_in_library(expectations, threading.Lock()), "none")

    def test_what_is_kept_can_be_given_back_and_found_again(self):
        code = queue.Queue.put.__code__
        counts = []
        for _ in range(20):
            self.assertEqual(_sneck._role_in_library(queue.Queue.put, None), "owned")
            kept = sys.getrefcount(code)
            _sneck._forget_library()
            counts.append((kept, kept - sys.getrefcount(code)))
        self.assertEqual(set(counts), {(counts[0][0], 1)})
        self.assertEqual(_sneck._role_in_library(queue.Queue.put, None), "owned")

    def test_a_function_put_into_the_library_is_the_users(self):
        native = threading.Event.set
        threading.Event.set = lambda self: native(self)
        try:
            self.assertEqual(_sneck._role_in_library(threading.Event.set, None), "none")
            self.assertEqual(_sneck._role_in_library(native, None), "inner")
        finally:
            threading.Event.set = native

    def test_each_interpreter_has_its_own_library(self):
        program = ("import sys; sys.path[:] = %r\n"
                   "import queue\nfrom sneck import _sneck\n_sneck._name_init()\n"
                   "assert _sneck._role_in_library(queue.Queue.put, None) == 'owned'\n"
                   "_sneck._forget_library()\n" % sys.path)
        for _ in range(10):
            in_interpreter(program)
        self.assertEqual(_sneck._role_in_library(queue.Queue.put, None), "owned")


class Searches(Case):
    """Names of locks that were made before the start."""

    def test_a_lock_in_an_exit_stack_has_its_own_name(self):
        ran = run_child("""
            import contextlib, threading, sneck
            def use():
                early, called = threading.Lock(), threading.Lock()
                sneck.start(output=output, capture_pct=100)
                with contextlib.ExitStack() as stack:
                    stack.enter_context(early)
                with called:
                    pass
            use()
            """, start=None)
        self.assert_clean(ran)
        self.assertEqual([ran.rows.of(name).acquires for name in ("early", "called", "stack")], [1, 1, 0])


class Sites(Case):
    """What is remembered of the places where locks are made."""

    def test_a_factory_that_once_had_no_caller_still_asks_the_others(self):
        for before in "before = make()", "before = threading.Lock()":
            with self.subTest(before=before):
                ran = run_child(f"""
                    import _thread, threading, time
                    def make():
                        try:
                            return threading.Lock()
                        finally:
                            made.append(True)
                    made = []
                    {before}
                    n = len(made)
                    _thread.start_new_thread(make, ())
                    while len(made) == n:
                        time.sleep(0.001)
                    after = make()
                    def use():
                        late = make()
                        with late:
                            pass
                    thread = threading.Thread(target=use)
                    thread.start()
                    thread.join()
                    with before, after:
                        pass
                    """)
                self.assert_clean(ran)
                self.assertEqual([ran.rows.of(name).acquires for name in ("before", "after", "late")], [1, 1, 1])

    def test_a_site_that_no_longer_fits_is_not_taken_for_another(self):
        ran = run_child("""
            import threading
            site = compile("lock = Lock()", "many.py", "exec")
            many = [site.replace(co_firstlineno=1 + i % 9) for i in range(66_000)]
            for code in many:
                exec(code, {"Lock": threading.Lock})
            for i in range(50):
                exec(compile(f"late_{i} = Lock()\\nwith late_{i}: pass", "late.py", "exec"), {"Lock": threading.Lock})
            """)
        self.assert_clean(ran)
        self.assertEqual([ran.rows.of(f"late_{i}").acquires for i in range(50)], [1] * 50)


def in_interpreter(program):
    """Run it in a subinterpreter that shares our GIL, as all versions can have."""
    try:
        import _interpreters as interpreters
        subinterpreter = interpreters.create("legacy")
    except ImportError:
        import _xxsubinterpreters as interpreters
        subinterpreter = interpreters.create(isolated=False)
    try:
        error = interpreters.run_string(subinterpreter, program)
        if error:
            raise AssertionError(error)
    finally:
        interpreters.destroy(subinterpreter)


if __name__ == "__main__":
    unittest.main()
