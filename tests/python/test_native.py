"""Locks stay what they were: types, results, exceptions, method tables, in every odd place that uses them."""

import ast
import copy
import ctypes
import os
import pickle
import platform
import sys
import textwrap
import threading
import time
import traceback
import unittest
from typing import Any, Callable

import sneck
from support import SANITIZED, Case, profiled, run_child

KINDS = (threading.Lock, threading.RLock)
HEAD = object.__basicsize__  # what follows it in a builtin method object is the PyMethodDef *
METHODS = ("acquire", "acquire_lock", "__enter__", "release", "release_lock", "__exit__", "locked", "_is_owned",
           "_release_save", "_acquire_restore", "_at_fork_reinit", "_recursion_count")
SLOTS = {"tp_new": 65, "tp_dealloc": 52, "tp_alloc": 47, "tp_free": 74, "tp_init": 60, "tp_call": 50}


def method_def(method: Any) -> bytes:
    """The bytes of a builtin method's PyMethodDef: name, function, flags, doc."""
    address = ctypes.c_void_p.from_address(id(method) + HEAD).value
    assert address is not None
    return ctypes.string_at(address, 4 * ctypes.sizeof(ctypes.c_void_p))


def function_of(method: Any) -> int:
    get = ctypes.pythonapi.PyCFunction_GetFunction
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object]
    return get(method)


def tables() -> dict[str, Any]:
    """Every method record and slot that locks are made and used through."""
    import _thread
    slot = ctypes.pythonapi.PyType_GetSlot
    slot.restype, slot.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_int]
    out: dict[str, Any] = {}
    for kind in KINDS:
        lock = kind()
        for name in METHODS:
            if hasattr(lock, name):
                method = getattr(lock, name)
                out[f"{type(lock).__name__}.{name}"] = (method_def(method), function_of(method))
        for name, number in SLOTS.items():
            out[f"{type(lock).__name__}.{name}"] = slot(type(lock), number)
    for name in ("allocate_lock", "allocate"):
        made_by = getattr(_thread, name)
        if type(made_by) is type(len):
            out[f"_thread.{name}"] = (method_def(made_by), function_of(made_by))
    return out


def outcome(action: Callable[[], Any]) -> tuple[Any, ...]:
    """What a call gives: its result, or its exception's type, text and depth of traceback."""
    try:
        result = action()
        return ("returned", type(result) if hasattr(result, "acquire") else result)
    except BaseException as error:
        return (type(error), str(error), len(traceback.extract_tb(error.__traceback__)))


def jit_is_enabled() -> bool:
    jit = getattr(sys, "_jit", None)
    return bool(jit and jit.is_enabled())


def in_thread(action: Callable[[], Any]) -> Any:
    out: list[Any] = []
    thread = threading.Thread(target=lambda: out.append(action()))
    thread.start()
    thread.join()
    return out[0]


ODD_ARGUMENTS: list[tuple[tuple[Any, ...], dict[Any, Any]]] = [
    ((), {1: 2}), ((), {1: 2, "blocking": False}), ((-10**100, 0.01), {}), ((10**100, 0.01), {}),
    ((), {"blocking": 10**100, "timeout": 0.01}), ((0,), {}), (("", 1), {}), (([],), {"timeout": -1}), ((False, 10**100), {}),
]


