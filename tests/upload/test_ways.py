"""Every way out of a process, to a server that checks: where it arrives, what it says, and who it says it is."""
# Interpreters: two

import base64
import os
import re
import signal
import sys
import tempfile
import time
import unittest
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "python")]

import certificates  # noqa: E402
import pprof_oracle  # noqa: E402
import support  # noqa: E402
from intake import Intake, Upload  # noqa: E402
from program import Ended, Program  # noqa: E402

KEY = "f00d" * 8


class Case(support.Case):
    def one(self, intake: Intake, env: dict[str, str], **how: Any) -> Upload:
        """A program that takes its lock fifty times and ends: the one upload of it, and nothing wrong with it."""
        with Program(env, **how) as program:
            program("use", 50)
            self.ended = program.end()
            self.pid, self.version = program.pid, program.hello["version"]
        self.assertEqual((self.ended.status, self.ended.err), (0, ""))
        upload, = intake.wait(1)
        self.assertEqual(intake.violations(), [])
        self.assertEqual(upload.rows.of("counted").acquires, 50)
        return upload


class Datadog(Case):
    def test_headers_event_and_profile(self) -> None:
        env = {"DD_SERVICE": "shop", "DD_ENV": "prod", "DD_VERSION": "1.2", "DD_TAGS": "team:red,zone:eu",
               "DD_PROFILING_TAGS": "zone:us,more:yes", "DD_GIT_REPOSITORY_URL": "https://git.example/shop",
               "DD_GIT_COMMIT_SHA": "a" * 40, "DD_EXTERNAL_ENV": "it-false,cn-shop"}
        began = time.time_ns()
        with Intake() as intake:
            upload = self.one(intake, {**env, "DD_TRACE_AGENT_URL": intake.url})
        wanted = {"service": "shop", "env": "prod", "version": "1.2", "team": "red", "zone": "us", "more": "yes",
                  "git.repository_url": "https://git.example/shop", "git.commit.sha": "a" * 40,
                  "process_id": str(self.pid), "runtime_version": self.version}
        self.assertEqual({name: upload.tags.get(name) for name in wanted}, wanted)
        self.assertEqual(upload.headers["datadog-external-env"], "it-false,cn-shop")
        self.assertTrue(upload.headers["user-agent"].startswith("sneck/"))
        self.assertEqual(upload.headers["host"], f"127.0.0.1:{intake.port}")
        self.assertTrue(began <= upload.start_ns < upload.end_ns <= time.time_ns())
        self.assertIn("entrypoint.name:app", upload.event["process_tags"])
        self.assertEqual(upload.event["internal"]["uploads"], 0)
        rows = upload.rows.of("counted")
        self.assertEqual((rows.releases, {row.frames[0][0] for row in rows}), (50, {"use"}))

    def test_what_is_not_known_is_not_sent(self) -> None:
        with Intake() as intake:
            upload = self.one(intake, {"DD_TRACE_AGENT_URL": intake.url})
        self.assertEqual({"env", "version", "host"} & set(upload.tags), set())
        self.assertEqual(upload.tags["service"], "shop")     # inferred from shop/app.py

    def test_a_base_path_is_kept(self) -> None:
        with Intake() as intake:
            upload = self.one(intake, {"DD_TRACE_AGENT_URL": intake.url + "/base/"})
        self.assertEqual(upload.path, "/base/profiling/v1/input")

    def test_host_and_port(self) -> None:
        with Intake() as intake:
            upload = self.one(intake, {"DD_AGENT_HOST": "127.0.0.1", "DD_TRACE_AGENT_PORT": str(intake.port)})
            self.assertEqual(upload.transport, "tcp")

    def test_a_unix_socket(self) -> None:
        with tempfile.TemporaryDirectory() as folder, Intake(unix=os.path.join(folder, "apm.socket")) as intake:
            upload = self.one(intake, {"DD_TRACE_AGENT_URL": intake.url})
        self.assertEqual((upload.transport, upload.peer, upload.headers["host"]), ("unix", self.pid, "localhost"))

    def test_an_agent_by_https(self) -> None:
        if not certificates.available():
            self.skipTest("no openssl command here")
        with Intake(tls="good") as intake:
            for variable in "SNECK_CA_FILE", "SSL_CERT_FILE":
                env = {"DD_TRACE_AGENT_URL": intake.url, variable: intake.ca}
                with Program(env) as program:
                    program("use", 50)
                    self.assertEqual(program.end().plain, (0, ""))
            uploads = intake.wait(2)
        self.assertEqual(([upload.transport for upload in uploads], intake.violations()), (["tls"] * 2, []))

    def test_without_an_agent(self) -> None:
        if not certificates.available():
            self.skipTest("no openssl command here")
        with Intake(tls="good") as intake:
            env = {"DD_PROFILING_AGENTLESS": "1", "DD_API_KEY": KEY, "DD_SITE": f"localhost:{intake.port}",
                   "DD_HOSTNAME": "host-1", "SNECK_CA_FILE": intake.ca}
            upload = self.one(intake, env)
        self.assertEqual((upload.path, upload.headers["dd-api-key"], upload.tags["host"], upload.headers["host"]),
                         ("/api/v2/profile", KEY, "host-1", f"intake.profile.localhost:{intake.port}"))
        self.assertNotIn(KEY, str(upload.event))

    def test_by_arguments_of_start(self) -> None:
        with Intake() as intake, Program(how="bare") as program:
            program("start", agent_url=intake.url, service="shop", tags="a:b", capture_pct=100)
            program("use", 50)
            upload = program.upload
            self.assertEqual((upload["sink"], upload["why"]), ("Datadog agent", "agent_url is an argument of start()"))
            self.assertTrue(upload["target"].startswith(intake.url))
            program("stop")
            arrived, = intake.wait(1)
            self.assertEqual((program.end().plain, intake.violations()), ((0, ""), []))
        self.assertEqual((arrived.tags["service"], arrived.tags["a"]), ("shop", "b"))

    def test_by_sneck_run_and_by_a_signal(self) -> None:
        with Intake() as intake:
            self.one(intake, {"DD_TRACE_AGENT_URL": intake.url}, how="run")
            with Program({"DD_TRACE_AGENT_URL": intake.url}) as program:
                program("use", 7)
                ended = program.end(by=signal.SIGTERM)
            self.assertEqual((ended.status, ended.err), (-signal.SIGTERM, ""))
            last = intake.wait(2)[-1]
            self.assertEqual((last.pid, last.rows.of("counted").acquires), (program.pid, 7))

    def test_each_sample_is_sent_once_and_periods_do_not_overlap(self) -> None:
        with Intake() as intake, Program({"DD_TRACE_AGENT_URL": intake.url, "DD_PROFILING_UPLOAD_INTERVAL": "0.2"}) as program:
            for _ in range(8):
                program("use", 10)
                time.sleep(0.1)
            program("use", 5)
            self.assertEqual(program.end().plain, (0, ""))
            uploads = sorted(intake.wait(2), key=lambda upload: upload.start_ns)
        self.assertEqual(intake.violations(), [])
        self.assertEqual(sum(upload.rows.of("counted").acquires for upload in uploads), 85)
        self.assertEqual(len({upload.runtime_id for upload in uploads}), 1)
        for before, after in zip(uploads, uploads[1:]):
            self.assertLessEqual(before.end_ns, after.start_ns + 1_000_000)

    def test_a_forked_child_sends_its_own(self) -> None:
        with Intake() as intake, Program({"DD_TRACE_AGENT_URL": intake.url}) as program:
            program("use", 10)
            child, status = program("fork", 33)
            program("use", 10)
            self.assertEqual((status, program.end().plain), (0, (0, "")))
            uploads = {upload.pid: upload for upload in intake.wait(2)}
        self.assertEqual((len(intake.uploads), intake.violations()), (2, []))
        self.assertEqual({pid: upload.rows.of("counted").acquires for pid, upload in uploads.items()},
                         {program.pid: 20, child: 33})
        self.assertNotEqual(uploads[child].runtime_id, uploads[program.pid].runtime_id)

    def test_control_characters_inject_nothing(self) -> None:
        evil = "x\r\nX-Evil: 1\r\n\r\n--"
        env = {name: evil for name in ("DD_SERVICE", "DD_ENV", "DD_VERSION", "DD_EXTERNAL_ENV", "DD_GIT_COMMIT_SHA")}
        with Intake() as intake, Program({**env, "DD_TAGS": f"a:{evil},b:c", "DD_TRACE_AGENT_URL": intake.url}) as program:
            program("use", 50)
            ended = program.end()
            upload, = intake.wait(1)
        self.assertEqual((ended.status, intake.violations()), (0, []))
        self.assertNotIn("x-evil", {*upload.headers, *(name for part in upload.parts.values() for name in part.headers)})
        self.assertEqual((sorted(upload.parts), upload.tags["b"]), (["event", "profile.pprof"], "c"))
        self.assertLessEqual(len(ended.err.splitlines()), 2)


