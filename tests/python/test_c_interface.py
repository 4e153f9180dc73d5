"""The C interface of sneck.h, from extensions built as a user builds them: as C and as C++."""

import ctypes
import importlib.util
import os
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from support import SANITIZED, Case, profiled, run_child  # noqa: E402

import sneck  # noqa: E402

BUILD = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(sneck.__file__))))
FOLDER = os.path.join(BUILD, "examples", "c_extension")
OK, STOPPED, LIMIT, INVALID, NO_GIL = 0, -1, -3, -4, -5


def load(language, name):
    path = os.path.join(FOLDER, language, name + ".abi3.so")
    if not os.path.exists(path):
        raise unittest.SkipTest(f"not built: {name} as {language} (make check-extensions)")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def named(rows, name):
    return [row for row in rows if row.labels.get("lock name") == name]


def count(rows):
    return sum(row.values["lock-acquire"] for row in rows)


def native(rows):
    return [row for row in rows if row.labels.get("lock name", "").startswith("native:")]


class WithProbe(Case):
    language = "c"

    def setUp(self):
        self.probe = load(self.language, "probe")
        self.acquire = self.probe.sample_type("lock-acquire")

    def sample(self, name, frames=(("f", "f.c", 1),)):
        sample = self.probe.start()
        for frame in frames:
            self.assertEqual(self.probe.frame(sample, *frame), OK)
        self.assertEqual(self.probe.label(sample, "lock name", name), OK)
        self.assertEqual(self.probe.value(sample, self.acquire, 1), OK)
        return sample

    def test_versions(self):
        header, served, size = self.probe.versions()
        self.assertEqual((header, served), (1, 1))
        self.assertEqual(size, 8 + 9 * ctypes.sizeof(ctypes.c_void_p))

    def test_sample_types_are_found_by_name(self):
        from sneck import _sneck
        for number, (name, _, _) in enumerate(_sneck.sample_types()):
            self.assertEqual(self.probe.sample_type(name), number)
        self.assertEqual(self.probe.sample_type("no-such-type"), INVALID)
        self.assertEqual(self.probe.sample_type(None), INVALID)

    def test_what_is_pushed_is_in_the_file(self):
        frames = [("wait", "pool.c", 12), ("Grüße", "é.c", 7), ("main", None, 0)]
        with profiled() as seen:
            self.assertEqual(self.probe.is_running(), 1)
            for _ in range(3):
                sample = self.sample("pool.c:1:pool", frames)
                self.assertEqual(self.probe.label(sample, "lock kind", "db.Pool"), OK)
                self.assertEqual(self.probe.value(sample, self.probe.sample_type("lock-acquire-wait"), 2.5e6), OK)
                self.assertEqual(self.probe.flush(sample), OK)
            self.assertGreaterEqual(sneck.status()["stats"]["samples_pushed"], 3)
        row, = named(seen.rows, "pool.c:1:pool")
        self.assertEqual([tuple(frame) for frame in row.frames],
                         [("wait", "pool.c", 12), ("Grüße", "é.c", 7), ("main", "", 0)])
        self.assertEqual((row.values["lock-acquire"], row.values["lock-acquire-wait"]), (3, 7_500_000))
        self.assertEqual(row.labels["lock kind"], "db.Pool")
        self.assertEqual(row.labels["thread id"], threading.get_ident())
        self.assertIn("thread name", row.labels)

    def test_python_stack_is_the_running_one(self):
        def outer():
            return inner()

        def inner():
            sample = self.sample("stack", frames=[("in C", "x.c", 5)])
            self.assertEqual(self.probe.stack(sample), OK)
            return sample
        with profiled(max_frames=4) as seen:
            sample = outer()
            self.assertEqual(self.probe.flush(sample), OK)
        row, = named(seen.rows, "stack")
        names = [frame[0].rpartition(".")[2] for frame in row.frames]
        self.assertEqual(names[:4], ["in C", "inner", "outer", "test_python_stack_is_the_running_one"])
        self.assertRegex(names[4], r"^<\d+ frames omitted>$")
        self.assertEqual(row.labels["thread name"], "MainThread")

    def test_python_stack_outlives_its_code(self):
        with profiled() as seen:
            space = {"probe": self.probe, "sample": self.sample("gone", frames=())}
            exec(compile("def short_lived():\n    return probe.stack(sample)\nr = short_lived()", "gone.py", "exec"), space)
            self.assertEqual(space["r"], OK)
            sample = space["sample"]
            space.clear()
            for _ in range(4):
                sneck.flush()
                time.sleep(0.02)
            self.assertEqual(self.probe.flush(sample), OK)
        row, = named(seen.rows, "gone")
        self.assertEqual([row.frames[0][1], row.frames[0][2]], ["gone.py", 2])

    def test_python_stack_needs_the_gil(self):
        with profiled():
            sample = self.sample("no gil")
            self.assertEqual(self.probe.stack_without_gil(sample), NO_GIL)
            self.probe.drop(sample)

    @unittest.skipIf(sys.version_info < (3, 12), "without the thread state's place it cannot be told")
    def test_python_stack_needs_the_gil_where_there_was_a_subinterpreter(self):
        """PyGILState_Check() says yes to all from then on."""
        ran = run_child(f"""
            import importlib.util
            try:
                import _interpreters as interpreters
            except ImportError:
                import _xxsubinterpreters as interpreters
            interpreters.destroy(interpreters.create())
            spec = importlib.util.spec_from_file_location("probe", {self.probe.__file__!r})
            probe = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(probe)
            sample = probe.start()
            print(probe.stack_without_gil(sample), probe.stack(sample))
            probe.drop(sample)
            """)
        self.assert_clean(ran)
        self.assertEqual(ran.out.split(), [str(NO_GIL), str(OK)])

    def test_errors_leave_the_sample_as_it_was(self):
        with profiled() as seen:
            sample = self.sample("errors")
            self.assertEqual(self.probe.frame(sample, None, "f.c", 1), INVALID)
            for key in ("thread id", "thread name", "re-entry", "mine", None):
                self.assertEqual(self.probe.label(sample, key, "x"), INVALID)
            for value in (-1, float("nan"), float("inf")):
                self.assertEqual(self.probe.value(sample, self.acquire, value), INVALID)
            self.assertEqual(self.probe.value(sample, 1000, 1), INVALID)
            self.assertEqual(self.probe.flush(sample), OK)
            self.assertEqual(self.probe.flush(self.probe.start()), INVALID)  # no value
            self.probe.drop(self.probe.start())
            self.probe.drop(0)
        self.assertEqual(count(named(seen.rows, "errors")), 1)

    def test_stopped_it_does_nothing(self):
        with profiled():
            left = self.sample("left over")
        self.assertEqual(self.probe.is_running(), 0)
        self.assertEqual(self.probe.start(), 0)
        for sample in (0, left):
            self.assertEqual(self.probe.frame(sample, "f", "f.c", 1), STOPPED)
            self.assertEqual(self.probe.label(sample, "lock name", "x"), STOPPED)
            self.assertEqual(self.probe.value(sample, self.acquire, 1), STOPPED)
            self.assertEqual(self.probe.stack(sample), STOPPED)
            self.assertEqual(self.probe.flush(sample), STOPPED)
        with profiled() as seen:
            pass
        self.assertEqual(named(seen.rows, "left over"), [])

    def test_threads_without_the_gil(self):
        with profiled() as seen:
            ok, lost, stopped = self.probe.storm(8, 5000)
            self.assertEqual(stopped, 0)
        pushed = native(seen.rows)
        self.assertEqual(ok + lost, 40_000)
        self.assertEqual(count(pushed), ok)
        self.assertLess(lost, 400)  # a drain came by three times in one flush
        self.assertEqual(len({row.labels["thread id"] for row in pushed}), 8)
        self.assertEqual({len(row.frames) for row in pushed}, {2})

    def test_starts_stops_and_flushes_under_a_storm(self):
        totals = []
        storm = threading.Thread(target=lambda: totals.append(self.probe.storm(4, 100_000)))
        storm.start()
        seen, rounds = 0, 0
        while storm.is_alive() or not rounds:
            with profiled() as recording:
                sneck.flush()
            seen += count(native(recording.rows))
            rounds += 1
        storm.join()
        with profiled() as recording:  # what a flush put away while stop() ran
            pass
        seen += count(native(recording.rows))
        ok, lost, stopped = totals[0]
        self.assertEqual(ok + lost + stopped, 400_000)
        self.assertLessEqual(seen, ok)

    def test_fork_from_c(self):
        with profiled() as seen:
            sample = self.sample("forked")
            child = self.probe.start()
            self.assertEqual(self.probe.frame(child, "f", "f.c", 1), OK)
            self.assertEqual(self.probe.fork_and_flush(child), 0)
            self.assertEqual(self.probe.fork_and_flush(sample), 0)
            self.probe.drop(child)
            self.assertEqual(self.probe.flush(sample), OK)
        self.assertEqual(count(named(seen.rows, "forked")), 1)

    def test_a_pushed_sample_brings_the_uploader_back_in_a_child(self):
        ran = run_child(f"""
            import importlib.util, os
            spec = importlib.util.spec_from_file_location("probe", {self.probe.__file__!r})
            probe = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(probe)
            child = os.fork()
            if child == 0:
                assert sneck.status()["upload"]["state"] == "not yet running in this child"
                sample = probe.start()
                probe.frame(sample, "f", "f.c", 1)
                probe.label(sample, "lock name", "pushed")
                probe.value(sample, {self.acquire}, 1)
                assert probe.flush(sample) == 0
                assert sneck.status()["upload"]["state"] == "running"
                os._exit(0 if sneck.flush() else 1)
            assert os.waitpid(child, 0)[1] == 0
            """)
        self.assert_clean(ran)
        self.assertEqual(count(named(ran.rows, "pushed")), 1)

    @unittest.skipIf(SANITIZED, "its allocator stays locked in a child forked while threads allocate (gcc 12)")
    def test_fork_in_a_storm(self):
        with profiled():
            storm = threading.Thread(target=self.probe.storm, args=(4, 20_000))
            storm.start()
            for _ in range(30):
                sample = self.sample("x")
                self.assertEqual(self.probe.fork_and_flush(sample), 0)
                self.probe.drop(sample)
            storm.join()