def behaviour() -> list[tuple[Any, ...]]:
    """Calls good and bad, by every spelling, and what each gives."""
    out: list[tuple[Any, ...]] = []
    for kind in KINDS:
        for make in (
            lambda k: k().release(), lambda k: k().release_lock(), lambda k: k().__exit__(None, None, None),
            lambda k: k().__exit__(), lambda k: k().acquire(), lambda k: k().acquire(False),
            lambda k: k().acquire(blocking=True, timeout=1), lambda k: k().acquire(True, 0),
            lambda k: k().acquire(False, 1), lambda k: k().acquire(True, -2), lambda k: k().acquire(timeout=1e30),
            lambda k: k().acquire(timeout="soon"), lambda k: k().acquire(blocking=[]), lambda k: k().acquire(what=1),
            lambda k: k().acquire(1, 2, 3), lambda k: k().acquire(10**100), lambda k: k().acquire(**{1: 2}), lambda k: k().acquire_lock(), lambda k: k().__enter__(),
            lambda k: k().__enter__(1), lambda k: k().release(1), lambda k: k().acquire(timeout=float("nan")),
            lambda k: type(k()).acquire(), lambda k: type(k()).acquire(1), lambda k: type(k()).release(k()),
            lambda k: k(1), lambda k: k(lock=1), lambda k: type(k()).__name__, lambda k: k().locked(),
            lambda k: k()._acquire_restore(1), lambda k: k()._acquire_restore((1, 2)),
            lambda k: k()._release_save(), lambda k: k()._acquire_restore(()), lambda k: k()._is_owned(),
            lambda k: pickle.dumps(k()), lambda k: copy.deepcopy(k()), lambda k: copy.copy(k()),
            lambda k: type(type(k())), lambda k: k().acquire.__name__, lambda k: k().acquire.__doc__,
            lambda k: k().acquire.__self__ is not None, lambda k: type(k()).acquire.__text_signature__,
            lambda k: type("Sub", (type(k()),), {})().acquire(), lambda k: bool(k()), lambda k: k() == k(),
            lambda k: isinstance(k(), type(k())), lambda k: type(k()).__mro__, lambda k: sorted(dir(k())),
        ):
            out.append((kind.__name__, *outcome(lambda: make(kind))))
        held = kind()
        held.acquire()
        out.append((kind.__name__, "elsewhere", *in_thread(lambda: outcome(held.release))))
        out.append((kind.__name__, "taken", *in_thread(lambda: outcome(lambda: held.acquire(False)))))
        for arguments, keywords in ODD_ARGUMENTS:
            out.append((kind.__name__, "taken", *in_thread(lambda: outcome(lambda: held.acquire(*arguments, **keywords)))))
        waiter = threading.Thread(target=lambda: out.append((kind.__name__, "waited", *outcome(lambda: held.acquire(10**100)))))
        waiter.start()
        time.sleep(0.02)
        held.release()
        waiter.join()
        out.append((kind.__name__, "then", *outcome(lambda: held.acquire(False))))
    return out


class Tables(Case):
    def test_while_on_the_records_differ_and_after_stop_they_are_bit_for_bit_the_same(self) -> None:
        before = tables()
        for _ in range(3):
            with profiled():
                idle = tables()
                held, owned = threading.Lock(), threading.RLock()
                with held, owned:
                    holding = tables()
            self.assertEqual(tables(), before)
            for during, names in ((idle, ("acquire", "__enter__")), (holding, ("release", "__exit__"))):
                changed = {name for name in before if during[name] != before[name]}
                self.assertLessEqual({f"{kind}.{name}" for kind in ("lock", "RLock") for name in names}, changed)
                for name in changed:
                    if isinstance(before[name], tuple):
                        record, again = before[name][0], during[name][0]
                        self.assertEqual((record[:8], record[16:]), (again[:8], again[16:]),
                                         f"{name}: more than its function")

    def test_a_stop_during_holds_restores_them_too(self) -> None:
        before = tables()
        held, owned = threading.Lock(), threading.RLock()
        with profiled():
            held.acquire()
            owned.acquire()
        self.assertEqual(tables(), before)
        held.release()
        owned.release()
        self.assertEqual(tables(), before)

    def test_a_second_start_and_a_second_stop_leave_them_too(self) -> None:
        before = tables()
        with profiled():
            outcome(lambda: sneck.start())
        sneck.stop()
        self.assertEqual(tables(), before)


@unittest.skipUnless(platform.libc_ver()[0] == "glibc", "of other C libraries it is not known")
class ThreadState(Case):
    """From 3.12 on the interpreter keeps it in a thread-local variable, which is found by its behaviour."""

    def test_it_is_read_without_a_call_whichever_thread_starts(self) -> None:
        ran = run_child(textwrap.dedent("""
            import sneck, threading
            start = lambda: sneck.start(capture_pct=100, output=output)
            starter = threading.Thread(target=start)
            starter.start()
            starter.join()
            def make():
                theirs = threading.Lock()
                with theirs:
                    pass
            maker = threading.Thread(target=make)
            maker.start()
            maker.join()
            mine = threading.Lock()
            with mine:
                pass
            print(repr(sneck.status()["collector"]["slow_thread_state"]))
            sneck.stop()
            print({row["name"].split(":")[-1] for row in sneck.lock_stats()})
        """), start=None)
        self.assert_clean(ran)
        reason, names = map(ast.literal_eval, ran.out.splitlines())
        if sys.version_info >= (3, 12):
            self.assertIsNone(reason)
        else:
            self.assertIn("no thread-local variable", reason)
        self.assertEqual(names, {"mine", "theirs"})


