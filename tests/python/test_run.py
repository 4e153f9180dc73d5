"""sneck run: the program is as it is without, but profiled; and sneck.auto never hurts."""

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import unittest
import unittest.mock
from typing import Any, Iterable, NamedTuple

import sneck
from sneck import extension, run

PACKAGE = os.path.dirname(os.path.abspath(sneck.__file__))
STAGE = os.path.dirname(PACKAGE)
BOOTSTRAP = os.path.join(PACKAGE, "bootstrap")
# sneck, for a program on whose path it is not.
COMMAND = [sys.executable, "-E", "-c",
           f"import sys; sys.path.insert(0, {STAGE!r}); from sneck.cli import main; sys.exit(main())"]


def is_whole() -> bool:
    """Whether the extension is built with all that these tests use."""
    try:
        return all(map(extension.function, ("options", "start", "status", "stop")))
    except ImportError:
        return False


WHOLE = is_whole()
needs_extension = unittest.skipUnless(WHOLE, "the extension is not whole here")


class Ended(NamedTuple):
    status: int
    out: str
    err: str


class Case(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = os.path.realpath(folder.name)
        self.env = {name: value for name, value in os.environ.items()
                    if not name.startswith(("PYTHON", "SNECK_", "DD_")) and name != "VIRTUAL_ENV"}
        for name in ("PYTHON_JIT",):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.env.update(PYTHONDONTWRITEBYTECODE="1", SNECK_OUTPUT=os.path.join(self.folder, "profiles", ""))

    def write(self, name: str, code: str, mode: int = 0o644) -> str:
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(code))
        os.chmod(path, mode)
        return path

    def call(self, argv: Iterable[str], stdin: str = "", **env: str) -> Ended:
        done = subprocess.run(list(argv), input=stdin, capture_output=True, text=True, cwd=self.folder, timeout=120,
                              env={**self.env, **env})
        err = done.stderr
        if not WHOLE:
            err = "".join(line for line in err.splitlines(True) if not line.startswith("sneck: not profiling: "))
        return Ended(done.returncode, done.stdout, err)

    def sneck(self, *arguments: str, stdin: str = "", **env: str) -> Ended:
        return self.call([*COMMAND, "run", *arguments], stdin, **env)

    def assert_same(self, *arguments: str, by_python: bool = True, stdin: str = "", **env: str) -> Ended:
        """With sneck run and without, a program ends alike and says the same; the end it came to."""
        natively = self.call([sys.executable, *arguments] if by_python else arguments, stdin, **env)
        profiled = self.sneck(*arguments, stdin=stdin, **env)
        self.assertEqual(*(Ended(end.status, re.sub("0x[0-9a-f]+", "0x", end.out), end.err)
                           for end in (profiled, natively)))
        return natively


SHOW = """
    import json, os, sys
    print(json.dumps({
        "argv": sys.argv, "path": sys.path, "name": __name__, "flags": list(sys.flags), "executable": sys.executable,
        "file": globals().get("__file__"), "spec": repr(globals().get("__spec__")), "orig": sys.orig_argv,
        "sitecustomize": "sitecustomize" in sys.modules, "meta_path": list(map(repr, sys.meta_path)),
        "encoding": sys.stdout.encoding, "warnoptions": sys.warnoptions, "ppid": os.getppid(),
        "environ": sorted(name for name in os.environ if not name.startswith("SNECK_") and name != "PYTHONPATH")}))
"""


