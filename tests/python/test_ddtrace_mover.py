"""What one who moves over from ddtrace relies on: names, leaves, labels, counts, files, forks."""

import _thread
import asyncio
import ctypes
import functools
import logging
import logging.handlers
import os
import queue
import re
import sys
import tempfile
import threading
import time
import unittest
from typing import Any, Callable, Iterator

from support import Case, Row, profiled, run_child

FILE = os.path.basename(__file__)


def line_of(text: str) -> int:
    """The line of this file that says so in a comment."""
    with open(__file__, encoding="utf-8") as file:
        return next(number for number, line in enumerate(file, 1) if line.rstrip().endswith("# " + text))


class Owner:
    def __init__(self) -> None:
        self.plain = threading.Lock()  # line: plain
        self.__secret = threading.RLock()  # line: secret

    def use(self) -> None:
        with self.plain:  # line: with
            pass
        self.__secret.acquire()  # line: acquire
        self.__secret.release()  # line: release


class Names(Case):
    def test_the_name_has_file_creation_line_and_variable(self) -> None:
        with profiled() as seen:
            Owner().use()
        names = {row.labels["lock name"] for row in seen.rows}
        self.assertIn(f"{FILE}:{line_of('line: plain')}:plain", names)
        self.assertTrue(names & {f"{FILE}:{line_of('line: secret')}:_Owner__secret"}, names)

    def test_an_anonymous_lock_has_file_and_line_alone(self) -> None:
        with profiled() as seen:
            threading.Lock().acquire()  # line: anonymous
        self.assertEqual({row.labels["lock name"] for row in seen.rows}, {f"{FILE}:{line_of('line: anonymous')}"})

    def test_every_acquire_has_a_name_and_a_kind(self) -> None:
        with profiled() as seen:
            Owner().use()
            with threading.Semaphore(2), threading.Condition():
                threading.Event().set()
        for row in seen.rows:
            if row.values["lock-acquire"]:
                self.assertRegex(row.labels.get("lock name", ""), r"^[^/:]+:\d+(:.+)?$")
                self.assertTrue(row.labels.get("lock kind"), row)


class Leaves(Case):
    def leaf(self, row: Row) -> tuple[str, str, int]:
        return row.frames[0]

    def test_the_leaf_is_the_users_frame_at_its_line(self) -> None:
        owner = Owner()
        with profiled() as seen:
            owner.use()
        name = "Owner.use" if sys.version_info >= (3, 11) else "use"
        wanted = {("plain", "lock-acquire", "with"), ("plain", "lock-release", "with"),
                  ("_Owner__secret", "lock-acquire", "acquire"), ("_Owner__secret", "lock-release", "release")}
        for lock, sample_type, where in wanted:
            rows = seen.rows.of(lock, where=lambda row: row.values[sample_type] > 0)
            self.assertEqual({self.leaf(row) for row in rows}, {(name, __file__, line_of("line: " + where))}, lock)

    def test_never_a_frame_of_the_standard_library_as_leaf(self) -> None:
        with profiled() as seen:
            semaphore, condition, event = threading.Semaphore(), threading.Condition(), threading.Event()
            with semaphore, condition:
                condition.notify_all()
                event.set()
                event.wait()
            thread = threading.Thread(target=Owner().use)
            thread.start()
            thread.join()
        self.assertEqual({self.leaf(row)[1] for row in seen.rows}, {__file__})

    def test_with_over_several_lines(self) -> None:
        lock = threading.Lock()
        with profiled() as seen:
            with lock:  # line: long with
                value = 1
                value += 1
        self.assertEqual({self.leaf(row)[2] for row in seen.rows.of("lock")}, {line_of("line: long with")})


def deep(n: int, buried) -> None:
    if n:
        return deep(n - 1, buried)
    with buried:
        pass


class Excluded(Case):
    def test_locks_of_excluded_modules_and_their_submodules_are_left_out(self) -> None:
        for excluded, wanted in (("", 2), ("__main__", 0), ("json, __main__", 0), ("__main", 2), ("__main__.sub", 2)):
            early = threading.Lock()
            with profiled(lock_exclude_modules=excluded) as seen:
                mine = threading.Lock()
                with mine, early:
                    pass
            self.assertEqual((seen.rows.acquires, seen.rows.releases), (wanted, wanted), excluded)

    def test_a_file_like_one_of_an_excluded_package(self) -> None:
        """Its locks have the same names.  Also where they were met in an earlier start that excluded none."""
        for order in "ab", "ba":
            for starts in ("a",), ("", "a"):
                with self.subTest(order=order, starts=starts), tempfile.TemporaryDirectory() as folder:
                    for package in order:
                        os.mkdir(os.path.join(folder, package))
                        with open(os.path.join(folder, package, "locks.py"), "w", encoding="utf-8") as file:
                            file.write("import threading\ndef use():\n lock = threading.Lock()\n with lock: pass\n")
                    ran = run_child(f"""
                        import importlib, sneck
                        sys.path.insert(0, {folder!r})
                        for excluded in {starts}:
                            sneck.start(output=output, capture_pct=100, lock_exclude_modules=excluded)
                            for package in {order!r}:
                                importlib.import_module(package + ".locks").use()
                            sneck.stop()
                        """, start=None)
                    self.assert_clean(ran)
                    acquires = {package: ran.rows.of("lock", where=lambda row: row.frames[0][1].endswith(
                        f"/{package}/locks.py")).acquires for package in order}
                    self.assertEqual(acquires, {"a": len(starts) - 1, "b": len(starts)})