class Pyroscope(Case):
    def all_of(self, intake: Intake, env: dict[str, str]) -> list[Upload]:
        with Program({"PYROSCOPE_APPLICATION_NAME": "shop", **env}) as program:
            program("use", 50)
            self.assertEqual(program.end().plain, (0, ""))
        uploads = intake.wait(1)
        self.assertEqual(intake.violations(), [])
        self.assertEqual({upload.application for upload in uploads}, {"shop"})
        taken = [sum(row.values.get("lock_acquire", 0) for row in upload.rows
                     if str(row.labels.get("lock_name")).endswith(":counted")) for upload in uploads]
        self.assertEqual(sorted(taken)[-1], 50)
        self.assertEqual(sum(taken), 50)
        return uploads

    def test_labels_and_a_base_path(self) -> None:
        with Intake() as intake:
            uploads = self.all_of(intake, {"PYROSCOPE_SERVER_ADDRESS": intake.url + "/pyroscope",
                                           "PYROSCOPE_LABELS": "zone=eu,team=red"})
        for upload in uploads:
            self.assertEqual((upload.path, upload.tags["zone"], upload.tags["team"]), ("/pyroscope/ingest", "eu", "red"))
            self.assertFalse({"authorization", "x-scope-orgid"} & set(upload.headers))

    def test_tenant_and_credentials(self) -> None:
        with Intake() as intake:
            env = {"PYROSCOPE_SERVER_ADDRESS": intake.url, "PYROSCOPE_TENANT_ID": "team-1"}
            for upload in self.all_of(intake, {**env, "PYROSCOPE_AUTH_TOKEN": "t0ken"}):
                self.assertEqual((upload.headers["x-scope-orgid"], upload.headers["authorization"]), ("team-1", "Bearer t0ken"))
        with Intake() as intake:
            env = {"PYROSCOPE_SERVER_ADDRESS": intake.url, "PYROSCOPE_BASIC_AUTH_USER": "me"}
            for upload in self.all_of(intake, {**env, "PYROSCOPE_BASIC_AUTH_PASSWORD": "s:cret"}):
                self.assertEqual(base64.b64decode(upload.headers["authorization"].split()[1]), b"me:s:cret")

    def test_more_rows_than_it_takes_go_in_several(self) -> None:
        with Intake() as intake, Program({"PYROSCOPE_SERVER_ADDRESS": intake.url, "SNECK_PROFILE_MAX_ROWS": "60000",
                                          "DD_PROFILING_API_TIMEOUT_MS": "120000"}) as program:
            program("variety", 17000)
            program("flush")
            intake.wait(2)                  # it reads them slowly, and an end does not wait for it
            self.assertEqual(program.end().plain, (0, ""))
            uploads = intake.accepted()
        self.assertEqual(intake.violations(), [])
        self.assertEqual(sum(row.values.get("lock_acquire", 0) for upload in uploads for row in upload.rows), 17000)


