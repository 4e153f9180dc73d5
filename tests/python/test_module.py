"""The extension's functions: what they take, what they give, what they refuse."""

import ast
import gzip
import inspect
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest

from sneck import _sneck

FOLDER = os.path.dirname(os.path.abspath(_sneck.__file__))
VARIABLES = ("SNECK_", "DD_")


def clean_environment(**variables):
    """Ours without any option in it, and these."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(VARIABLES)}
    return {**environment, **variables}


def run(code, *arguments, **variables):
    """Run code in a fresh interpreter: (status, output, errors)."""
    command = [sys.executable, *arguments] if arguments else [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=clean_environment(**variables))
    return done.returncode, done.stdout, done.stderr


def conforms(value, annotation, records):
    """Whether a value is what an annotation of the stub says; ast, because 3.10 has to read it too."""
    if isinstance(annotation, ast.BinOp):
        return conforms(value, annotation.left, records) or conforms(value, annotation.right, records)
    if isinstance(annotation, ast.Constant):
        return value is annotation.value
    if isinstance(annotation, ast.Name) and annotation.id in records:
        fields = records[annotation.id]
        return list(value) == list(fields) and all(conforms(value[key], fields[key], records) for key in fields)
    if isinstance(annotation, ast.Name):
        return type(value).__name__ == annotation.id
    outer, inner = annotation.value.id, annotation.slice
    if outer == "list":
        return type(value) is list and all(conforms(item, inner, records) for item in value)
    if outer == "dict":
        return type(value) is dict and all(conforms(key, inner.elts[0], records) and
                                           conforms(item, inner.elts[1], records) for key, item in value.items())
    assert outer == "tuple", ast.dump(annotation)
    if isinstance(inner.elts[-1], ast.Constant):  # tuple[int, ...]
        return type(value) is tuple and all(conforms(item, inner.elts[0], records) for item in value)
    return type(value) is tuple and len(value) == len(inner.elts) and all(
        conforms(item, element, records) for item, element in zip(value, inner.elts))


def read_stub():
    """The stub's functions, and its records with the annotation of each key."""
    with open(os.path.join(FOLDER, "_sneck.pyi"), encoding="utf-8") as file:
        tree = ast.parse(file.read())
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    records = {node.name: {item.target.id: item.annotation for item in node.body if isinstance(item, ast.AnnAssign)}
               for node in tree.body if isinstance(node, ast.ClassDef)}
    return functions, records


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def message(*fields):
    """A protobuf message of (number, int or bytes)."""
    out = b""
    for number, value in fields:
        if isinstance(value, bytes):
            out += varint(number << 3 | 2) + varint(len(value)) + value
        else:
            out += varint(number << 3) + varint(value)
    return out


def small_pprof():
    """Two frames, a text label and a number, one comment: written by hand from pprof's proto."""
    strings = ["", "wait", "nanoseconds", "inner", "outer", "a.py", "lock name", "a.py:1:x", "thread id", "hello é"]
    return message(
        (1, message((1, 1), (2, 2))),
        (2, message((1, 1), (1, 2), (2, 5), (3, message((1, 6), (2, 7))), (3, message((1, 8), (3, 77))))),
        (2, message((1, 2), (2, 2**63 - 1))),
        (4, message((1, 1), (4, message((1, 1), (2, 10))))),
        (4, message((1, 2), (4, message((1, 2), (2, 20))))),
        (5, message((1, 1), (2, 3), (4, 5))),
        (5, message((1, 2), (2, 4), (4, 5))),
        *[(6, string.encode()) for string in strings],
        (9, 1000), (10, 2000), (13, 9))


class Stopped(unittest.TestCase):
    """Each test begins and ends with the profiler stopped, and files in a folder of its own."""

    def setUp(self):
        _sneck.stop()
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.addCleanup(_sneck.stop)
        self.output = os.path.join(self.folder.name, "p")

    def start(self, **options):
        _sneck.start(**{"output": self.output, **options})

    def files(self):
        return sorted(os.listdir(self.folder.name))


