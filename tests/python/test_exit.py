"""However a program ends: its status, its last profile, its silence."""

import re
import signal
import time
import unittest

from support import CAUGHT, SANITIZED, Case, Ran, run_child

USE = """
import os, threading, time
used = threading.Lock()
def use():
    for _ in range(10):
        with used:
            pass
use()
"""
# In short sleeps: a signal that comes right before one is answered only after it, by Python itself.
READY = "print('ready', flush=True)\nfor _ in range(600):\n    time.sleep(0.1)\n"


class Exit(Case):
    def complete(self, ran: Ran, status: int) -> None:
        """That status, one file with all ten holds, no torn or temporary file."""
        self.assertEqual(ran.status, status, ran.err)
        self.assertEqual(ran.files, [f"p.{ran.pid}.1.pprof"])
        rows = ran.rows.of("used")
        self.assertEqual((rows.acquires, rows.releases), (10, 10))

    def same_as_bare(self, code: str, **how) -> Ran:
        """Run with and without the profiler: the same status and the same words."""
        ran, bare = run_child(USE + code, **how), run_child(USE + code, start=None, **how)
        self.assertEqual(ran.status, bare.status)
        self.assertEqual(ran.out, bare.out)
        self.assertEqual(self.untraced(ran.err), self.untraced(bare.err))
        self.complete(ran, bare.status)
        return ran

    @staticmethod
    def untraced(text: str) -> str:
        """Without what differs between two runs of one program: its path and line numbers."""
        return re.sub(r'File "[^"]*", line \d+', "File", text)

    def test_by_return(self) -> None:
        self.assert_clean(self.same_as_bare("print('done')"))

    def test_by_sys_exit(self) -> None:
        self.assert_clean(self.same_as_bare("sys.exit(3)"), 3)
        self.assertEqual(self.same_as_bare("sys.exit('sorry')").err, "sorry\n")

    def test_by_sys_exit_in_a_finally_and_from_atexit(self) -> None:
        self.same_as_bare("try:\n    1/0\nfinally:\n    sys.exit(4)")
        self.same_as_bare("import atexit; atexit.register(print, 'bye')")

    def test_by_an_uncaught_exception(self) -> None:
        ran = self.same_as_bare("raise ValueError('as it was')")
        self.assertEqual(ran.status, 1)
        self.assertTrue(ran.err.endswith("ValueError: as it was\n"))

    def test_by_sigint(self) -> None:
        ran = run_child(USE + READY, kill=signal.SIGINT)
        self.complete(ran, -signal.SIGINT)
        self.assertTrue(ran.err.endswith("KeyboardInterrupt\n"), ran.err)

    def test_by_sigterm_with_the_default_handler(self) -> None:
        ran = run_child(USE + READY, kill=signal.SIGTERM)
        self.complete(ran, -signal.SIGTERM)
        self.assertEqual(ran.err, "")

    def test_by_sigterm_while_the_main_thread_is_in_c_or_in_a_loop(self) -> None:
        for busy in ("used.acquire(); used.acquire()", "while True: pass",
                     "import subprocess; subprocess.run(['sleep', '1.5'])"):
            with self.subTest(busy=busy):
                began = time.monotonic()
                ran = run_child(USE + "print('ready', flush=True)\n" + busy, kill=signal.SIGTERM)
                self.assertEqual((ran.status, ran.err), (-signal.SIGTERM, ""))
                self.assertEqual(ran.rows.of("used").releases, 10)
                self.assertLess(time.monotonic() - began, 20)

    def test_by_sigterm_with_a_handler_of_the_program(self) -> None:
        handler = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        ran = run_child(USE + handler + READY, kill=signal.SIGTERM)
        self.complete(ran, 7)
        self.assertEqual(ran.err, "")

    def test_a_program_that_ignores_sigterm_lives_on(self) -> None:
        code = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', flush=True)\n" \
               "time.sleep(0.3)\nprint('alive')"
        ran = run_child(USE + code, kill=signal.SIGTERM)
        self.complete(ran, 0)
        self.assertIn("alive", ran.out)

    def test_the_program_sees_the_handlers_it_would_see_without_us(self) -> None:
        self.same_as_bare("""
import signal
print(signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT).__name__)
print(signal.signal(signal.SIGTERM, signal.SIG_DFL))
""")

    def test_by_sigkill_no_file_is_torn(self) -> None:
        """Killed amid one file after the other: each that is there is whole; one being written has another name."""
        ran = run_child(USE + """
import glob
while not glob.glob(output + ".*.pprof"):
    use()
print("ready", flush=True)
while True:
    use()
""", kill=signal.SIGKILL, start="capture_pct=100, upload_interval=0.01")
        self.assertEqual(ran.status, -signal.SIGKILL)
        self.assertTrue(ran.files)
        for name in ran.files:
            self.assertRegex(name, rf"^p\.{ran.pid}\.\d+\.pprof$")
        self.assertGreater(ran.rows.of("used").acquires, 0)

    def test_by_os_exit(self) -> None:
        ran = run_child(USE + "os._exit(5)")
        self.assert_clean(ran, 5)

    def test_by_exit_of_c_without_an_end_of_pythons(self) -> None:
        for library in ("CDLL", "PyDLL"):
            with self.subTest(library=library):
                ran = run_child(USE + f"import ctypes\nctypes.{library}(None).exit(6)")
                self.complete(ran, 6)
                self.assertEqual(ran.err, "")

    def test_with_daemon_threads_that_go_on_using_locks(self) -> None:
        ran = run_child("""
            import threading, time
            lock = threading.Lock()
            def forever():
                while True:
                    with lock:
                        pass
            for _ in range(4):
                threading.Thread(target=forever, daemon=True).start()
            time.sleep(0.2)
            """)
        self.assert_clean(ran)
        self.assertEqual(len(ran.files), 1)

    def test_with_stop_before_nothing_is_written_at_exit(self) -> None:
        ran = run_child(USE + "sneck.stop()\nuse()\n")
        self.complete(ran, 0)
        self.assertEqual(ran.err, "")

    def test_an_empty_profile_writes_no_file(self) -> None:
        ran = run_child("pass")
        self.assert_clean(ran)
        self.assertEqual(ran.files, [])


