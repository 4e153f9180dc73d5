"""What Python code does with signals while we wait for SIGTERM: as without us, and no profile is lost."""

import signal
import unittest

from support import CAUGHT, Case, Ran, run_child

USE = """
import os, signal, threading, time
used = threading.Lock()
for _ in range(10):
    with used:
        pass
def own(*_):
    print("own handler")
"""
BACK = "signal.signal(signal.SIGTERM, own)\nsignal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
ENDS = ("signal.raise_signal(signal.SIGTERM)", "os.kill(os.getpid(), signal.SIGTERM)",
        "signal.pthread_kill(threading.get_ident(), signal.SIGTERM)",
        "os.setsid(); os.killpg(os.getpgrp(), signal.SIGTERM)", "os.setsid(); os.kill(0, signal.SIGTERM)")


DURING_START = '''
import signal, sneck, sys
start, calls = sneck.start, []
def handler(_, frame):
    calls.append(frame.f_code.co_filename)
    {action}
signal.signal(signal.SIGALRM, handler)
try:
    signal.setitimer(signal.ITIMER_REAL, 3e-4, {period})
    start(output=output)
    signal.setitimer(signal.ITIMER_REAL, 0)
except KeyboardInterrupt:
    print("interrupted")
signal.setitimer(signal.ITIMER_REAL, 0)
assert calls
print({{*calls}} - {{__file__}}, sneck.status()["running"], sneck.status()["collector"]["slow_frames"])
'''


class Start(Case):
    """The first start() runs Python code of its own; the program's handlers wait until it is over."""

    def during_start(self, action: str, period: float = 0) -> str:
        ran = run_child(DURING_START.format(action=action, period=period), start=None, timeout_s=20)
        self.assert_clean(ran)
        return ran.out

    def test_no_handler_runs_inside(self) -> None:
        self.assertEqual(self.during_start("pass", period=2e-4), "set() True None\n")

    def test_a_handler_that_stops_comes_after_it(self) -> None:
        self.attempts(lambda: self.assertEqual(self.during_start("sneck.stop()"), "set() False None\n"))

    def test_what_a_handler_raises_arrives(self) -> None:
        self.assertEqual(self.during_start("raise KeyboardInterrupt"), "interrupted\nset() True None\n")