@unittest.skipUnless(platform.machine() == "x86_64" and platform.libc_ver()[0] == "glibc", "stubs are for x86-64 and glibc")
class NearStubs(Case):
    def test_the_functions_in_use_lie_near_the_interpreter(self) -> None:
        names = ("acquire", "__enter__")
        originals = {(kind, name): function_of(getattr(kind(), name)) for kind in KINDS for name in names}
        with profiled() as seen:
            for (kind, name), original in originals.items():
                during = function_of(getattr(kind(), name))
                self.assertNotEqual(during, original)
                self.assertLess(abs(during - original), 1 << 31, sneck.status()["collector"]["far_hooks"])
        self.assertIsNone(seen.status["collector"]["far_hooks"])

    maxDiff = None

    def uses_locks_after(self, preparation: str) -> str | None:
        """Why no stubs are in use after it, or None if they are; all that is used is seen either way."""
        ran = run_child(preparation + textwrap.dedent("""
            sneck.start(capture_pct=100, output=output)
            lock, owned = threading.Lock(), threading.RLock()
            for _ in range(10):
                with lock, owned:
                    pass
            print(repr(sneck.status()["collector"]["far_hooks"]))
            sneck.stop()
            print({row["name"].split(":")[-1]: row["acquires"] for row in sneck.lock_stats()})
        """), start=None)
        self.assert_clean(ran)
        reason, counts = map(ast.literal_eval, ran.out.splitlines())
        self.assertEqual(counts, {"lock": 10, "owned": 10})
        return reason

    def test_a_byte_of_the_owner_that_looks_like_a_mutex_is_none(self) -> None:
        """The first start comes from a thread whose ident has a byte that is 1."""
        ran = run_child(textwrap.dedent("""
            import sneck, threading
            sneck.status()
            threading.stack_size(1 << 19)
            end = threading.Event()
            def start_once():
                if 1 in threading.get_ident().to_bytes(8, "little")[1:] and not found:
                    sneck.start(output=output)
                    found.append(True)
                tried.set()
                end.wait()
            found, threads = [], []
            while not found and len(threads) < 2000:
                tried = threading.Event()
                threads.append(threading.Thread(target=start_once))
                threads[-1].start()
                tried.wait()
            print(repr((found, sneck.status()["collector"]["lock_look"], sneck.status()["collector"]["far_hooks"])))
            end.set()
            for thread in threads:
                thread.join()
        """), start=None)
        self.assert_clean(ran)
        self.assertEqual(ast.literal_eval(ran.out), ([True], None, None))

    def test_without_stubs_the_hooks_see_the_same(self) -> None:
        """Our file is gone once it is loaded: no page of it can be mapped again."""
        self.assertEqual(self.uses_locks_after(textwrap.dedent("""
            import importlib.util, os, shutil, sys, threading
            folder = os.path.dirname(output)
            package = os.path.dirname(importlib.util.find_spec("sneck").origin)
            shutil.copytree(package, os.path.join(folder, "sneck"))
            sys.path.insert(0, folder)
            import sneck._sneck
            os.unlink(sneck._sneck.__file__)
        """)), "our own file could not be opened again")

    def test_where_code_made_at_run_time_is_forbidden_stubs_are_in_use(self) -> None:
        """As under systemd's MemoryDenyWriteExecute=, by the kernel (6.3 on) instead of its filter."""
        PR_SET_MDWE, EXEC_GAIN = 65, 1
        if run_child(f"import ctypes, os; os._exit(ctypes.CDLL(None).prctl({PR_SET_MDWE}, {EXEC_GAIN}, 0, 0, 0) != 0)",
                     start=None).status:
            self.skipTest("this kernel has no PR_SET_MDWE")
        self.assertIsNone(self.uses_locks_after(textwrap.dedent(f"""
            import ctypes, mmap, sneck, threading
            assert ctypes.CDLL(None).prctl({PR_SET_MDWE}, {EXEC_GAIN}, 0, 0, 0) == 0
            try:
                mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
                print("not refused")
            except OSError:
                pass
        """)))

    def test_where_no_more_code_may_be_mapped_the_hooks_serve(self) -> None:
        """A sandbox (seccomp) that refuses every mmap() with PROT_EXEC."""
        self.assertEqual(self.uses_locks_after(textwrap.dedent("""
            import ctypes, opcode, struct, sneck._sneck, threading     # no extension could be loaded later
            LOAD, EQUAL, SET, RETURN = 0x20, 0x15, 0x45, 0x06
            MMAP, PROT_EXEC, ALLOW, REFUSE = 9, 4, 0x7fff0000, 0x00050001
            steps = [(LOAD, 0, 0, 0), (EQUAL, 0, 3, MMAP), (LOAD, 0, 0, 16 + 2 * 8), (SET, 0, 1, PROT_EXEC),
                     (RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW)]
            filter = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
            program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(filter))
            prctl = ctypes.CDLL(None).prctl
            assert prctl(38, 1, 0, 0, 0) == 0   # PR_SET_NO_NEW_PRIVS
            assert prctl(22, 2, ctypes.c_char_p(program)) == 0  # PR_SET_SECCOMP
        """)), "a part of our own file could not be mapped again")


