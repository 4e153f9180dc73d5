"""What a Datadog upload says: whose it is, in which process, and where it came from."""
# Interpreters: two

import json
import os
import socket
import subprocess
import sys
import tempfile
import textwrap
import unittest
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "python"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from behaviour import Behaviour  # noqa: E402
from intake import Intake  # noqa: E402

PROGRAM = """
import sneck.auto, sneck, os, sys, threading
user_lock = threading.Lock()
def work(times):
    for _ in range(times):
        with user_lock:
            pass
"""
KEY = "0123456789abcdef0123456789abcdef"
ALONE = ("SNECK_", "DD_", "FLASK_")
VERSION = ".".join(map(str, sys.version_info[:3]))


class Case(unittest.TestCase):
    def setUp(self) -> None:
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.folder = os.path.realpath(held.name)
        intake = Intake()
        self.addCleanup(intake.__exit__)
        self.intake = intake

    def write(self, path: str, code: str = "") -> str:
        whole = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(code))
        return whole

    def run_python(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        env = {name: value for name, value in os.environ.items() if not name.startswith(ALONE)}
        env.update(SNECK_CAPTURE_PCT="100", SNECK_UPLOAD_INTERVAL="3600", PYTHONDONTWRITEBYTECODE="1",
                   DD_TRACE_AGENT_URL=self.intake.url)
        env.update(variables)
        return subprocess.run([sys.executable, *arguments], cwd=self.folder, env=env, capture_output=True, text=True,
                              timeout=120, check=False)

    def uploads(self, count: int, *arguments: str, **variables: str) -> list[Any]:
        """Run a program to its end; what arrived, all of it as the intake wants it."""
        ran = self.run_python(*arguments, **variables)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        found = self.intake.wait(count)
        self.assertEqual(len(found), count)
        self.assertEqual(self.intake.violations(), [])
        return found

    def upload(self, *arguments: str, **variables: str) -> Any:
        return self.uploads(1, *arguments, **variables)[0]


class Identity(Case):
    def test_script_in_a_directory(self) -> None:
        path = self.write("shop/run.py", PROGRAM + "work(7)\n")
        upload = self.upload(path)
        self.assertEqual(upload.rows.of("user_lock").acquires, 7)
        self.assertEqual({name: upload.tags.get(name) for name in ("service", "runtime_version", "language", "runtime")},
                         {"service": "shop", "runtime_version": VERSION, "language": "python", "runtime": "CPython"})
        self.assertEqual(upload.event["process_tags"].split(",")[:3],
                         ["entrypoint.basedir:shop", "entrypoint.name:run", "entrypoint.type:script"])
        self.assertEqual(upload.event["process_tags"].split(",")[-1], "svc.auto:shop")
        self.assertNotIn("process_type", upload.tags)
        self.assertNotIn("host", upload.tags)

    def test_module(self) -> None:
        self.write("shop/__init__.py")
        self.write("shop/jobs.py", PROGRAM + "work(1)\n")
        upload = self.upload("-X", "utf8", "-m", "shop.jobs", "--fast", DD_ENV="test")
        self.assertEqual((upload.tags["service"], upload.tags["python_main_package"]), ("shop.jobs", "shop"))
        self.assertIn("entrypoint.name:shop.jobs,entrypoint.type:module", upload.event["process_tags"])

    def test_console_script_of_a_server(self) -> None:
        path = self.write("venv/bin/gunicorn", PROGRAM + "work(1)\n")
        self.assertEqual(self.upload(path, "-w", "2", "shop.wsgi:app").tags["service"], "shop.wsgi")

    def test_status_tells_as_whom(self) -> None:
        ran = self.run_python("-c", PROGRAM + "import json; work(1); print(json.dumps(sneck.status()['upload']))",
                              DD_TAGS="service:tagged")
        self.assertEqual(ran.stderr, "")
        told = json.loads(ran.stdout)
        upload, = self.intake.wait(1)
        self.assertEqual((told["service"], told["runtime_id"]), ("tagged", upload.runtime_id))

    def test_code_has_no_name(self) -> None:
        self.assertEqual(self.upload("-c", PROGRAM + "work(1)").tags["service"], "unnamed-python-service")

    def test_spawned_child_is_of_its_parents_service(self) -> None:
        path = self.write("shop/run.py", PROGRAM + """
import multiprocessing
if __name__ == "__main__":
    child = multiprocessing.get_context("spawn").Process(target=work, args=(5,))
    child.start()
    child.join()
""")
        # started by site, as sneck run has it: long before multiprocessing tells the child who it is
        self.write("site/sitecustomize.py", "import sneck.auto\n")
        python_path = os.pathsep.join([os.path.join(self.folder, "site"), os.environ.get("PYTHONPATH", "")])
        upload = self.upload(path, PYTHONPATH=python_path)
        self.assertEqual(upload.rows.of("user_lock").acquires, 5)
        self.assertEqual(upload.tags["service"], "shop")
        self.assertIn("entrypoint.name:run,", upload.event["process_tags"])

    def test_what_the_user_says(self) -> None:
        upload = self.upload("-c", PROGRAM + "work(1)", DD_SERVICE="front", DD_ENV="prod", DD_VERSION="1.2",
                             DD_TAGS="team:core,service:other,git.commit.sha:abc,evil:a\r\nX-Evil: b",
                             DD_PROFILING_TAGS="team:locks extra:1",
                             DD_GIT_REPOSITORY_URL="https://me:token@example.com/r.git")
        tags = upload.tags
        self.assertEqual({name: tags.get(name) for name in ("service", "env", "version", "team", "extra")},
                         {"service": "front", "env": "prod", "version": "1.2", "team": "locks", "extra": "1"})
        self.assertEqual(tags["git.repository_url"], "https://example.com/r.git")
        self.assertEqual(tags["git.commit.sha"], "abc")
        self.assertEqual(tags["evil"], "a__X-Evil: b")
        self.assertNotIn("x-evil", upload.headers)
        self.assertIn("svc.user:true", upload.event["process_tags"])

    def test_what_found_no_room_has_a_locks_name_as_well(self) -> None:
        code = PROGRAM + "exec('with user_lock: pass\\n' * 300)"
        upload = self.upload("-c", code, SNECK_PROFILE_MAX_ROWS="16")       # which looks at the labels of each sample
        full = upload.rows.of(lock_name="<profile full>").acquires
        self.assertEqual((full > 0, full + upload.rows.of("user_lock").acquires), (True, 300))

    def test_process_tags_can_be_left_out(self) -> None:
        upload = self.upload("-c", PROGRAM + "work(1)", DD_EXPERIMENTAL_PROPAGATE_PROCESS_TAGS_ENABLED="false",
                             DD_TRACE_GIT_METADATA_ENABLED="0", DD_GIT_COMMIT_SHA="abc")
        self.assertIsNone(upload.event["process_tags"])
        self.assertNotIn("git.commit.sha", upload.tags)


class Processes(Case):
    def test_parent_and_child_have_names_of_their_own(self) -> None:
        code = """
        work(3)
        sneck.flush()
        pid = os.fork()
        work(4 if pid else 5)
        sneck.flush()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        print(os.getpid(), pid)
        """
        uploads = self.uploads(3, "-c", PROGRAM + textwrap.dedent(code))
        first, *rest = uploads
        parent, = [upload for upload in rest if upload.pid == first.pid]
        child, = [upload for upload in rest if upload.pid != first.pid]
        self.assertEqual([upload.rows.of("user_lock").acquires for upload in (first, parent, child)], [3, 4, 5])
        self.assertEqual([upload.tags.get("process_type") for upload in (first, parent, child)], [None, "main", "worker"])
        self.assertEqual(first.runtime_id, parent.runtime_id)
        self.assertNotEqual(first.runtime_id, child.runtime_id)
        self.assertRegex(child.runtime_id, r"^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$")
        self.assertEqual(child.tags["service"], parent.tags["service"])

    def test_periods_follow_each_other(self) -> None:
        first, second = self.uploads(2, "-c", PROGRAM + "work(1); sneck.flush(); work(1)")
        self.assertLessEqual(first.end_ns, second.start_ns)
        self.assertEqual(first.runtime_id, second.runtime_id)


class Internal(Case):
    def test_lost_profiles_are_counted_in_the_next_event(self) -> None:
        self.intake.once(Behaviour(400), Behaviour(413))
        ran = self.run_python("-c", PROGRAM + "for n in range(3):\n    work(4)\n    sneck.flush()\n")
        self.assertEqual(ran.returncode, 0)
        uploads = self.intake.wait(3)
        self.assertEqual(self.intake.violations(), [])
        self.assertEqual([upload.event["internal"]["profiles_lost"] for upload in uploads], [0, 1, 2])
        self.assertEqual([upload.event["internal"]["upload_failures"] for upload in uploads], [0, 1, 2])
        self.assertEqual([upload.event["internal"]["uploads"] for upload in uploads], [0, 0, 0])
        samples = [upload.event["internal"]["samples"] for upload in uploads]
        self.assertEqual(samples, sorted(set(samples)))

    def test_settings_in_force(self) -> None:
        upload = self.upload("-c", PROGRAM + "work(1)", DD_PROFILING_MAX_FRAMES="12", SNECK_LOCK_EXCLUDE_MODULES="logging",
                             SNECK_PYROSCOPE_PASSWORD=KEY, DD_API_KEY=KEY)
        settings = upload.event["info"]["profiler"]["settings"]
        self.assertEqual((settings["capture_pct"], settings["max_frames"], settings["upload_interval"],
                          settings["lock_exclude_modules"]), (100.0, 12, 3600.0, "logging"))
        self.assertEqual(upload.tags["profiler_config"], "lock_CAP100.0_MAXF12")
        self.assertNotIn(KEY, json.dumps(upload.event) + str(upload.header_lines))


class Agentless(Case):
    def test_by_a_relay_with_key_and_host(self) -> None:
        relay = self.intake.url + "/api/v2/profile"
        upload = self.upload("-c", PROGRAM + "work(2); print(sneck.status()['upload'])", DD_TRACE_AGENT_URL="",
                             DD_PROFILING_AGENTLESS="true", DD_API_KEY=KEY + "\n", SNECK_INTAKE_URL=relay)
        self.assertEqual((upload.kind, upload.headers["dd-api-key"]), ("agentless", KEY))
        self.assertEqual(upload.tags["host"], socket.gethostname())
        self.assertEqual(upload.rows.of("user_lock").acquires, 2)

    def test_addresses_that_would_give_the_key_away(self) -> None:
        for variables in ({"SNECK_INTAKE_URL": "http://example.com/x"}, {"DD_SITE": "http://example.com"},
                          {"DD_SITE": "me@example.com"}, {"DD_API_KEY": KEY + "\r\nX: y"}):
            with self.subTest(variables):
                ran = self.run_python("-c", PROGRAM + "work(2)", **{"DD_TRACE_AGENT_URL": "", "DD_PROFILING_AGENTLESS": "1",
                                                                    "DD_API_KEY": KEY, **variables})
                self.assertEqual(ran.returncode, 0)
                self.assertEqual(len(ran.stderr.splitlines()), 1, ran.stderr)
                self.assertNotIn(KEY[:8], ran.stderr)
                self.assertEqual(self.intake.uploads, [])


if __name__ == "__main__":
    unittest.main()