class Same(Case):
    """A program cannot tell."""

    def assert_same_show(self, *arguments: str, **more: str) -> dict[str, Any]:
        ended = self.assert_same(*arguments, **more)
        self.assertEqual((ended.status, ended.err), (0, ""))
        shown: dict[str, Any] = json.loads(ended.out)
        self.assertEqual(shown["ppid"], os.getpid())
        return shown

    def test_script(self) -> None:
        path = self.write("deep/app.py", SHOW)
        shown = self.assert_same_show(path, "-m", "--sort", "a b", "")
        self.assertEqual(shown["argv"], [path, "-m", "--sort", "a b", ""])
        self.assertEqual(shown["path"][0], os.path.dirname(path))

    def test_module_code_and_stdin(self) -> None:
        self.write("package/__main__.py", SHOW)
        self.assertEqual(self.assert_same_show("-m", "package", "-c", "x")["argv"][1:], ["-c", "x"])
        self.assertEqual(self.assert_same_show("-c", textwrap.dedent(SHOW), "-m")["argv"], ["-c", "-m"])
        self.assertEqual(self.assert_same_show("-", "x", stdin=textwrap.dedent(SHOW))["argv"], ["-", "x"])

    def test_directory_and_zip(self) -> None:
        self.write("folder/__main__.py", SHOW)
        self.assert_same_show("folder", "x")
        shutil.make_archive(os.path.join(self.folder, "app"), "zip", os.path.join(self.folder, "folder"))
        os.rename(os.path.join(self.folder, "app.zip"), os.path.join(self.folder, "app.pyz"))
        self.assert_same_show("app.pyz", "x")

    def test_flags_and_encoding_in_the_c_locale(self) -> None:
        path = self.write("app.py", SHOW)
        for more in ({}, {"LC_CTYPE": "C"}, {"LC_ALL": "C"}, {"LC_CTYPE": "C.UTF-8"}, {"LANG": "C.UTF-8"}):
            env = {name: value for name, value in self.env.items() if name != "LANG" and not name.startswith("LC_")}
            with unittest.mock.patch.object(self, "env", {**env, **more}):
                self.assert_same_show(path)

    def test_users_pythonpath_stays_as_it_is(self) -> None:
        path = self.write("app.py", SHOW)
        self.write("a/own.py", "")
        for value in ("a", f"{self.folder}/a:b", "a:", ":a", "", ":", "a::b"):
            self.assert_same_show(path, PYTHONPATH=value)
            shown = json.loads(self.sneck("-c", "import json, os; print(json.dumps(os.environ['PYTHONPATH']))",
                                          PYTHONPATH=value).out)
            self.assertEqual(shown, f"{BOOTSTRAP}:{value}" if value else BOOTSTRAP)

    def test_bootstrap_is_there_once_when_nested(self) -> None:
        argv = [*COMMAND[1:], "run", "-c", "import os; print(os.environ['PYTHONPATH'])"]
        ended = self.sneck(sys.executable, *argv, PYTHONPATH="x")
        self.assertEqual((ended.status, ended.out), (0, f"{BOOTSTRAP}:x\n"))

    def test_traceback_of_an_uncaught_exception(self) -> None:
        path = self.write("app.py", "def f():\n    1 / 0\n\nf()\n")
        ended = self.assert_same(path)
        self.assertEqual(ended.status, 1)
        self.assertIn("ZeroDivisionError", ended.err)
        self.assertEqual(self.assert_same("missing.py").status, 2)

    def test_exit_statuses(self) -> None:
        for code, status in (("import sys; sys.exit(3)", 3), ("import sys; sys.exit('bye')", 1), ("import os; os._exit(9)", 9),
                             ("raise SystemExit", 0), ("raise KeyboardInterrupt", -signal.SIGINT),
                             ("import os; os.abort()", -signal.SIGABRT)):
            self.assertEqual(self.assert_same("-c", code).status, status, code)

    def test_death_by_a_signal(self) -> None:
        # under nohup it is ignored, and what it starts inherits that
        self.addCleanup(signal.signal, signal.SIGHUP, signal.signal(signal.SIGHUP, signal.SIG_DFL))
        for name in ("SIGTERM", "SIGINT", "SIGKILL", "SIGHUP", "SIGUSR1"):
            number = getattr(signal, name)
            code = f"import os, signal, time; os.kill(os.getpid(), {int(number)}); time.sleep(20)"
            self.assertEqual(self.assert_same("-c", code).status, -number, name)

    def test_there_is_no_process_in_between(self) -> None:
        process = subprocess.Popen([*COMMAND, "run", "-c", "import os; print(os.getpid())"], stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, env=self.env, text=True)
        out, _ = process.communicate(timeout=60)
        self.assertEqual(int(out), process.pid)

    def test_lazy_imports_do_not_put_the_start_off(self) -> None:
        own = self.write("own/sitecustomize.py", "print('own')")
        ended = self.sneck("-c", "import sys; print('sneck.auto' in sys.modules)", PYTHON_LAZY_IMPORTS="all",
                           PYTHONPATH=os.path.dirname(own))
        self.assertEqual(ended, (0, "own\nTrue\n", ""))