class Speed(Case):
    @unittest.skipUnless(os.environ.get("SNECK_LONG"), "timed: for make check-long, with SNECK_LONG=1")
    def test_after_a_thousand_profiles_locks_are_as_fast_as_before(self) -> None:
        """From 3.13 on a type that was declared modified a thousand times is never specialised again."""
        ran = run_child("""
            import sneck, threading, time
            lock, rlock = threading.Lock(), threading.RLock()
            def use(n):
                for _ in range(n):
                    lock.acquire(); lock.release(); rlock.acquire(); rlock.release()
            def ns():
                began = time.thread_time()
                use(3000)
                return (time.thread_time() - began) / 3000 * 1e9
            use(20_000)
            before = min(ns() for _ in range(20))
            for _ in range(1100):
                sneck.start(capture_pct=0, output=output)
                use(100)
                sneck.stop()
                use(100)
            use(20_000)
            print(min(ns() for _ in range(20)) / before)
            """, start=None)
        self.assert_clean(ran)
        self.assertLess(float(ran.out), 1.3)  # it was 1.5 to 2.2; a compiler may choose another trace


class Behaviour(Case):
    maxDiff = None

    def test_results_and_exceptions_are_the_same_on_and_off(self) -> None:
        before = behaviour()
        with profiled():
            during = behaviour()
        self.assertEqual(during, before)
        self.assertEqual(behaviour(), before)
        raised = [entry for entry in before if isinstance(entry[1], type)]
        self.assertGreater(len(raised), 30, "the bad calls must raise natively, or nothing is compared")

    def test_types_are_the_same_before_during_and_after(self) -> None:
        before = [type(kind()) for kind in KINDS]
        with profiled():
            during = [kind() for kind in KINDS]
        self.assertEqual([type(lock) for lock in during], before)
        self.assertEqual([type(kind()) for kind in KINDS], before)
        for lock in during:
            with lock:
                pass

    def test_subclasses_made_before_during_and_after(self) -> None:
        def make() -> type:
            class Counted(type(threading.RLock())):  # type: ignore[misc]
                entered = 0

                def acquire(self, *args: Any, **kwargs: Any) -> bool:
                    self.entered += 1
                    return super().acquire(*args, **kwargs)

            return Counted

        classes = [make()]
        with profiled() as seen:
            classes.append(make())
            during = [cls() for cls in classes]
            for counted_lock in during:
                counted_lock.acquire()
                counted_lock.release()
        self.assertEqual(seen.rows.acquires, 2)
        classes.append(make())
        for lock in during + [cls() for cls in classes]:
            had = lock.entered
            self.assertTrue(lock.acquire())
            with lock:
                lock.release()
                lock.acquire()
            lock.release()
            self.assertEqual(lock.entered, had + 2)
            self.assertFalse(lock._is_owned())

    def test_new_of_subclasses_made_before_during_and_after(self) -> None:
        """Python compares the tp_new of a class and its base, and may call __new__ unsafe."""
        def make(base: Any) -> tuple[Any, ...]:
            class Plain(base):  # type: ignore[misc]
                pass

            class Custom(Plain):
                def __new__(cls) -> Any:
                    return super().__new__(cls)

            return base, Plain, Custom

        def use(classes: list[tuple[Any, ...]]) -> None:
            for base, plain, custom in classes:
                for lock in custom(), plain(), plain.__new__(plain), base.__new__(plain):
                    with lock:
                        self.assertFalse(in_thread(lambda: lock.acquire(False)))

        can_be_subclassed = 1 << 10     # Py_TPFLAGS_BASETYPE
        for base in {type(kind()) for kind in KINDS}:
            if not base.__flags__ & can_be_subclassed:
                continue
            classes = [make(base)]
            for _ in range(2):
                with profiled() as seen:
                    classes.append(make(base))
                    use(classes)
                self.assertEqual(seen.rows.acquires, 4 * len(classes))
                classes.append(make(base))
                use(classes)

    def test_a_class_attribute_factory_is_not_bound(self) -> None:
        with profiled():
            class Owner:
                make = threading.Lock
            if threading.Lock is type(threading.Lock()):
                self.assertIs(type(Owner().make()), threading.Lock)
            else:
                self.assertTrue(Owner().make().acquire())