class StubTest(unittest.TestCase):
    def setUp(self):
        self.functions, self.records = read_stub()

    def test_stub_and_module_have_the_same_public_names(self):
        public = {name for name in dir(_sneck) if not name.startswith("_")}
        self.assertEqual(public, {name for name in self.functions if not name.startswith("_")})

    def test_stub_and_module_have_the_same_signatures(self):
        for name, node in self.functions.items():
            signature = inspect.signature(getattr(_sneck, name))
            arguments = node.args
            stub = [(argument.arg, "POSITIONAL_ONLY") for argument in arguments.posonlyargs]
            stub += [(argument.arg, "POSITIONAL_OR_KEYWORD") for argument in arguments.args]
            stub += [(argument.arg, "KEYWORD_ONLY") for argument in arguments.kwonlyargs]
            self.assertEqual([(p.name, p.kind.name) for p in signature.parameters.values()], stub, name)
            defaults = [p.default for p in signature.parameters.values() if p.default is not p.empty]
            self.assertEqual(defaults, [ast.literal_eval(d) for d in [*arguments.defaults, *arguments.kw_defaults]])

    def test_every_function_has_a_docstring(self):
        for name in self.functions:
            self.assertTrue(getattr(_sneck, name).__doc__, name)

    def test_results_are_what_the_stub_says(self):
        lock = threading.Lock()
        with tempfile.TemporaryDirectory() as folder:
            _sneck.start(capture_pct=100, lock_budget_pct=0, output=os.path.join(folder, "p"))
            for _ in range(100):
                lock.acquire()
                lock.release()
            _sneck.flush()
            for name in ("status", "lock_stats", "options", "sample_types"):
                self.assertTrue(conforms(getattr(_sneck, name)(), self.functions[name].returns, self.records), name)
            self.assertTrue(_sneck.lock_stats())
            _sneck.stop()
            for file in os.listdir(folder):
                profile = _sneck.read_profile(os.path.join(folder, file))
                self.assertTrue(conforms(profile, self.functions["read_profile"].returns, self.records), profile)

    def test_sample_types_are_those_of_a_file(self):
        types = _sneck.sample_types()
        self.assertEqual(types[:2], [("lock-acquire-wait", "nanoseconds", types[0][2]), ("lock-acquire", "count", types[1][2])])