class Customize(Case):
    """The program's own sitecustomize and usercustomize."""

    SHOW = """
        import sys
        module = sys.modules.get("sitecustomize")
        print(module and (module.__file__, module.__spec__.name, module.__spec__.origin, sorted(vars(module))))
        print([name for name in sys.modules if name.endswith("customize")])
    """

    def test_own_sitecustomize_runs_once_as_itself(self) -> None:
        self.write("own/sitecustomize.py", "import sys\nprint('own', __name__, __file__)\nANSWER = 42\n")
        self.write("other/sitecustomize.py", "print('other')")
        path = self.write("app.py", self.SHOW)
        ended = self.assert_same(path, PYTHONPATH=f"{self.folder}/own:{self.folder}/other")
        self.assertEqual(ended.out.count("own sitecustomize"), 1)
        self.assertNotIn("other\n", ended.out)
        self.assertIn("'ANSWER'", ended.out)

    def test_without_one_there_is_none(self) -> None:
        path = self.write("app.py", self.SHOW)
        self.assertNotIn("sneck", self.assert_same(path).out)

    def test_package_as_sitecustomize(self) -> None:
        self.write("own/sitecustomize/__init__.py", "from . import part")
        self.write("own/sitecustomize/part.py", "print('part')")
        ended = self.assert_same(self.write("app.py", self.SHOW), PYTHONPATH=f"{self.folder}/own")
        self.assertTrue(ended.out.startswith("part\n"))

    def test_its_errors_are_told_as_ever(self) -> None:
        for code in ("1 / 0", "import nonesuch", "raise ImportError('why', name='sitecustomize')"):
            self.write("own/sitecustomize.py", code)
            self.assertEqual(self.assert_same("-c", "print('program')", PYTHONPATH=f"{self.folder}/own").out, "program\n")

    def test_it_may_end_the_process(self) -> None:
        self.write("own/sitecustomize.py", "raise SystemExit(5)")
        ends = [self.call([*command, "-c", "print('program')"], PYTHONPATH=f"{self.folder}/own")
                for command in ([sys.executable], [*COMMAND, "run"])]
        self.assertEqual(ends[0][:2], ends[1][:2])
        for end in ends:
            self.assertIn("\nSystemExit: 5\n", end.err)

    def test_usercustomize_runs_untouched(self) -> None:
        version = "python%d.%d" % sys.version_info[:2]
        self.write(f"base/lib/{version}/site-packages/usercustomize.py", "print('user', __file__)")
        ended = self.assert_same(self.write("app.py", self.SHOW), PYTHONUSERBASE=f"{self.folder}/base")
        if sys.prefix == sys.base_prefix:
            self.assertIn("usercustomize.py", ended.out)

    def test_any_python_can_read_the_bootstrap(self) -> None:
        with open(os.path.join(BOOTSTRAP, "sitecustomize.py"), encoding="ascii") as file:
            source = file.read()
        tree = ast.parse(source, feature_version=(3, 4))
        self.assertFalse([node for node in ast.walk(tree) if isinstance(node, (ast.JoinedStr, ast.AnnAssign))])

    def test_old_and_other_interpreters_go_on(self) -> None:
        tried = 0
        for name in ("python2.7", "python2", "python3.6", "python3.7", "python3.8", "python3.9", "pypy3", "python3.14t",
                     "python3.13t"):
            if not shutil.which(name) or self.call([name, "-c", ""]).status:
                continue
            tried += 1
            code = "import sys; print(sys.argv[1])"
            done = subprocess.run([*COMMAND, "run", name, "-c", code, "x"], capture_output=True, text=True, env=self.env)
            self.assertEqual((done.returncode, done.stdout), (0, "x\n"), name)
            self.assertRegex(done.stderr, r"\Asneck: not profiling: this is .*; sneck needs .*\n\Z")
            quiet = subprocess.run([*COMMAND, "run", name, "-c", code, "x"], capture_output=True, text=True,
                                   env={**self.env, "SNECK_ENABLED": "0"})
            self.assertEqual((quiet.returncode, quiet.stdout, quiet.stderr), (0, "x\n", ""), name)
        if not tried:
            self.skipTest("no interpreter here that sneck does not serve")