class Replaced(Case):
    """By gevent's patches, for one: there an empty profile must have a reason that status() tells."""

    PATCH = textwrap.dedent("""
        import _thread, threading
        class Green:
            acquire = release = __enter__ = __exit__ = locked = lambda *args, **kwargs: True
        def patch(*modules):
            originals = [(module, name, getattr(module, name)) for module in modules
                         for name in ("Lock", "lock", "LockType", "allocate_lock", "_allocate_lock") if hasattr(module, name)]
            for module, name, _ in originals:
                setattr(module, name, Green)
            return originals
        def said():
            status = sneck.status()
            print(repr((status["running"], status["refused"], status["collector"]["lock_replaced"])))
    """)
    REASON = "threading.Lock is <class '__main__.Green'>: of what it makes, only CPython's own locks are seen"

    def said_in(self, code: str) -> list[tuple[bool, str | None, str | None]]:
        ran = run_child(self.PATCH + "import sneck\nstart = lambda: sneck.start(output=output, quiet=True)\n" + textwrap.dedent(code),
                        start=None)
        self.assert_clean(ran)
        return [ast.literal_eval(line) for line in ran.out.splitlines()]

    def test_after_the_start_and_put_back(self) -> None:
        self.assertEqual(self.said_in("""
            said(); start(); said()
            originals = patch(_thread, threading)
            said()
            for original in originals:
                setattr(*original)
            said()
        """), [(False, None, None), (True, None, None), (True, None, self.REASON), (True, None, None)])

    def test_before_the_start(self) -> None:
        self.assertEqual(self.said_in("patch(threading); start(); said()"), [(True, None, self.REASON)])

    def test_before_the_start_and_thread_as_well(self) -> None:
        (running, refused, replaced), = self.said_in("patch(_thread, threading); start(); said()")
        self.assertEqual((running, replaced), (False, None))
        self.assertIn("start before it", refused or "")