class OptionsTest(Stopped):
    def row(self, name):
        return next(row for row in _sneck.options() if row["name"] == name)

    def test_a_row_tells_all_there_is_to_know(self):
        code = "import json; from sneck import _sneck; print(json.dumps(_sneck.options()))"
        status, out, err = run(code)
        self.assertEqual((status, err), (0, ""))
        rows = {row["name"]: row for row in json.loads(out)}
        row = rows["max_frames"]
        self.assertTrue(row.pop("help"))
        self.assertEqual(row, {
            "name": "max_frames", "keyword": True, "secret": False, "type": "int", "default": 64, "minimum": 1.0, "maximum": 599.0,
            "variables": ["SNECK_MAX_FRAMES", "DD_PROFILING_MAX_FRAMES"], "current": 64, "source": "default"})
        self.assertFalse(rows["enabled"]["keyword"])
        self.assertEqual(rows["lock_budget_pct"]["variables"], ["SNECK_LOCK_BUDGET_PCT"])
        self.assertEqual((rows["output"]["type"], rows["output"]["minimum"]), ("str", None))

    def test_values_come_from_argument_own_variable_datadogs_and_default_in_this_order(self):
        code = """
            import json, sys; from sneck import _sneck
            _sneck.start(capture_pct=30, quiet=True, output="/nonexistent/p")
            options = _sneck.status()["options"]
            print(json.dumps([options[name] for name in ("capture_pct", "upload_interval", "max_frames", "lock_enabled")]))
        """
        status, out, err = run(code, SNECK_CAPTURE_PCT="20", DD_PROFILING_CAPTURE_PCT="10", SNECK_UPLOAD_INTERVAL="0.5",
                               DD_PROFILING_UPLOAD_INTERVAL="7", DD_PROFILING_MAX_FRAMES="100")
        self.assertEqual(status, 0, err)
        self.assertEqual(json.loads(out), [
            {"value": 30.0, "source": "argument"}, {"value": 0.5, "source": "SNECK_UPLOAD_INTERVAL"},
            {"value": 100, "source": "DD_PROFILING_MAX_FRAMES"}, {"value": True, "source": "default"}])

    def test_each_keyword_takes_its_default(self):
        for row in _sneck.options():
            if row["keyword"] and row["name"] != "output":
                with self.subTest(row["name"]):
                    self.start(**{row["name"]: row["default"]})
                    self.assertEqual(_sneck.status()["options"][row["name"]],
                                     {"value": row["default"], "source": "argument"})
                    _sneck.stop()

    def test_numbers_out_of_range_are_refused_or_clamped(self):
        for row in _sneck.options():
            if not row["keyword"] or row["minimum"] is None:
                continue
            number = {"int": int, "float": float}[row["type"]]
            for value in (number(row["minimum"]) - 1, number(row["maximum"]) * 10):
                with self.subTest(row["name"], value=value):
                    if row["name"] in ("max_frames", "api_timeout"):  # clamped
                        self.start(**{row["name"]: value})
                        limit = row["minimum" if value < row["minimum"] else "maximum"]
                        self.assertEqual(_sneck.status()["options"][row["name"]]["value"], limit)
                        _sneck.stop()
                        continue
                    with self.assertRaisesRegex(ValueError, rf"^{row['name']}: {value!r} is not within "):
                        self.start(**{row["name"]: value})
        self.assertFalse(_sneck.status()["running"])

    def test_types_are_not_guessed(self):
        wrong = {"bool": [1, "true", None], "int": [1.0, "1", True, None], "float": ["1", True, None, [1.0]],
                 "str": [1, None, ["a"]]}
        for row in _sneck.options():
            if not row["keyword"]:
                continue
            for value in wrong[row["type"]]:
                with self.subTest(row["name"], value=value), self.assertRaisesRegex(TypeError, f"^{row['name']}: "):
                    self.start(**{row["name"]: value})
        self.assertFalse(_sneck.status()["running"])

    def test_numbers_that_are_none(self):
        for value in (float("nan"), float("inf"), -float("inf")):
            with self.assertRaisesRegex(ValueError, "capture_pct"):
                self.start(capture_pct=value)

    def test_huge_integers_are_out_of_range(self):
        with self.assertRaisesRegex(ValueError, "profile_max_rows"):
            self.start(profile_max_rows=10**40)

    def test_an_int_is_a_number_and_an_index_an_int(self):
        class Seven:
            def __index__(self):
                return 7
        self.start(capture_pct=3, max_frames=Seven())
        options = _sneck.status()["options"]
        self.assertEqual((options["capture_pct"]["value"], options["max_frames"]["value"]), (3.0, 7))

    def test_exceptions_of_the_callers_objects_come_through(self):
        class Bad:
            def __fspath__(self):
                raise KeyError("mine")
        with self.assertRaisesRegex(KeyError, "mine"):
            _sneck.start(output=Bad())

    def test_a_path_may_be_an_object_or_bytes_no_utf8(self):
        class Path:
            def __init__(self, path):
                self.path = path

            def __fspath__(self):
                return self.path
        _sneck.start(output=Path(self.output))
        self.assertEqual(_sneck.status()["options"]["output"]["value"], self.output)
        _sneck.stop()
        odd = os.path.join(self.folder.name, os.fsdecode(b"\xff"))
        _sneck.start(output=odd)
        self.assertEqual(_sneck.status()["options"]["output"]["value"], odd)

    def test_a_url_is_shown_without_its_user_and_password(self):
        _sneck.start(agent_url="http://user:pw@127.0.0.1:1/x", upload_interval=3600, quiet=True)
        self.assertEqual(_sneck.status()["options"]["agent_url"]["value"], "http://127.0.0.1:1/x")

    def test_text_with_a_null_or_too_long_is_refused(self):
        with self.assertRaises(ValueError):
            _sneck.start(output="a\0b")
        with self.assertRaisesRegex(ValueError, "longer than 4095 bytes"):
            _sneck.start(output="x" * 4096)

    def test_unknown_keywords_and_positions_are_type_errors(self):
        for call in (lambda: _sneck.start(nonsense=1), lambda: _sneck.start(enabled=True), lambda: _sneck.start(1)):
            self.assertRaises(TypeError, call)

    def test_a_mistake_in_a_variable_is_one_line(self):
        code = "from sneck import _sneck; _sneck.options(); _sneck.start(output='/nonexistent/p'); print(_sneck.status()['options']['capture_pct'])"
        status, out, err = run(code, DD_PROFILING_CAPTURE_PCT="lots")
        self.assertEqual((status, out), (0, "{'value': 1.0, 'source': 'default'}\n"))
        line = 'sneck: DD_PROFILING_CAPTURE_PCT="lots" is not a number: the default, "1", is used\n'
        self.assertEqual(err.count("\n"), err.count("sneck: "), err)
        self.assertEqual(err.splitlines(keepends=True)[0], line)
        self.assertEqual(err.count("CAPTURE_PCT"), 1)

    def test_quiet_is_quiet(self):
        code = "from sneck import _sneck; _sneck.start(quiet=True, output='/nonexistent/p'); _sneck.stop()"
        self.assertEqual(run(code, DD_PROFILING_CAPTURE_PCT="lots", SNECK_MAX_FRAMES="700"), (0, "", ""))


