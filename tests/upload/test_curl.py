"""libcurl is loaded for a sink that speaks HTTP, and for no other; without it such a sink is refused, and nothing else."""
# Interpreters: two

import glob
import os
import shutil
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "python")]

import certificates  # noqa: E402
import support  # noqa: E402
from intake import Intake  # noqa: E402
from program import Program  # noqa: E402

HELPER = "_sneck_curl.so"


class Loaded(support.Case):
    def test_not_by_a_program_that_writes_files_nor_by_its_children(self) -> None:
        with tempfile.TemporaryDirectory() as folder, Program({"SNECK_OUTPUT": os.path.join(folder, "p")}) as program:
            program("use", 50)
            program("flush")
            for library in HELPER, "libcurl":
                self.assertEqual(program("maps", library), [0, 0])
            program("use", 7)
            self.assertEqual(program.end().plain, (0, ""))
            self.assertEqual(support.read_rows(folder).of("counted").acquires, 57)

    def test_by_the_start_of_one_that_uploads(self) -> None:
        with Intake() as intake:
            for env in {"DD_TRACE_AGENT_URL": intake.url}, {"PYROSCOPE_SERVER_ADDRESS": intake.url}:
                with self.subTest(env=env), Program(env) as program:
                    for library in HELPER, "libcurl":
                        here, in_child = program("maps", library)
                        self.assertGreater(here, 0, library)
                        self.assertEqual(in_child, here, library)
                    program.end()

    def test_by_a_later_start_from_a_folder_that_was_relative_once(self) -> None:
        """Found beside the extension, wherever the program has gone since it was imported."""
        stage = os.path.abspath(os.environ["PYTHONPATH"].split(os.pathsep)[0])
        ran = support.run_child(f"""
            import os
            os.chdir({os.path.dirname(stage)!r})
            sys.path.insert(0, {os.path.basename(stage)!r})
            import sneck
            sneck.start(output=output)
            sneck.stop()
            os.chdir("/")
            sneck.start(agent_url="http://127.0.0.1:9")
            print(any({HELPER!r} in line for line in open("/proc/self/maps")))
            """, start=None)
        self.assert_clean(ran)
        self.assertEqual(ran.out, "True\n")


class Missing(support.Case):
    """A copy of the package with something wrong about its part for HTTP."""

    def setUp(self) -> None:
        import sneck
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        shutil.copytree(os.path.dirname(os.path.abspath(sneck.__file__)), os.path.join(held.name, "sneck"))
        self.helper = os.path.join(held.name, "sneck", HELPER)
        self.env = {"PYTHONPATH": held.name}

    def change(self, old: bytes, new: bytes) -> None:
        with open(self.helper, "rb") as file:
            data = file.read()
        self.assertIn(old, data)
        os.unlink(self.helper)          # not written into: whoever runs has it mapped
        with open(self.helper, "wb") as file:
            file.write(data.replace(old, new))

    def assert_refused(self, *words: str) -> None:
        """One line with these words in it; the program goes on, and ends by its own status."""
        with Program({**self.env, "DD_TRACE_AGENT_URL": "http://127.0.0.1:9"}) as program:
            self.assertEqual(program("use", 50), 50)
            status = program("status")
            child = program("fork", 3)[1]
            ended = program.end(3)
        self.assertEqual((ended.status, child, status["running"]), (3, 0, False))
        line, = ended.err.splitlines()
        self.assertTrue(line.startswith("sneck: not profiling: no upload by HTTP: "), line)
        for word in words:
            self.assertIn(word, line)

    def test_our_part(self) -> None:
        os.unlink(self.helper)
        self.assert_refused("install sneck again, a part is missing: ", "/" + HELPER)

    def test_libcurl(self) -> None:
        self.change(b"libcurl", b"libcuri")
        self.assert_refused("install the package libcurl4 (Fedora: libcurl): libcuri", "annot open shared object file")

    def test_a_function_of_libcurls(self) -> None:
        self.change(b"curl_multi_wakeup\0", b"curl_multi_wakeap\0")
        self.assert_refused("install the package libcurl4", "undefined symbol: curl_multi_wakeap")

    def test_a_part_of_another_build(self) -> None:
        self.change(b"multi_wakeup ", b"multi_socket ")
        self.assert_refused("install sneck again, a part is of another build: ", "/" + HELPER)

    def test_files_are_written_all_the_same(self) -> None:
        os.unlink(self.helper)
        with Program({**self.env, "SNECK_OUTPUT": "p"}) as program:
            program("use", 50)
            self.assertEqual(program.end(3).plain, (3, ""))
            path, = glob.glob(os.path.join(program.folder.name, "p.*.pprof"))
            self.assertEqual(support.read_file(path).of("counted").acquires, 50)

    def test_another_start_finds_it_once_it_is_there(self) -> None:
        kept = self.helper + ".kept"
        os.rename(self.helper, kept)
        with Intake() as intake, Program(self.env, how="bare") as program:
            self.assertRegex(program("start_refused", agent_url=intake.url), "RuntimeError: .*a part is missing")
            os.rename(kept, self.helper)
            program("start", agent_url=intake.url)
            program("use", 50)
            self.assertEqual(program.end().plain, (0, ""))
            upload, = intake.wait(1)
            self.assertEqual((upload.rows.of("counted").acquires, intake.violations()), (50, []))


class Ending(support.Case):
    @unittest.skipUnless(certificates.available(), "no openssl command here")
    def test_by_exit_of_c_where_only_a_later_start_loaded_it(self) -> None:
        """The TLS library's handler for the end is newer than that of our first start, and would run before it."""
        with Intake(tls="good") as intake, Program({"SNECK_CA_FILE": intake.ca}, how="bare") as program:
            for sink in {"output": "p"}, {"agent_url": intake.url}, {"output": "q"}, {"agent_url": intake.url}:
                if program("status")["running"]:
                    program("stop")
                program("start", **sink)
            program("use", 50)
            self.assertEqual(program.end(6, word="exit_of_c").plain, (6, ""))
            upload, = intake.wait(1)
            self.assertEqual((upload.transport, upload.rows.of("counted").acquires), ("tls", 50))
            self.assertEqual(intake.violations(), [])


if __name__ == "__main__":
    unittest.main()