class Commands(Case):
    """What may stand for PROGRAM."""

    def test_console_script_on_path(self) -> None:
        self.write("bin/tool", f"#!{sys.executable}\n" + textwrap.dedent(SHOW), 0o755)
        env = {"PATH": f"{self.folder}/bin:{self.env['PATH']}"}
        ended = self.assert_same("tool", "run", "--help", by_python=False, **env)
        self.assertEqual(json.loads(ended.out)["argv"][1:], ["run", "--help"])

    def test_command_beside_the_interpreter(self) -> None:
        name = os.path.basename(sys.executable)
        with unittest.mock.patch.dict(os.environ, PATH="/nonexistent"):
            self.assertIsNone(shutil.which(name))
            self.assertEqual(run.command([name, "-V"]), (sys.executable, [sys.executable, "-V"]))
            self.assertEqual(run.command([f"{name}-none", "-V"]), (f"{name}-none", [f"{name}-none", "-V"]))

    def test_script_in_the_folder_loses_to_a_command_unless_it_ends_in_py(self) -> None:
        self.write("bin/tool", "#!/bin/sh\necho command\n", 0o755)
        self.write("tool", "print('script')")
        self.write("tool.py", "print('script')", 0o755)
        path = f"{self.folder}/bin:{self.env['PATH']}"
        self.assertEqual(self.sneck("tool", PATH=path).out, "command\n")
        self.assertEqual(self.sneck("./tool", PATH=path).out, "script\n")
        self.assertEqual(self.sneck("tool.py", PATH=path).out, "script\n")
        self.assertEqual(self.sneck("tool").out, "script\n")

    def test_any_command_with_its_status(self) -> None:
        self.assertEqual(self.assert_same("sh", "-c", "echo $0 $1; exit 7", "a", "b", by_python=False), (7, "a b\n", ""))
        self.assertEqual(self.assert_same("sh", "-c", "kill -TERM $$", by_python=False).status, -signal.SIGTERM)

    def test_broken_pipes_end_commands_as_ever(self) -> None:
        code = "while echo x; do :; done | head -1; echo ${PIPESTATUS[0]}"
        if shutil.which("bash"):
            self.assertEqual(self.assert_same("bash", "-c", code, by_python=False).out, "x\n141\n")

    def test_environment_of_a_venv_decides_the_interpreter(self) -> None:
        fake = self.write("venv/bin/python", "#!/bin/sh\necho venv \"$@\"\n", 0o755)
        script = self.write("app.py", "")
        ended = self.sneck(script, "x", VIRTUAL_ENV=os.path.dirname(os.path.dirname(fake)))
        self.assertEqual(ended.out, f"venv {script} x\n" if sys.prefix == sys.base_prefix else "")

    def test_program_that_cannot_be_run(self) -> None:
        self.assertEqual(self.sneck("no-such-command"),
                         (127, "", "sneck run: no-such-command: No such file or directory\n"))
        path = self.write("broken", "#!/no/such/interpreter\n", 0o755)
        self.assertEqual(self.sneck(path).status, 127)
        self.assertEqual(self.sneck(self.write("text", "no program", 0o755)).status, 126)

    def test_usage_errors(self) -> None:
        for arguments in ((), ("--",), ("--no-such-option", "x.py"), ("-x",)):
            ended = self.sneck(*arguments)
            self.assertEqual((ended.status, ended.out), (2, ""), arguments)
            self.assertIn("usage: sneck run", ended.err)
        ended = self.sneck("--help")
        self.assertEqual((ended.status, ended.err), (0, ""))

    def test_a_mistake_in_a_variable_is_one_line(self) -> None:
        """The command looks at the options too, but leaves the words to the program that it starts."""
        ended = self.sneck(self.write("quick.py", ""), SNECK_CAPTURE_PCT="lots")
        if WHOLE:
            self.assertEqual(ended.err, 'sneck: SNECK_CAPTURE_PCT="lots" is not a number: the default, "1", is used\n')
        self.assertEqual(ended.status, 0)

    def test_version(self) -> None:
        import sneck
        ended = self.call([*COMMAND, "--version"])
        self.assertEqual(ended, (0, f"sneck {sneck.__version__}\n" if WHOLE else ended.out, ended.err))

    def test_python_deaf_to_its_environment_is_said(self) -> None:
        for flag in ("-I", "-E", "-S", "-bIv"[:3]):
            ended = self.sneck(sys.executable, flag, "-c", "import sys; print('sneck' in sys.modules)")
            self.assertEqual((ended.status, ended.out), (0, "False\n"))
            self.assertEqual(ended.err, f"sneck run: {sys.executable} runs Python with {flag}, "
                                        "which keeps sneck out: it is not profiled\n")
        path = self.write("tool", f"#!{sys.executable} -I\nprint('x')\n", 0o755)
        self.assertEqual(self.sneck(path), (0, "x\n", f"sneck run: {path} runs Python with -I, "
                                                      "which keeps sneck out: it is not profiled\n"))

    def test_python_that_is_deaf_and_need_not_listen_is_no_matter(self) -> None:
        deaf = sys.executable, "-I", "-c", "print(1)"
        for env in ({"SNECK_QUIET": "1"}, {"SNECK_QUIET": " Yes "}, {"SNECK_ENABLED": "0"},
                    {"DD_PROFILING_ENABLED": "off"}):
            self.assertEqual(self.sneck(*deaf, **env), (0, "1\n", ""), env)
        for option in ("--quiet", "--no-enabled") if WHOLE else ():
            self.assertEqual(self.sneck(option, *deaf), (0, "1\n", ""), option)
        for env in ({"SNECK_QUIET": "0"}, {"SNECK_ENABLED": "1", "DD_PROFILING_ENABLED": "0"}):
            self.assertIn("it is not profiled", self.sneck(*deaf, **env).err, env)

    def test_python_that_listens_is_not_said_to_be_deaf(self) -> None:
        for words in (["-c", "-I"], ["-m", "-E"], ["app.py", "-S"], ["-W", "error"], ["-X", "dev"], ["-uB", "-O"], []):
            self.assertEqual(run.deaf_flag("/usr/bin/python3", words), "", words)
        self.assertEqual(run.deaf_flag("/usr/bin/python3.12", ["-O", "-sE", "app.py"]), "-sE")
        self.assertEqual(run.deaf_flag("/bin/sh", ["-E"]), "")

    def test_module_runs_as_the_command(self) -> None:
        ended = self.call([sys.executable, "-m", "sneck", "run", "-c", "print(6 * 7)"], PYTHONPATH=STAGE)
        self.assertEqual(ended, (0, "42\n", ""))
        self.assertEqual(self.call([sys.executable, "-m", "sneck"], PYTHONPATH=STAGE).status, 2)