class Depth(Case):
    def test_a_deep_stack_keeps_its_leaf_end_and_says_what_was_left_out(self) -> None:
        for frames in (1, 5, 64, 599):
            old = sys.getrecursionlimit()
            sys.setrecursionlimit(3_000)
            try:
                with profiled(max_frames=frames) as seen:
                    buried = threading.Lock()
                    deep(1_000, buried)
                    depth = len(list(iter_stack())) + 1_001
            finally:
                sys.setrecursionlimit(old)
            rows = seen.rows.of("buried")
            self.assertEqual((rows.acquires, rows.releases), (1, 1))
            for row in rows:
                self.assertEqual([name for name, _, _ in row.frames[:-1]], ["deep"] * frames)
                self.assertEqual(row.frames[-1][0], f"<{depth - frames} frames omitted>")

    def test_frames_of_the_library_are_not_counted(self) -> None:
        for frames in (1, 5, 64):
            for kinds, leaf, subject in subjects():
                with self.subTest(kinds=kinds, frames=frames):
                    with profiled(max_frames=frames) as seen:
                        for _ in range(10):
                            call_deep(100, leaf, subject)
                        depth = len(list(iter_stack())) + 102
                    self.assertEqual({row.labels["lock kind"] for row in seen.rows}, kinds)
                    for kind in kinds:
                        rows = seen.rows.of(lock_kind=kind)
                        self.assertEqual((rows.acquires, rows.releases), (10, 10), kind)
                    for row in seen.rows:
                        names = [name for name, _, _ in row.frames]
                        self.assertEqual(names[:-1], [leaf.__name__] + ["call_deep"] * (frames - 1))
                        self.assertEqual(names[-1], f"<{depth - frames} frames omitted>")


def call_deep(n: int, leaf: Callable[[Any], None], subject: Any) -> None:
    if n:
        return call_deep(n - 1, leaf, subject)
    leaf(subject)


def hold(lock: Any) -> None:
    with lock:
        pass


def call(function: Callable[[], None]) -> None:
    function()