class OddPlaces(Case):
    """Each in a child: it must end well and quietly, with sane numbers."""

    def sane(self, ran: Any) -> None:
        self.assert_clean(ran)
        for row in ran.rows:
            self.assertTrue(all(value >= 0 for value in row.values.values()), row)

    def test_start_and_stop_a_thousand_times_under_eight_threads(self) -> None:
        rounds = 100 if SANITIZED else 1000
        ran = run_child(f"""
            import resource, sneck, threading, time
            sys.setswitchinterval(0.0002)
            lock, rlock, done = threading.Lock(), threading.RLock(), False
            shared = [0]
            def use():
                own = threading.Lock()
                bound = rlock.acquire
                while not done:
                    with lock:
                        shared[0] += 1
                    bound()
                    with rlock:
                        pass
                    rlock.release()
                    with threading.Lock(), own:
                        pass
                    lock.acquire(timeout=0.001) and lock.release()
            def start(**options):
                while True:
                    try:
                        return sneck.start(output=output, lock_budget_pct=0, **options)
                    except RuntimeError as error:  # where the machine stood still for longer than a stop waits
                        assert "has not ended yet" in str(error), error
                        time.sleep(0.05)
            threads = [threading.Thread(target=use, daemon=True) for _ in range(8)]
            for t in threads: t.start()
            peak = None
            for i in range({rounds}):
                start(capture_pct=(100, 1, 10)[i % 3])
                if i % 10 == 0:
                    time.sleep(0.001)
                sneck.stop()
                if i == {rounds} // 2:
                    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
            done = True
            for t in threads: t.join(20)
            assert not any(t.is_alive() for t in threads)
            assert not lock.locked()
            print("grown", grown)
            """, start=None, timeout_s=250)
        self.sane(ran._replace(err=ran.err.replace("sneck: the last profile could not be written in time\n", "")))
        # CPython's JIT itself loses some 25 KiB each time its compiled code is thrown away (3.14.10, 3.15.2).
        limit = 600_000 if SANITIZED else 40_000 if jit_is_enabled() else 4_096
        self.assertLess(int(ran.out.split()[-1]), limit, "KiB grown over the second half")

    def test_a_lock_in_a_signal_handler(self) -> None:
        self.sane(run_child("""
            import signal, threading, time
            lock, rlock, fired = threading.Lock(), threading.RLock(), 0
            def handler(*_):
                global fired
                with rlock, rlock:
                    fired += 1
                if lock.acquire(False):
                    lock.release()
            signal.signal(signal.SIGALRM, handler)
            signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
            end = time.monotonic() + 1
            while time.monotonic() < end:
                with rlock:
                    with lock:
                        pass
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert fired > 100, fired
            """))

    def test_keyboard_interrupt_in_acquire(self) -> None:
        self.sane(run_child("""
            import signal, threading, _thread
            held = threading.Lock()
            held.acquire()
            signal.signal(signal.SIGALRM, signal.default_int_handler)
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            try:
                held.acquire()
            except KeyboardInterrupt:
                pass
            else:
                raise SystemExit("no KeyboardInterrupt")
            """))

    def test_finalisers_that_take_locks_while_the_collector_runs_at_every_allocation(self) -> None:
        self.sane(run_child("""
            import gc, threading
            lock, rlock, died = threading.Lock(), threading.RLock(), 0
            class Dying:
                def __init__(self):
                    self.own, self.cycle = threading.Lock(), self
                def __del__(self):
                    global died
                    with rlock, self.own:
                        died += 1
                    if lock.acquire(False):
                        lock.release()
            gc.set_threshold(1)
            def churn():
                for _ in range(3000):
                    Dying()
                    with lock:
                        [[] for _ in range(3)]
                    with rlock:
                        {}
            threads = [threading.Thread(target=churn) for _ in range(3)]
            for t in threads: t.start()
            for t in threads: t.join()
            gc.collect()
            assert died == 9000, died
            """))

    def test_locks_at_exit_and_in_finalisers_at_shutdown(self) -> None:
        ran = run_child("""
            import atexit, os, threading
            lock = threading.RLock()
            class Last:
                def __init__(self): self.lock, self.rlock = threading.Lock(), lock
                def __del__(self, Lock=threading.Lock, write=os.write):
                    with self.lock, self.rlock, Lock():
                        write(1, b"last ")
            last = Last()
            sys.last_of_all = Last()
            atexit.register(lambda: lock.__enter__())
            atexit.register(lock.acquire)
            """)
        self.assert_clean(ran)
        self.assertEqual(ran.out.count("last"), 2)

    def test_threads_that_python_did_not_start_and_calls_without_a_frame(self) -> None:
        ran = run_child("""
            import ctypes, threading
            pthread = ctypes.CDLL(None)
            pthread.pthread_create.argtypes = [ctypes.c_void_p] * 4
            pthread.pthread_join.argtypes = [ctypes.c_void_p] * 2
            Callback = ctypes.CFUNCTYPE(ctypes.c_void_p)
            frameless = threading.Lock()
            def run(function):
                callback, thread = Callback(function), ctypes.c_void_p()
                assert pthread.pthread_create(ctypes.byref(thread), None, ctypes.cast(callback, ctypes.c_void_p), None) == 0
                assert pthread.pthread_join(thread, None) == 0
            for _ in range(5):
                run(frameless.acquire)
                assert frameless.locked()
                run(frameless.release)
                assert not frameless.locked()
            def framed():
                with frameless:
                    pass
            run(framed)
            """)
        self.sane(ran)
        frameless = ran.rows.of(where=lambda row: row.frames[0][0] == "<no Python frame>")
        self.assertEqual((frameless.acquires, frameless.releases), (5, 5))
        self.assertEqual((ran.rows.acquires, ran.rows.releases), (6, 6))

    def test_pending_calls_are_left_to_others_while_the_main_thread_waits(self) -> None:
        self.sane(run_child("""
            import ctypes, threading
            @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
            def call(_):
                return 0
            def drain():
                for _ in range(310):  # the queue has room for 32 (300 from 3.13 on)
                    assert sneck.flush()
                refused.append(ctypes.pythonapi.Py_AddPendingCall(call, None))
            refused = []
            thread = threading.Thread(target=drain)
            thread.start()
            thread.join()
            assert refused == [0], refused
            """))

    def test_release_in_another_thread_many_times(self) -> None:
        ran = run_child("""
            import threading
            ping, pong, n = threading.Lock(), threading.Lock(), 20000
            pong.acquire()
            def player(mine, other):
                for _ in range(n):
                    mine.acquire()
                    other.release()
            sys.setswitchinterval(0.0001)
            a = threading.Thread(target=player, args=(ping, pong))
            b = threading.Thread(target=player, args=(pong, ping))
            a.start(); b.start(); a.join(); b.join()
            """, start="capture_pct=100, lock_budget_pct=0")
        self.sane(ran)

    def test_subinterpreters_with_and_without_a_gil_of_their_own(self) -> None:
        ran = run_child("""
            import threading
            try:
                import _interpreters as interpreters
            except ImportError:
                import _xxsubinterpreters as interpreters
            program = '''if True:
                import threading, time
                lock, rlock = threading.Lock(), threading.RLock()
                def use():
                    for _ in range(2000):
                        with lock:
                            with rlock, rlock:
                                pass
                        threading.Lock().acquire()
                threads = [threading.Thread(target=use) for _ in range(3)]
                for t in threads: t.start()
                for t in threads: t.join()
                '''
            main_lock = threading.Lock()
            def use_main():
                for _ in range(20000):
                    with main_lock:
                        pass
            def create(own_gil):
                if sys.version_info >= (3, 13):
                    return interpreters.create("isolated" if own_gil else "legacy")
                return interpreters.create(isolated=own_gil)
            def use_sub(own_gil):
                for _ in range(3):
                    sub = create(own_gil)
                    failure = interpreters.run_string(sub, program)
                    assert failure is None, failure
                    interpreters.destroy(sub)
            kinds = [True, True, False] if sys.version_info >= (3, 12) else [False]
            threads = [threading.Thread(target=use_main)]
            threads += [threading.Thread(target=use_sub, args=(own_gil,)) for own_gil in kinds]
            for t in threads: t.start()
            for t in threads: t.join()
            sneck.stop()
            for own_gil in kinds:
                use_sub(own_gil)
            """, start="capture_pct=100, lock_budget_pct=0")
        self.sane(ran)
        self.assertEqual(ran.rows.of("main_lock").acquires, 20_000)

    def interpreters_come_and_go(self, own_gil: bool, sampled: bool) -> int:
        """Bytes that each of the later ones leaves behind."""
        ran = run_child(f"""
            import os, threading
            try:
                import _interpreters as interpreters
            except ImportError:
                import _xxsubinterpreters as interpreters
            program = '''if True:
                import threading
                class Cache:
                    def __init__(self):
                        self.lock, self.me = threading.Lock(), self
                    def use(self):
                        with self.lock, threading.RLock():
                            pass
                    def __del__(self):  # in a cycle: the interpreter's end collects it
                        self.use()
                Cache().use()
                kept = Cache()
                '''
            def resident():
                with open("/proc/self/statm") as file:
                    return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            n = {1000 if os.environ.get("SNECK_LONG") else 120}
            for i in range(n):
                if i == n // 3:
                    before = resident()
                if sys.version_info >= (3, 13):
                    sub = interpreters.create("isolated" if {own_gil} else "legacy")
                else:
                    sub = interpreters.create(isolated={own_gil})
                failure = interpreters.run_string(sub, program)
                assert failure is None, failure
                interpreters.destroy(sub)
                if {sampled} and i % 20 == 0:
                    sneck.flush()
            grown = (resident() - before) // (n - n // 3)
            known = sneck.status()["collector"] if {sampled} else dict(functions=0, lock_table_bytes=0)
            print(known["functions"], known["lock_table_bytes"], grown)
            """, start="capture_pct=100, lock_budget_pct=0" if sampled else None)
        self.sane(ran)
        functions, table_bytes, grown = map(int, ran.out.split())
        self.assertLess(functions, 60)  # the main interpreter's own
        self.assertLess(table_bytes, 1 << 20)
        return grown

    def test_an_ended_interpreter_leaves_nothing_of_ours_behind(self) -> None:
        for own_gil in (False, True) if sys.version_info >= (3, 12) else (False,):
            with self.subTest(own_gil=own_gil):
                # some CPythons leave much behind by themselves, in whole arenas
                bare = self.interpreters_come_and_go(own_gil, False)
                grown = self.interpreters_come_and_go(own_gil, True)
                self.assertLess(grown - bare, (100 << 10) + bare // 10)

    def test_locks_taken_while_an_interpreter_ends(self) -> None:
        """Finalisers run when its modules are gone, when its sys is, and after the news of its end."""
        for keep in ("sys.last = Last()", "builtins.last = Last()", "last = Last(); last.me = None; sys.last = last",
                     "os.register_at_fork(before=Last().use)",
                     "last = Last(); last.me = None; os.register_at_fork(before=last.use)",
                     "last = Last(); last.me = None; codecs.register(lambda _, last=last: None)"):
            with self.subTest(keep=keep):
                ran = run_child(f"""
                    try:
                        import _interpreters as interpreters
                    except ImportError:
                        import _xxsubinterpreters as interpreters
                    program = '''if True:
                        import builtins, codecs, os, sys, threading
                        class Last:
                            def __init__(self):
                                self.lock, self.me = threading.Lock(), self
                            def use(self, Lock=threading.Lock, RLock=type(threading.RLock()), write=os.write):
                                with self.lock, RLock(), Lock():
                                    write(1, b"last ")
                            __del__ = use
                        with threading.Lock(), threading.RLock():
                            pass
                        {keep}
                        '''
                    for _ in range(3):
                        if sys.version_info >= (3, 13):
                            sub = interpreters.create("legacy")
                        else:
                            sub = interpreters.create(isolated=False)
                        failure = interpreters.run_string(sub, program)
                        assert failure is None, failure
                        interpreters.destroy(sub)
                    sneck.flush()
                    print(sneck.status()["collector"]["functions"])
                    """, start="capture_pct=100, lock_budget_pct=0")
                self.sane(ran)
                *lasts, functions = ran.out.split()
                self.assertEqual(set(lasts), {"last"})
                self.assertLess(int(functions), 3)  # the main interpreter's own

    def test_names_of_locks_where_an_ended_interpreter_had_its_code(self) -> None:
        ran = run_child("""
            import threading
            try:
                import _interpreters as interpreters
            except ImportError:
                import _xxsubinterpreters as interpreters
            program = '''if True:
                import threading
                lock_of_%d = threading.Lock()
                for _ in range(3):
                    with lock_of_%d:
                        pass
                '''
            for i in range(25):
                sub = interpreters.create()
                failure = interpreters.run_string(sub, program % (i, i))
                assert failure is None, failure
                interpreters.destroy(sub)
                exec(compile("lock_here_%d = threading.Lock()\\nwith lock_here_%d: pass" % (i, i), "made.py", "exec"))
            """, start="capture_pct=100, lock_budget_pct=0")
        self.sane(ran)
        self.assertEqual([ran.rows.of(f"lock_of_{i}").acquires for i in range(25)], [3] * 25)
        self.assertEqual([ran.rows.of(f"lock_here_{i}").acquires for i in range(25)], [1] * 25)

    def test_locks_of_dead_threads_and_dead_interpreters_leave_nothing_behind(self) -> None:
        self.sane(run_child("""
            import threading
            for _ in range(300):
                def leave():
                    lock = threading.Lock()
                    lock.acquire()
                    kept.append(lock)
                kept = []
                thread = threading.Thread(target=leave)
                thread.start(); thread.join()
                kept.pop().release()
            """))


if __name__ == "__main__":
    unittest.main()