class LifeTest(Stopped):
    def test_start_stop_and_what_status_says(self):
        self.assertFalse(_sneck.status()["running"])
        self.start()
        status = _sneck.status()
        self.assertTrue(status["running"])
        self.assertEqual((status["pid"], status["version"], status["refused"]), (os.getpid(), _sneck.__version__, None))
        _sneck.stop()
        self.assertFalse(_sneck.status()["running"])

    def test_starting_twice_is_an_error_that_changes_nothing(self):
        self.start(max_frames=10)
        with self.assertRaisesRegex(RuntimeError, r"runs already: call stop\(\) first"):
            self.start(max_frames=20)
        self.assertEqual(_sneck.status()["options"]["max_frames"]["value"], 10)
        self.assertTrue(_sneck.status()["running"])

    def test_stopping_twice_does_nothing(self):
        self.start()
        self.assertIsNone(_sneck.stop())
        self.assertIsNone(_sneck.stop())

    def test_flush_writes_a_file_and_stop_the_last(self):
        self.start(capture_pct=100)
        lock = threading.Lock()
        with lock:
            pass
        self.assertIs(_sneck.flush(), True)
        self.assertEqual(self.files(), [f"p.{os.getpid()}.1.pprof"])
        with lock:
            pass
        _sneck.stop()
        self.assertEqual(self.files(), [f"p.{os.getpid()}.{i}.pprof" for i in (1, 2)])
        self.assertIs(_sneck.flush(), False)

    def test_exact_counts_are_in_the_last_file_though_no_sample_was_kept(self):
        lock = threading.Lock()
        self.start(capture_pct=0)
        with lock:
            self.assertEqual([lock.acquire(False) for _ in range(3)], [False] * 3)  # so short that hardly one is kept
        told, = [stats for stats in _sneck.lock_stats() if stats["contended"]]
        _sneck.stop()
        comments = [comment for file in self.files()
                    for comment in _sneck.read_profile(os.path.join(self.folder.name, file))["comments"]]
        counts = [json.loads(comment.removeprefix("sneck-lock-stats ")) for comment in comments]
        self.assertEqual([(count["name"], count["contended"]) for count in counts], [(told["name"], 3)])

    def test_flush_takes_a_timeout(self):
        self.start()
        for timeout in (1, 2.5, float("inf")):
            self.assertIs(_sneck.flush(timeout=timeout), True)
        self.assertIs(type(_sneck.flush(-1)), bool)
        self.assertRaises(ValueError, _sneck.flush, float("nan"))
        self.assertRaises(TypeError, _sneck.flush, "1")

    def test_flush_lets_other_threads_run(self):
        self.start(capture_pct=100)
        counted, stop = [0], []

        def count():
            while not stop:
                counted[0] += 1
        thread = threading.Thread(target=count)
        thread.start()
        for _ in range(20):
            _sneck.flush()
        stop.append(1)
        thread.join()
        self.assertGreater(counted[0], 0)

    def test_a_thousand_starts_leave_nothing_behind(self):
        def resident_kb():
            with open("/proc/self/statm", encoding="ascii") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
        for i in range(1000):
            if i == 100:
                before_kb, tasks = resident_kb(), len(os.listdir("/proc/self/task"))
            self.start(capture_pct=0)
            _sneck.stop()
        self.assertEqual(len(os.listdir("/proc/self/task")), tasks)
        self.assertEqual(self.files(), [])  # no sample, no file
        if not os.environ.get("LD_PRELOAD"):  # a sanitizer keeps what is freed
            self.assertLess(resident_kb() - before_kb, 2000)

    def test_threads_that_start_and_stop_at_once_agree(self):
        outcomes = []

        def churn():
            for _ in range(50):
                try:
                    self.start()
                    outcomes.append("started")
                except RuntimeError:
                    outcomes.append("running")
                _sneck.stop()
        threads = [threading.Thread(target=churn) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(outcomes), 200)
        self.assertIn("started", outcomes)
        self.assertFalse(_sneck.status()["running"])

    def test_lock_stats_know_a_contended_lock(self):
        self.start(capture_pct=100, lock_budget_pct=0)
        contended = threading.Lock()

        def hold():
            with contended:
                time.sleep(0.05)
        threads = [threading.Thread(target=hold) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stats = _sneck.lock_stats()
        waits = [row["wait_ns"] for row in stats]
        self.assertEqual(waits, sorted(waits, reverse=True))
        row = next(row for row in stats if row["contended"] == 2 and row["kind"] == "threading.Lock")
        self.assertAlmostEqual(row["wait_ns"] / 1e6, 150, delta=30)
        self.assertAlmostEqual(row["wait_max_ns"] / 1e6, 100, delta=25)
        self.assertAlmostEqual(row["wait_p50_ns"] / 1e6, 50, delta=15)
        self.assertLessEqual(row["wait_p99_ns"], row["wait_max_ns"])
        self.assertEqual(sum(n for _, n in row["wait_histogram"]), 2)
        self.assertTrue(all(lower <= row["wait_max_ns"] for lower, _ in row["wait_histogram"]))


class ExitTest(Stopped):
    USE = "import threading; lock = threading.Lock()\nwith lock: pass\n"

    def ends(self, code, status, err=""):
        begin = f"from sneck import _sneck; _sneck.start(capture_pct=100, output={self.output!r})\n"
        ended, out, errors = run(begin + self.USE + textwrap.dedent(code))
        self.assertEqual((ended, errors.splitlines()[-1:] if err else errors), (status, [err] if err else ""))
        self.assertEqual(len(self.files()), 1, self.files())

    def test_the_last_profile_is_written_at_exit(self):
        self.ends("", 0)

    def test_and_after_sys_exit(self):
        self.ends("import sys; sys.exit(3)", 3)

    def test_and_after_an_exception(self):
        self.ends("raise ValueError('mine')", 1, "ValueError: mine")

    def test_and_after_an_interrupt(self):
        self.ends("import os, signal; os.kill(os.getpid(), signal.SIGINT); import time; time.sleep(5)", -2,
                  "KeyboardInterrupt")

    def test_and_after_sigterm(self):
        self.ends("import os, signal; os.kill(os.getpid(), signal.SIGTERM); import time; time.sleep(5)", -15)

    def test_files_are_called_after_the_program(self):
        package = os.path.join(self.folder.name, "pkg")
        os.mkdir(package)
        code = f"from sneck import _sneck; _sneck.start(capture_pct=100, output=sys.argv[1])\n{self.USE}"
        for path in ("app.py", "pkg/__init__.py", "pkg/__main__.py", "pkg/mod.py"):
            with open(os.path.join(self.folder.name, path), "w", encoding="utf-8") as file:
                file.write("" if "__init__" in path else "import sys; " + code)
        here = {"PYTHONPATH": os.pathsep.join([self.folder.name, os.environ.get("PYTHONPATH", "")])}
        for arguments, name in ((["-c", "import sys; " + code], "python"), ([f"{self.folder.name}/app.py"], "app"),
                                (["-m", "pkg"], "pkg"), (["-m", "pkg.mod"], "mod")):
            with tempfile.TemporaryDirectory() as output:
                status, _, err = run("", *arguments, output + "/", **here)
                self.assertEqual((status, err), (0, ""))
                self.assertEqual([file.split(".")[0] for file in os.listdir(output)], [name])

    def test_a_forked_child_goes_on(self):
        code = f"""
            import os, threading, warnings
            from sneck import _sneck
            warnings.simplefilter("ignore")  # from 3.12 on: a fork with our thread beside
            _sneck.start(capture_pct=100, output={self.output!r})
            child = os.fork()
            if child == 0:
                assert _sneck.status()["running"] and _sneck.status()["pid"] == os.getpid()
                before = _sneck.status()["upload"]["state"]
                with threading.Lock():
                    pass
                after = _sneck.status()["upload"]["state"]
                os._exit(0 if _sneck.flush() and before.startswith("not yet") and after == "running" else 1)
            assert os.waitpid(child, 0)[1] == 0
            print(child)
        """
        status, out, err = run(code)
        self.assertEqual((status, err), (0, ""))
        self.assertIn(f"p.{out.strip()}.1.pprof", self.files())


class ReadProfileTest(Stopped):
    def write(self, data):
        path = os.path.join(self.folder.name, "file.pprof")
        with open(path, "wb") as file:
            file.write(data)
        return path

    def test_a_file_written_by_hand(self):
        for data in (small_pprof(), gzip.compress(small_pprof())):
            self.assertEqual(_sneck.read_profile(self.write(data)), {
                "sample_types": [("wait", "nanoseconds")],
                "samples": [
                    ([("inner", "a.py", 10), ("outer", "a.py", 20)], {"lock name": "a.py:1:x", "thread id": 77}, (5,)),
                    ([("outer", "a.py", 20)], {}, (2**63 - 1,))],
                "comments": ["hello é"], "time_ns": 1000, "duration_ns": 2000})

    def test_what_is_no_profile_is_a_value_error(self):
        for data in (b"", b"hello", gzip.compress(b"hello"), gzip.compress(small_pprof())[:-20], small_pprof()[:-3]):
            with self.assertRaises(ValueError) as caught:
                _sneck.read_profile(self.write(data))
            self.assertTrue(str(caught.exception))

    def test_what_cannot_be_read_is_an_os_error_with_its_name(self):
        path = os.path.join(self.folder.name, "absent")
        with self.assertRaises(FileNotFoundError) as caught:
            _sneck.read_profile(path)
        self.assertEqual(caught.exception.filename, path)
        self.assertRaises(OSError, _sneck.read_profile, self.folder.name)

    def test_what_is_no_path_is_a_type_error(self):
        self.assertRaises(TypeError, _sneck.read_profile, 3)
        self.assertRaises(ValueError, _sneck.read_profile, "a\0b")
        self.assertRaises(TypeError, _sneck.read_profile)


def interpreters_module():
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            return __import__(name)
        except ImportError:
            pass
    raise unittest.SkipTest("no module for subinterpreters here")


class SubinterpreterTest(Stopped):
    CODE = f"""if True:
        import sys
        sys.path[:0] = {[os.path.dirname(FOLDER)]!r}
        from sneck import _sneck
        import threading
        assert _sneck.status()["running"], "one state for the process"
        with threading.Lock():
            pass
        assert _sneck.flush()
        assert _sneck.options() and _sneck.lock_stats() is not None
    """

    def run_in(self, interpreters, interpreter):
        result = interpreters.run_string(interpreter, self.CODE)
        interpreters.destroy(interpreter)
        self.assertIsNone(result)  # 3.12 and before raise, later ones return what was raised

    def test_in_an_interpreter_with_a_gil_of_its_own(self):
        interpreters = interpreters_module()
        if sys.version_info < (3, 12):
            self.skipTest("no such interpreters before 3.12")
        self.start(capture_pct=100)
        for _ in range(3):
            self.run_in(interpreters, interpreters.create())
        self.assertTrue(_sneck.status()["running"])

    def test_status_there_is_of_one_start_while_others_start_and_stop(self):
        interpreters = interpreters_module()
        if sys.version_info < (3, 12):
            self.skipTest("no such interpreters before 3.12")
        keys, done, seen = ("sink", "target", "why", "service"), self.output + ".done", self.output + ".seen"
        code = f"""if True:
            import os, sys
            sys.path[:0] = {[os.path.dirname(FOLDER)]!r}
            from sneck import _sneck
            seen = set()
            while not os.path.exists({done!r}):
                upload = _sneck.status()["upload"]
                seen.add(tuple(upload[key] for key in {keys!r}))
            with open({seen!r}, "w") as file:
                file.write(repr(seen))
            """
        before = tuple(_sneck.status()["upload"][key] for key in keys)
        interpreter = interpreters.create()
        thread = threading.Thread(target=interpreters.run_string, args=(interpreter, code))
        thread.start()
        for _ in range(100):
            _sneck.start(agent_url="http://127.0.0.1:1", service="shop", upload_interval=3600, quiet=True)
            _sneck.stop()
        with open(done, "w"):
            thread.join()
        interpreters.destroy(interpreter)
        one = ("Datadog agent", "http://127.0.0.1:1/profiling/v1/input", "agent_url is an argument of start()", "shop")
        with open(seen) as file:
            self.assertLessEqual(ast.literal_eval(file.read()), {before, one})

    def test_in_an_interpreter_that_shares_the_gil(self):
        interpreters = interpreters_module()
        self.start(capture_pct=100)
        if sys.version_info < (3, 13):
            created = interpreters.create(isolated=False)
        else:
            created = interpreters.create("legacy")
        self.run_in(interpreters, created)
        self.assertTrue(_sneck.status()["running"])

    def test_whoever_starts_stops_at_its_end(self):
        interpreters = interpreters_module()
        interpreter = interpreters.create()
        code = f"import sys; sys.path[:0] = {[os.path.dirname(FOLDER)]!r}; from sneck import _sneck; _sneck.start(output={self.output!r})"
        self.assertIsNone(interpreters.run_string(interpreter, code))
        self.assertTrue(_sneck.status()["running"])
        interpreters.destroy(interpreter)
        self.assertFalse(_sneck.status()["running"])


if __name__ == "__main__":
    unittest.main()