class Mute(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        pass


def logger_with(handler: logging.Handler) -> logging.Logger:
    logger = logging.Logger("of its own")
    logger.addHandler(handler)
    return logger


def subjects() -> Iterator[tuple[set[str], Callable[[Any], None], Any]]:
    """Kinds of the locks that a function takes and gives once each, when it has the third for its argument."""
    yield {"threading.Semaphore"}, hold, threading.Semaphore(1)
    yield {"threading.RLock"}, hold, threading.Condition()
    yield set(), call, threading.Event().set
    yield {"queue.Queue"}, call, functools.partial(queue.Queue().put, 1)
    yield {"logging.Handler"}, call, functools.partial(logger_with(Mute()).error, "unheard")
    # the longest way, twelve frames
    adapter = logging.LoggerAdapter(logger_with(logging.handlers.QueueHandler(queue.Queue())), {})
    yield {"logging.Handler", "queue.Queue"}, call, functools.partial(adapter.exception, "unheard")


def iter_stack():
    frame = sys._getframe(1)
    while frame:
        yield frame
        frame = frame.f_back


class Numbers(Case):
    def test_acquire_counts_successes_only_and_failures_apart(self) -> None:
        tried = threading.Lock()
        with profiled() as seen:
            tried.acquire()
            tried.acquire(False)
            tried.acquire(timeout=0.02)
            tried.release()
        rows = seen.rows.of("tried")
        self.assertEqual((rows.acquires, rows.failed, rows.releases), (1, 2, 1))
        self.assertGreater(rows.of(outcome="timeout").wait_ns, 15_000_000)

    def test_one_semaphore_is_one_acquire_and_one_release(self) -> None:
        for kind in (threading.Semaphore, threading.BoundedSemaphore):
            with self.subTest(kind=kind.__name__):
                semaphore = kind(1)
                with profiled() as seen:
                    semaphore.acquire()
                    semaphore.release()
                self.assertEqual((seen.rows.acquires, seen.rows.releases), (1, 1), seen.rows)

    def test_threads_and_our_own_work_add_nothing(self) -> None:
        with profiled(upload_interval=0.05) as seen:
            threads = [threading.Thread(target=time.sleep, args=(0.2,)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(seen.rows, [])


class Labels(Case):
    def test_thread_labels(self) -> None:
        truth = {}

        def use() -> None:
            truth["id"], truth["native"] = threading.get_ident(), threading.get_native_id()
            with labelled:
                pass

        labelled = threading.Lock()
        with profiled() as seen:
            thread = threading.Thread(target=use, name="n\u00e4m\u00e9 \u2603")
            thread.start()
            thread.join()
        for row in seen.rows.of("labelled"):
            self.assertEqual(row.labels["thread id"], truth["id"])
            self.assertEqual(row.labels["thread native id"], truth["native"])
            self.assertEqual(row.labels["thread name"], "n\u00e4m\u00e9 \u2603")
        self.assertEqual(len({row.labels["thread id"] for row in seen.rows.of("labelled")}), 1)

    def test_a_thread_that_threading_does_not_know(self) -> None:
        idents: list[int] = []
        gate = _thread.allocate_lock()
        gate.acquire()

        def use() -> None:
            with unknown:
                idents.append(_thread.get_ident())
            gate.release()

        unknown = _thread.allocate_lock()
        with profiled() as seen:
            _thread.start_new_thread(use, ())
            gate.acquire()
        rows = seen.rows.of("unknown")
        self.assertEqual({row.labels["thread id"] for row in rows}, set(idents))
        self.assertEqual(len(threading.enumerate()), 1, "naming a thread must not make a _DummyThread of it")

    def test_a_long_name_is_cut_between_characters(self) -> None:
        def use() -> None:
            with used:
                pass

        used = threading.Lock()
        with profiled() as seen:
            for name in ("n" * 255, "n" * 256, "x" + "\u2603" * 100):
                thread = threading.Thread(target=use, name=name)
                thread.start()
                thread.join()
        self.assertEqual({row.labels["thread name"] for row in seen.rows.of("used")}, {"n" * 255, "x" + "\u2603" * 84})

    def test_the_kernels_name_where_threading_has_none(self) -> None:
        """As threads have that C libraries start; or a number, where the kernel has the process's alone."""
        PR_SET_NAME = 15
        prctl = ctypes.CDLL(None).prctl
        natives: list[int] = []

        def use(name: bytes) -> None:
            if name:
                prctl(PR_SET_NAME, name, 0, 0, 0)
            with unknown:
                natives.append(_thread.get_native_id())
            gate.release()

        gate, unknown = _thread.allocate_lock(), _thread.allocate_lock()
        gate.acquire()
        with profiled() as seen:
            for name in b"", b"poller-7", b"longer-than-fifteen":
                _thread.start_new_thread(use, (name,))
                gate.acquire()
        self.assertEqual({row.labels["thread name"] for row in seen.rows.of("unknown")},
                         {f"thread {natives[0]}", "poller-7", "longer-than-fif"})

    def test_kinds(self) -> None:
        a, b = threading.Lock(), threading.RLock()
        with profiled() as seen:
            with a, b:
                pass
        self.assertEqual({row.labels["lock kind"] for row in seen.rows.of("a")}, {"threading.Lock"})
        self.assertEqual({row.labels["lock kind"] for row in seen.rows.of("b")}, {"threading.RLock"})


class Fork(Case):
    def test_a_lock_held_across_a_fork(self) -> None:
        ran = run_child("""
            import os, threading
            across = threading.Lock()
            across.acquire()
            child = os.fork()
            if child == 0:
                across.release()
                own = threading.Lock()
                with own:
                    pass
                sys.exit(0)
            across.release()
            assert os.waitpid(child, 0)[1] == 0
            print(child)
            """)
        self.assertEqual(ran.status, 0, ran.err)
        child = int(ran.out)
        self.assertEqual(sorted(int(re.fullmatch(r"p\.(\d+)\.\d+\.pprof", name)[1]) for name in ran.files),
                         sorted([ran.pid, child]))
        rows = ran.rows.of("across")
        self.assertEqual(rows.acquires, 1, "the acquire is reported once, by the parent")
        self.assertEqual((ran.rows.of("own").acquires, ran.rows.of("own").releases), (1, 1))
        self.assertIn(rows.releases, (1, 2))


class Asyncio(Case):
    def test_asyncio_locks_go_on_working(self) -> None:
        async def use() -> int:
            lock, n = asyncio.Lock(), 0
            async with lock:
                n += 1
            return n

        with profiled():
            self.assertEqual(asyncio.run(use()), 1)


if __name__ == "__main__":
    unittest.main()