class ProbeInCxx(WithProbe):
    language = "cxx"


class Capsule(Case):
    def test_capsule_is_imported_before_anything_else_is(self):
        self.assert_clean(run_child("""
            import ctypes
            get = ctypes.pythonapi.PyCapsule_Import
            get.restype, get.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_int]
            assert get(b"sneck._sneck._C_API", 0)
            """, start=None))

    def test_every_interpreter_of_a_process_has_the_same_table(self):
        self.assert_clean(run_child("""
            try:
                import _interpreters as interpreters
            except ImportError:
                try:
                    import _xxsubinterpreters as interpreters
                except ImportError:
                    sys.exit()
            import ctypes
            code = f'''if True:
                import sys
                sys.path[:] = {sys.path!r}
                from sneck import _sneck
                assert "sneck._sneck._C_API" in repr(_sneck._C_API)
                '''
            sub = interpreters.create()
            assert interpreters.run_string(sub, code) is None
            interpreters.destroy(sub)
            """, start=None))


class Example(Case):
    def use(self, turnstile):
        def hold():
            turnstile.enter()
            entered.set()
            time.sleep(0.2)
            turnstile.leave()
        entered = threading.Event()
        holder = threading.Thread(target=hold)
        holder.start()
        entered.wait()

        def wait_for_it():
            began = time.monotonic()
            turnstile.enter()
            turnstile.leave()
            return 1e9 * (time.monotonic() - began)
        waited_ns = wait_for_it()
        holder.join()
        return waited_ns

    def test_waits_of_the_example_are_in_the_profile(self):
        for language in ("c", "cxx"):
            with self.subTest(language):
                turnstile = load(language, "turnstile")
                with profiled() as seen:
                    waited_ns = self.use(turnstile)
                rows = [row for row in seen.rows if row.labels.get("lock kind") == "turnstile"]
                self.assertEqual(count(rows), 2)
                waiter, = [row for row in rows if row.frames[0][0].endswith("wait_for_it")]
                self.assert_close(waiter.values["lock-acquire-wait"], waited_ns, 0.1)
                self.assertEqual(waiter.labels["lock name"], "turnstile.c:27:place")

    def test_example_works_without_the_profiler(self):
        turnstile = load("c", "turnstile")
        self.assertGreater(self.use(turnstile), 0)

    def test_example_works_without_sneck(self):
        path = os.path.join(FOLDER, "c")
        if not os.path.exists(os.path.join(path, "turnstile.abi3.so")):
            self.skipTest("not built: turnstile (make check-extensions)")
        self.assert_clean(run_child(f"""
            sys.path[:] = [p for p in sys.path if not p.endswith("stage")] + [{path!r}]
            import turnstile
            turnstile.enter()
            turnstile.leave()
            assert "sneck" not in sys.modules
            """, start=None))


if __name__ == "__main__":
    unittest.main()