class Choice(Case):
    """Who speaks louder wins: argument, SNECK_*, shared variable; and status() says why."""

    def chosen(self, env: dict[str, str], **arguments: Any) -> tuple[str, str]:
        with Program(env, how="bare") as program:
            program("start", **arguments)
            upload = program.upload
            program.process.kill()
        return upload["sink"], upload["why"]

    def test_precedence(self) -> None:
        agent, pyroscope = {"DD_AGENT_HOST": "127.0.0.1"}, {"PYROSCOPE_SERVER_ADDRESS": "http://127.0.0.1:9"}
        cases: list[tuple[dict[str, str], dict[str, Any], tuple[str, str]]] = [
            (agent, {}, ("Datadog agent", "DD_AGENT_HOST is set")),
            ({**agent, "DD_TRACE_AGENT_URL": "http://127.0.0.1:9"}, {}, ("Datadog agent", "DD_TRACE_AGENT_URL is set")),
            ({**agent, **pyroscope}, {}, ("Pyroscope", "PYROSCOPE_SERVER_ADDRESS is set")),
            ({**agent, "DD_PROFILING_OUTPUT_PPROF": "/tmp/none/p"}, {}, ("file", "DD_PROFILING_OUTPUT_PPROF is set")),
            ({**pyroscope, "SNECK_AGENT_URL": "http://127.0.0.1:9"}, {}, ("Datadog agent", "SNECK_AGENT_URL is set")),
            ({"SNECK_OUTPUT": "/tmp/none/p"}, {"agent_url": "http://127.0.0.1:9"},
             ("Datadog agent", "agent_url is an argument of start()")),
            ({"DD_PROFILING_AGENTLESS": "1", "DD_API_KEY": KEY, **agent}, {},
             ("Datadog intake", "DD_PROFILING_AGENTLESS is set")),
            ({"DD_PROFILING_AGENTLESS": "1", **agent}, {}, ("Datadog agent", "DD_AGENT_HOST is set"))]
        for env, arguments, wanted in cases:
            with self.subTest(env=env, arguments=arguments):
                self.assertEqual(self.chosen(env, **arguments), wanted)

    def test_files_where_nothing_names_a_server(self) -> None:
        if os.path.exists("/var/run/datadog/apm.socket"):
            self.skipTest("there is an agent on this machine")
        with Program() as program:
            program("use", 50)
            self.assertEqual((program.upload["sink"], program.upload["why"]), ("file", "nothing names a server"))
            self.assertEqual(program.end().plain, (0, ""))
            path, = support.files(program.folder.name)
            self.assertTrue(pprof_oracle.read(path).samples)

    def test_an_upload_without_an_agent_takes_a_key(self) -> None:
        with Program({"DD_PROFILING_AGENTLESS": "1"}) as program:
            ended = program.end()
        self.assertEqual(ended.status, 0)
        self.assertEqual(len(re.findall("DD_API_KEY", ended.err)), 1)

    def test_no_secret_is_told(self) -> None:
        env = {"DD_PROFILING_AGENTLESS": "1", "DD_API_KEY": KEY, "DD_SITE": "127.0.0.1", "PYROSCOPE_AUTH_TOKEN": "t0ken" * 4,
               "PYROSCOPE_BASIC_AUTH_PASSWORD": "s3cret" * 4, "DD_PROFILING_API_TIMEOUT_MS": "500"}
        with Program(env) as program:
            program("use", 5)
            flushed, status = program("flush"), program("status")
            ended: Ended = program.end()
        self.assertEqual(status["options"]["api_key"]["value"], "***")
        for secret in KEY, "t0ken" * 4, "s3cret" * 4:
            self.assertNotIn(secret, str((flushed, status, ended)))


if __name__ == "__main__":
    unittest.main()