class Options(Case):
    """From the table, to the environment."""

    ROWS = [{"name": "output", "type": "str", "variables": ["SNECK_OUTPUT", "DD_OUTPUT"], "default": "out/", "help": "x"},
            {"name": "capture_pct", "type": "float", "variables": ["SNECK_CAPTURE_PCT"], "default": 1.0, "help": "100 %"},
            {"name": "quiet", "type": "bool", "variables": ["SNECK_QUIET"], "default": False, "help": "x"}]

    def test_program_starts_where_our_options_end(self) -> None:
        for argv, ours in (("--quiet app.py --quiet", 1), ("--capture-pct 5 app.py", 2), ("--capture-pct=5 app.py", 1),
                           ("--capture-pct 5 --no-quiet -m x --quiet", 3), ("-c code -c", 0), ("- x", 0), ("app.py", 0)):
            words = argv.split()
            self.assertEqual(run.split(words, self.ROWS), (words[:ours], words[ours:]))
        self.assertEqual(run.split(["--quiet", "--", "--odd"], self.ROWS), (["--quiet"], ["--odd"]))

    def test_variables_for_what_was_chosen(self) -> None:
        parser = run.build_parser(self.ROWS)
        chosen = vars(parser.parse_args(["--capture-pct", "0.50", "--no-quiet"]))
        self.assertEqual(run.variables(self.ROWS, chosen, {}),
                         {"SNECK_CAPTURE_PCT": "0.50", "SNECK_QUIET": "0", "SNECK_OUTPUT_DEFAULT": os.path.abspath("out") + "/"})

    def test_output_is_absolute_and_by_rank(self) -> None:
        here = os.getcwd().rstrip("/")
        for chosen, env, where in (({"output": "a"}, {"SNECK_OUTPUT": "b"}, {"SNECK_OUTPUT": f"{here}/a"}),
                                   ({}, {"SNECK_OUTPUT": "b/", "DD_OUTPUT": "c"}, {"SNECK_OUTPUT": f"{here}/b/"}),
                                   ({}, {"SNECK_OUTPUT": "", "DD_OUTPUT": "c"}, {"DD_OUTPUT": f"{here}/c"}),
                                   ({}, {}, {"SNECK_OUTPUT_DEFAULT": f"{here}/out/"})):
            self.assertEqual(run.variables(self.ROWS, chosen, env), where)

    @needs_extension
    def test_every_option_of_the_table_but_secrets_is_one_of_the_command(self) -> None:
        text = self.sneck("--help", COLUMNS="1000").out
        for row in extension.function("options")():
            check = self.assertNotIn if row["secret"] else self.assertIn
            check(run.flag(row), text)
            check(row["variables"][0], text)

    @needs_extension
    def test_options_reach_the_program(self) -> None:
        code = "import sneck; print(sneck.status()['options']['capture_pct'])"
        ended = self.sneck("--capture-pct", "12.5", "-c", code)
        self.assertEqual(ended, (0, "{'value': 12.5, 'source': 'SNECK_CAPTURE_PCT'}\n", ""))
        self.assertEqual(self.sneck("--capture-pct", "many", "-c", code).status, 2)