class Signals(Case):
    def same_as_bare(self, code: str, status: int | None = None, **how) -> Ran:
        """With and without us: the same status, the same words; and the profile is complete."""
        ran, bare = run_child(USE + code, **how), run_child(USE + code, start=None, **how)
        self.assertEqual((ran.status, ran.out), (bare.status, bare.out), ran.err + bare.err)
        self.assertEqual(ran.err.splitlines()[-1:], bare.err.splitlines()[-1:])
        if status is not None:
            self.assertEqual(ran.status, status)
        rows = ran.rows.of("used")
        self.assertEqual((rows.acquires, rows.releases, len(ran.files)), (10, 10, 1))
        return ran

    def test_the_default_action_put_back_still_brings_the_last_profile(self) -> None:
        self.same_as_bare(BACK + "print('ready', flush=True)\ntime.sleep(60)", -signal.SIGTERM, kill=signal.SIGTERM)

    def test_nothing_runs_behind_the_call_that_ends_the_process(self) -> None:
        for end in ENDS:
            for before in ("", BACK):
                with self.subTest(end=end, before=bool(before)):
                    self.same_as_bare(before + f"print('before', flush=True)\n{end}\nprint('after', flush=True)",
                                      -signal.SIGTERM)

    def test_nothing_runs_behind_it_in_a_thread(self) -> None:
        for end in ENDS[:3]:
            with self.subTest(end=end):
                self.same_as_bare(f"""
def end():
    {end}
    print("after", flush=True)
thread = threading.Thread(target=end)
thread.start()
thread.join()
""", -signal.SIGTERM)

    def test_a_blocked_signal_ends_nothing_until_it_is_unblocked(self) -> None:
        for end in ENDS[:3]:
            with self.subTest(end=end):
                self.same_as_bare(BACK + f"""
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
{end}
print(signal.sigpending(), flush=True)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
time.sleep(60)
""", -signal.SIGTERM)

    def test_other_handlers_and_other_signals_are_as_they_were(self) -> None:
        self.same_as_bare("""
signal.signal(signal.SIGTERM, own)
signal.raise_signal(signal.SIGTERM)
os.kill(os.getpid(), signal.SIGTERM)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.raise_signal(signal.SIGTERM)
signal.signal(signal.SIGUSR1, own)
os.kill(os.getpid(), signal.SIGUSR1)
os.kill(os.getpid(), 0)
print("alive")
""", 0)

    def test_what_python_says_of_signals(self) -> None:
        self.same_as_bare("""
import asyncio, socket
def name(handler):
    return getattr(handler, "__name__", handler if isinstance(handler, signal.Handlers) else type(handler))
def show(*what):
    print(*what, name(signal.getsignal(signal.SIGTERM)), name(signal.getsignal(signal.SIGINT)))
show(signal.signal(signal.SIGTERM, signal.SIG_DFL))
show(signal.signal(signal.SIGTERM, own))
show(signal.signal(signal.SIGTERM, signal.SIG_DFL).__name__)
show(signal.siginterrupt(signal.SIGTERM, True), signal.siginterrupt(signal.SIGTERM, False))
here, there = socket.socketpair()
there.setblocking(False)
show(signal.set_wakeup_fd(there.fileno()) == -1)
signal.signal(signal.SIGTERM, own)
os.kill(os.getpid(), signal.SIGTERM)
show(here.recv(10), signal.set_wakeup_fd(-1) == there.fileno())
signal.signal(signal.SIGTERM, signal.SIG_DFL)

async def main():
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, came.set)
    os.kill(os.getpid(), signal.SIGTERM)
    await came.wait()
    show(loop.remove_signal_handler(signal.SIGTERM), loop.remove_signal_handler(signal.SIGTERM))
asyncio.run(main())
show(signal.sigtimedwait([signal.SIGUSR2], 0))
print(repr(signal.raise_signal), repr(os.kill), signal.raise_signal.__text_signature__)
""", 0)

    def test_errors_are_the_same(self) -> None:
        self.same_as_bare("""
import _signal, traceback
def attempt(what):
    try:
        what()
    except BaseException as error:
        print(type(error).__name__, error, len(traceback.extract_tb(error.__traceback__)))
calls = [lambda: signal.signal(signal.SIGTERM, "x"), lambda: signal.signal(999, signal.SIG_DFL), lambda: signal.signal(signal.SIGKILL, own),
         lambda: _signal.signal(), lambda: _signal.signal(15, handler=own), lambda: signal.raise_signal(999),
         lambda: signal.raise_signal("x"), lambda: os.kill(2 ** 22 + 1, 15), lambda: os.kill("a", 15), lambda: os.killpg(2 ** 22 + 1, 0),
         lambda: signal.pthread_kill(threading.get_ident(), 999)]
for call in calls:
    attempt(call)
thread = threading.Thread(target=attempt, args=(lambda: signal.signal(signal.SIGTERM, own),))
thread.start()
thread.join()
""", 0)

    def test_a_subinterpreter_may_not_set_handlers_as_ever(self) -> None:
        self.same_as_bare("""
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
one = interpreters.create()
code = '''
import signal
try:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
except ValueError as error:
    print(error, flush=True)
'''
print(interpreters.run_string(one, code) is None)
interpreters.destroy(one)
""", 0)

    def test_a_child_that_puts_it_back_has_a_last_profile_of_its_own(self) -> None:
        ran = run_child(USE + """
child = os.fork()
if not child:
    signal.signal(signal.SIGTERM, own)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with used:
        pass
    signal.raise_signal(signal.SIGTERM)
    os._exit(3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""")
        self.assertEqual((ran.status, ran.out), (0, f"{-signal.SIGTERM}\n"), ran.err)
        self.assertEqual(sorted(int(name.split(".")[1]) == ran.pid for name in ran.files), [False, True])
        self.assertEqual(ran.rows.of("used").acquires, 11)

    def test_a_start_under_a_handler_of_the_program_takes_over_when_it_goes(self) -> None:
        ran = run_child(USE.replace("used =", "import sneck; signal.signal(15, lambda *_: None); "
                                    "sneck.start(capture_pct=100, output=output); used =")
                        + "signal.signal(15, signal.SIG_DFL)\nprint('ready', flush=True)\ntime.sleep(60)",
                        start=None, kill=signal.SIGTERM, args=())
        self.assertEqual((ran.status, ran.rows.of("used").acquires), (-signal.SIGTERM, 10), ran.err)

    def test_stop_gives_everything_back(self) -> None:
        ran = run_child(CAUGHT + USE + """
print(signal.SIGTERM in caught())
sneck.stop()
print(signal.SIGTERM in caught())
signal.signal(signal.SIGTERM, own)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
print(signal.SIGTERM in caught())
for _ in range(20):
    sneck.start(output=output)
    assert signal.SIGTERM in caught()
    sneck.stop()
print(signal.SIGTERM in caught())
sneck.start(output=output, flush_on_sigterm=False)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
print(signal.SIGTERM in caught())
""")
        self.assert_clean(ran)
        self.assertEqual(ran.out.split(), ["True", "False", "False", "False", "False"])


if __name__ == "__main__":
    unittest.main()
