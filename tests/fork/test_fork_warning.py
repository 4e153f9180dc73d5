"""From 3.12 on Python warns of a fork in a process of several threads: ours is not one of them, and nobody's filters suffer."""
import unittest

from forking import Case, support

run_child = support.run_child

FORK = """
import os
child = os.fork()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
"""

# What the program itself says about warnings, after the profiler's start.
OWN_FILTERS = {
    "none": "",
    "always": "import warnings\nwarnings.simplefilter('always')\n",
    "as errors": "import warnings\nwarnings.filterwarnings('error', category=DeprecationWarning)\n",
    "reset": "import warnings\nwarnings.resetwarnings()\n",
    "none left": "import warnings\nwarnings.filters = []\n",
}

THREADS_OF_ITS_OWN = """
import os, re, threading, warnings
stop = threading.Event()
threads = [threading.Thread(target=stop.wait) for _ in range(3)]
for thread in threads:
    thread.start()
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("default")
    child = os.fork()
    if child == 0:
        os._exit(0)
os.waitpid(child, 0)
stop.set()
print([(warning.category.__name__, re.sub("[0-9]+", "N", str(warning.message))) for warning in said])
"""

A_THREAD_THAT_PYTHON_DOES_NOT_KNOW = """
import ctypes, os, time
libc, thread = ctypes.CDLL(None), ctypes.c_ulong()
assert libc.pthread_create(ctypes.byref(thread), None, ctypes.cast(libc.pause, ctypes.c_void_p), None) == 0
while len(os.listdir("/proc/self/task")) < EXPECTED:
    time.sleep(0.001)
import warnings
warnings.simplefilter("default")
"""


class Warnings(Case):
    def test_a_fork_says_nothing_that_it_would_not_say_without_us(self) -> None:
        for what, filters in OWN_FILTERS.items():
            with self.subTest(what):
                self.assert_clean(run_child(filters + FORK))

    def test_by_command_line_and_environment_too(self) -> None:
        self.assert_clean(run_child(FORK, env={"PYTHONWARNINGS": "error"}))
        self.assert_clean(run_child(FORK, env={"PYTHONDEVMODE": "1"}))

    def test_in_the_midst_of_catch_warnings(self) -> None:
        """As pytest runs each test; what the program recorded and restored is as it was."""
        self.assert_clean(run_child(f"""
import warnings
before = list(warnings.filters)
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("error")
    {FORK.strip().replace(chr(10), chr(10) + "    ")}
assert said == [], said
assert warnings.filters == before, warnings.filters
"""))

    def test_where_filters_belong_to_a_context(self) -> None:
        """An option of 3.14 on."""
        self.assert_clean(run_child(f"""
import sys, warnings
with warnings.catch_warnings():
    warnings.simplefilter("error")
    {FORK.strip().replace(chr(10), chr(10) + "    ")}
""", env={"PYTHON_CONTEXT_AWARE_WARNINGS": "1"}))

    def test_among_threads_of_the_programs_own_it_is_warned_of_as_ever(self) -> None:
        ours, bare = run_child(THREADS_OF_ITS_OWN), run_child(THREADS_OF_ITS_OWN, start=None)
        self.assertEqual((ours.out, ours.err), (bare.out, bare.err))

    def test_threads_that_python_does_not_know_count(self) -> None:
        ours = run_child(A_THREAD_THAT_PYTHON_DOES_NOT_KNOW.replace("EXPECTED", "3") + FORK)
        bare = run_child(A_THREAD_THAT_PYTHON_DOES_NOT_KNOW.replace("EXPECTED", "2") + FORK, start=None)
        self.assertEqual([line for line in ours.err.splitlines() if "Warning" in line and "thread" in line] != [],
                         [line for line in bare.err.splitlines() if "Warning" in line and "thread" in line] != [])

    def test_other_warnings_are_as_ever(self) -> None:
        code = FORK + """
import warnings
warnings.simplefilter("default")
warnings.warn("first", DeprecationWarning)
warnings.warn("second")
"""
        ours, bare = run_child(code), run_child(code, start=None)
        without_paths = [[line.split(": ", 1)[-1] for line in ran.err.splitlines()] for ran in (ours, bare)]
        self.assertEqual(without_paths[0], without_paths[1])
        self.assertIn("first", ours.err)

    def test_filters_are_touched_by_a_fork_alone_and_once(self) -> None:
        self.assert_clean(run_child(f"""
import warnings
assert not any("OnlyOurs" in repr(item) for item in warnings.filters), warnings.filters
for _ in range(3):
    {FORK.strip().replace(chr(10), chr(10) + "    ")}
    warnings.simplefilter("ignore")
assert sum("OnlyOurs" in repr(item) for item in warnings.filters) <= 1, warnings.filters
"""))

    def test_filters_may_be_sent_to_another_process(self) -> None:
        """As joblib does; there, nobody needs ours."""
        self.assert_clean(run_child(FORK + """
import copy, pickle, re, warnings
sent = pickle.loads(pickle.dumps(warnings.filters))
assert len(sent) == len(warnings.filters) and len(copy.deepcopy(warnings.filters)) == len(sent)
assert all(isinstance(item[1], (str, re.Pattern, type(None))) for item in sent), sent
"""))


if __name__ == "__main__":
    unittest.main()