LOCKS = """
    import threading
    lock = threading.Lock()
    for _ in range(100):
        with lock:
            pass
"""


class Off(Case):
    """Switched off, or not to be loaded: the program runs, and hears at most one line."""

    def test_switched_off_by_either_variable(self) -> None:
        code = "import sys; print([name for name in sys.modules if 'sneck' in name])"
        for env in ({"SNECK_ENABLED": "0"}, {"DD_PROFILING_ENABLED": "0"}, {"DD_PROFILING_ENABLED": " Off "},
                    {"SNECK_ENABLED": "no", "DD_PROFILING_ENABLED": "1"}):
            self.assertEqual(self.sneck("-c", code, **env), (0, "[]\n", ""), env)
        on = {"SNECK_ENABLED": "1", "DD_PROFILING_ENABLED": "0"}
        self.assertIn("sneck.auto", self.sneck("-c", code, **on).out)

    def copy_of_package(self, with_garbage: bool) -> str:
        place = os.path.join(self.folder, "copy")
        shutil.copytree(PACKAGE, os.path.join(place, "sneck"), ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        if with_garbage:
            self.write("copy/sneck/_sneck.abi3.so", "garbage")
        return place

    def assert_steps_back(self, place: str, what: str) -> None:
        for argv in ([sys.executable, "-m", "sneck", "run", "-c", "print(1)"],
                     [sys.executable, "-c", "import sneck.auto; import sneck.auto; print(1)"]):
            ended = subprocess.run(argv, capture_output=True, text=True, env={**self.env, "PYTHONPATH": place})
            self.assertEqual((ended.returncode, ended.stdout), (0, "1\n"))
            self.assertRegex(ended.stderr, r"\Asneck: not profiling: .*make install\n\Z")
            self.assertIn(what, ended.stderr)
        quiet = subprocess.run([sys.executable, "-m", "sneck", "run", "-c", "print(1)"], capture_output=True, text=True,
                               env={**self.env, "PYTHONPATH": place, "SNECK_QUIET": "1"})
        self.assertEqual((quiet.returncode, quiet.stdout, quiet.stderr), (0, "1\n", ""))
        ended = subprocess.run([sys.executable, "-c", "import sneck; sneck.start()"], capture_output=True, text=True,
                               env={**self.env, "PYTHONPATH": place})
        self.assertEqual(ended.returncode, 1)
        self.assertRegex(ended.stderr, r"ImportError: .*make install\n\Z")
        ended = subprocess.run([sys.executable, "-m", "sneck", "run", "--capture-pct", "1", "-c", "print(1)"],
                               capture_output=True, text=True, env={**self.env, "PYTHONPATH": place})
        self.assertEqual((ended.returncode, ended.stdout), (2, ""))
        self.assertIn("no options are known: ", ended.stderr)

    def test_extension_that_is_missing(self) -> None:
        self.assert_steps_back(self.copy_of_package(with_garbage=False), "No module named 'sneck._sneck'")

    def test_extension_that_does_not_load(self) -> None:
        self.assert_steps_back(self.copy_of_package(with_garbage=True), "_sneck.abi3.so: ")

    def test_missing_library_is_named_with_its_package(self) -> None:
        for library, package in (("libjansson.so.4", "libjansson4"), ("libprotobuf-c.so.1", "libprotobuf-c1")):
            error = ImportError(f"{library}: cannot open shared object file: No such file or directory")
            self.assertIn(f"install the package {package} ", extension.remedy(error))

    def test_closed_stderr_hurts_nobody(self) -> None:
        place = self.copy_of_package(with_garbage=True)
        ended = subprocess.run(["sh", "-c", f"exec {sys.executable} -m sneck run -c 'print(1)' 2>&-"],
                               capture_output=True, text=True, env={**self.env, "PYTHONPATH": place})
        self.assertEqual((ended.returncode, ended.stdout), (0, "1\n"))


@needs_extension
class Profiled(Case):
    """Whatever becomes a Python process leaves a file."""

    def processes(self) -> set[int]:
        folder = os.path.join(self.folder, "profiles")
        names = os.listdir(folder) if os.path.isdir(folder) else []
        return {int(name.split(".")[-3]) for name in names if name.endswith(".pprof")}

    def assert_profiled(self, *arguments: str, children: int = 0, **env: str) -> None:
        ended = self.sneck("--capture-pct", "100", *arguments, **env)
        self.assertEqual((ended.status, ended.err), (0, ""))
        pids = set(map(int, ended.out.split()))
        self.assertEqual(len(pids), 1 + children, ended.out)
        self.assertLessEqual(pids, self.processes())

    def program(self, more: str = "") -> str:
        """Uses a lock and prints its pid."""
        return textwrap.dedent(LOCKS) + "import os\nprint(os.getpid(), flush=True)\n" + textwrap.dedent(more)

    def test_script_module_code(self) -> None:
        self.write("package/__main__.py", self.program())
        self.assert_profiled(self.write("app.py", self.program()))
        self.assert_profiled("-m", "package")
        self.assert_profiled("-c", self.program())

    def test_files_are_called_after_the_module_however_it_is_said(self) -> None:
        self.write("package/__main__.py", self.program())
        said = (["-m", "package"], ["-mpackage"], [sys.executable, "-Bm", "package"],
                [sys.executable, "-Xutf8", "-m", "package"])
        for words in said:
            self.assert_profiled(*words)
        names = os.listdir(os.path.join(self.folder, "profiles"))
        self.assertEqual([name.split(".")[0] for name in names], ["package"] * len(said))

    def test_console_script_and_children_of_a_shell(self) -> None:
        path = self.write("bin/tool", f"#!{sys.executable}\n" + self.program(), 0o755)
        self.assert_profiled("tool", PATH=f"{self.folder}/bin:{self.env['PATH']}")
        self.assert_profiled("sh", "-c", f"{path}; {path}", children=1)

    def test_subprocesses_by_plain_executable(self) -> None:
        child = self.write("child.py", self.program())
        self.assert_profiled(self.write("app.py", self.program(f"""
            import subprocess, sys
            subprocess.run([sys.executable, {child!r}], check=True, cwd="/")
            subprocess.run([sys.executable, "-c", open({child!r}).read()], check=True)
        """)), children=2)

    def test_multiprocessing_by_each_method(self) -> None:
        for method in ("spawn", "fork", "forkserver"):
            path = self.write(f"{method}.py", f"""
                import multiprocessing, os, threading

                def work():
                    lock = threading.Lock()
                    for _ in range(100):
                        with lock:
                            pass
                    print(os.getpid(), flush=True)

                if __name__ == "__main__":
                    work()
                    child = multiprocessing.get_context({method!r}).Process(target=work)
                    child.start()
                    child.join()
                    assert child.exitcode == 0, child.exitcode
            """)
            with self.subTest(method=method):
                self.assert_profiled(path, children=1)

    def test_child_that_changes_its_directory(self) -> None:
        self.env.pop("SNECK_OUTPUT")
        self.assert_profiled("--output", "profiles/", "-c", "import os; os.chdir('/')\n" + self.program())

    def test_death_by_sigterm_writes_the_last_profile_once(self) -> None:
        code = textwrap.dedent(LOCKS) + "import os, signal; os.kill(os.getpid(), signal.SIGTERM); signal.pause()"
        ended = self.sneck("--capture-pct", "100", "-c", code)
        self.assertEqual(ended, (-signal.SIGTERM, "", ""))
        self.assertEqual(len(os.listdir(os.path.join(self.folder, "profiles"))), 1)

    def test_auto_starts_at_once_and_once(self) -> None:
        code = "import sneck.auto, sneck, importlib; importlib.reload(sneck.auto); print(sneck.status()['running'])"
        self.assertEqual(self.call([sys.executable, "-c", code], PYTHONPATH=STAGE), (0, "True\n", ""))
        code = "import sneck; sneck.start(); import sneck.auto; print(sneck.status()['running']); sneck.stop()"
        self.assertEqual(self.call([sys.executable, "-c", code], PYTHONPATH=STAGE), (0, "True\n", ""))

    def test_auto_works_in_a_program_run_by_sneck(self) -> None:
        code = "import sneck.auto, sneck; print(sneck.status()['running'])"
        self.assertEqual(self.sneck("-c", code), (0, "True\n", ""))

    def test_virtual_environment_without_sneck(self) -> None:
        if subprocess.run([sys.executable, "-m", "venv", "--without-pip", os.path.join(self.folder, "venv")],
                          capture_output=True, env=self.env).returncode:
            self.skipTest("no module venv here")
        self.assert_profiled(os.path.join(self.folder, "venv", "bin", "python"), "-c", self.program())


if __name__ == "__main__":
    unittest.main()