class Quiet(Case):
    def test_nothing_on_stderr_at_start_stop_and_exit(self) -> None:
        self.assert_clean(run_child(USE + "sneck.stop()\nsneck.start(output=output)\nsneck.flush()\nsneck.stop()\n"))

    @unittest.skipIf(SANITIZED, "the sanitizer handles SIGSEGV itself")
    def test_faulthandler_and_the_programs_own_sigsegv_are_untouched(self) -> None:
        """Of all signals, by the kernel's account: getsignal() knows of no handler in C."""
        for own in ("", "import faulthandler\nfaulthandler.enable()\n"):
            with self.subTest(own=own):
                ran = run_child(CAUGHT + own + """
import sneck
before = caught()
sneck.start(output=output, capture_pct=100)
during = caught()
sneck.stop()
print(len(before), sorted(during ^ before), sorted(caught() ^ before))
""", start=None)
                self.assert_clean(ran)
                handlers, others = ran.out.split(" ", 1)
                self.assertGreaterEqual(int(handlers), 5 if own else 0)
                self.assertEqual(others, f"[{int(signal.SIGTERM)}] []\n")

    @unittest.skipIf(SANITIZED, "the sanitizer handles SIGSEGV itself")
    def test_a_crash_of_the_program_stays_its_crash(self) -> None:
        enable = "import faulthandler\nfaulthandler.enable()\n"
        start = "import sneck\nsneck.start(output=output, capture_pct=100)\n"
        crash = USE + "import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nfaulthandler._sigsegv()"
        for code in (enable + start + crash, start + enable + crash):
            with self.subTest(first=code.split("\n")[0]):
                ran = run_child(code, start=None)
                self.assertEqual(ran.status, -signal.SIGSEGV)
                self.assertIn("Fatal Python error: Segmentation fault", ran.err)
                self.assertRegex(ran.err, r'File ".*program\.py", line \d+ in <module>')

    def test_a_file_that_cannot_be_written_is_one_line_and_the_same_status(self) -> None:
        code = "import sneck\nsneck.start(capture_pct=100, output='/proc/no/such/p')\n" + USE + "sys.exit(3)"
        ran = run_child(code, start=None)
        self.assertEqual(ran.status, 3)
        self.assertEqual(len(ran.err.splitlines()), 1, ran.err)


class Files(Case):
    def test_files_come_at_the_interval_and_none_after_stop(self) -> None:
        ran = run_child("""
            import glob, threading, time
            lock, done = threading.Lock(), False
            def use():
                while not done:
                    with lock:
                        time.sleep(0.001)
            thread = threading.Thread(target=use)
            thread.start()
            time.sleep(1.1)
            sneck.stop()
            before = sorted(glob.glob(output + "*"))
            time.sleep(0.6)
            done = True
            thread.join()
            assert sorted(glob.glob(output + "*")) == before, "a file after stop()"
            """, start="capture_pct=100, upload_interval=0.25")
        self.assert_clean(ran)
        self.assertIn(len(ran.files), range(3, 7))
        numbers = sorted(int(re.fullmatch(rf"p\.{ran.pid}\.(\d+)\.pprof", name)[1]) for name in ran.files)
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))


if __name__ == "__main__":
    unittest.main()
