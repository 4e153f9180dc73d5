"""A program that is told of a Pyroscope server: what arrives there, by the server's own rules."""

import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "python")]

import pyroscope_rules  # noqa: E402
from behaviour import Behaviour  # noqa: E402
from intake import Intake  # noqa: E402
from support import Case, Ran, run_child  # noqa: E402

PROGRAM = """
    import os, threading
    import sneck
    sneck.start(capture_pct=100)
    my_lock = threading.Lock()

    def use(times):
        for _ in range(times):
            with my_lock:
                pass

    use(100)
    sneck.flush()
    if os.fork() == 0:
        use(23)
        sneck.stop()
        os._exit(0)
    os.wait()
    use(7)
    status = sneck.status()
    sneck.stop()
"""


class Pyroscope(Case):
    def setUp(self) -> None:
        self.intake = Intake()
        self.addCleanup(self.intake.__exit__)

    def run_program(self, code: str = PROGRAM, **more: str) -> Ran:
        env = {"SNECK_PYROSCOPE_URL": self.intake.url, "SNECK_PYROSCOPE_APPLICATION": "my shop", "DD_ENV": "prod",
               "SNECK_PYROSCOPE_LABELS": "team=locks, git.sha=abc", **more}
        ran = run_child(code, start=None, env=env)
        self.verdicts = [pyroscope_rules.judge(upload.query, upload.headers, upload.body)
                         for upload in self.intake.uploads]
        return ran

    def values(self, profile_type: str, verdicts: "list[pyroscope_rules.Verdict] | None" = None) -> dict[str, int]:
        """By the lock's name in the leaf of the stack."""
        sums: dict[str, int] = {}
        for verdict in self.verdicts if verdicts is None else verdicts:
            if profile_type not in verdict.profile_types or not verdict.profile:
                continue
            column = verdict.profile_types.index(profile_type)
            for sample in verdict.profile.samples:
                name, file, _ = sample.frames[0]
                if file == "<lock>":
                    name = name.rpartition(":")[2]
                    sums[name] = sums.get(name, 0) + sample.values[column]
        return sums

    def test_parent_and_child_arrive_each_as_a_session(self) -> None:
        ran = self.run_program()
        self.assert_clean(ran)
        self.assertEqual([verdict.violations for verdict in self.verdicts], [[]] * len(self.verdicts))
        self.assertEqual({verdict.application for verdict in self.verdicts}, {"my_shop"})
        sessions: dict[str, list[pyroscope_rules.Verdict]] = {}
        for verdict in self.verdicts:
            sessions.setdefault(verdict.labels["__session_id__"], []).append(verdict)
            self.assertEqual({key: value for key, value in verdict.labels.items() if not key.startswith("__")},
                             {"team": "locks", "git_sha": "abc", "env": "prod"})
        acquires = [self.values("lock_acquire:lock_acquire:count", mine)["my_lock"] for mine in sessions.values()]
        self.assertEqual(sorted(acquires), [23, 107])
        self.assertEqual(self.values("lock_release_hold:lock_release:count")["my_lock"], 130)
        self.assertEqual(ran.files, [])

    def test_waits_are_what_its_pages_call_mutex(self) -> None:
        ran = self.run_program("""
            import threading, time
            import sneck
            sneck.start(capture_pct=100)
            my_lock = threading.Lock()

            def wait():
                with my_lock:
                    pass

            my_lock.acquire()
            thread = threading.Thread(target=wait, name="the waiter")
            thread.start()
            time.sleep(0.2)
            my_lock.release()
            thread.join()
            sneck.stop()
        """)
        self.assert_clean(ran)
        self.assertEqual(self.values("mutex:contentions:count")["my_lock"], 1)
        self.assertGreater(self.values("mutex:delay:nanoseconds")["my_lock"], 50_000_000)
        labels = [sample.labels for verdict in self.verdicts if verdict.profile for sample in verdict.profile.samples
                  if sample.labels.get("thread_name") == "the waiter"]
        self.assertTrue(labels)
        self.assertFalse([one for one in labels if "thread_id" in one])

    def test_credentials_and_thread_ids_by_variables(self) -> None:
        self.assert_clean(self.run_program(SNECK_PYROSCOPE_TENANT="team-1", SNECK_PYROSCOPE_TOKEN="s3cret",
                                           SNECK_PYROSCOPE_THREAD_IDS="1"))
        self.assertEqual([verdict.violations for verdict in self.verdicts], [[]] * len(self.verdicts))
        for upload, verdict in zip(self.intake.uploads, self.verdicts):
            self.assertEqual((upload.headers["x-scope-orgid"], upload.headers["authorization"]), ("team-1", "Bearer s3cret"))
            assert verdict.profile
            self.assertTrue(all("thread_id" in sample.labels for sample in verdict.profile.samples))

    def test_an_interval_by_which_nothing_would_be_taken_is_told(self) -> None:
        ran = self.run_program(SNECK_UPLOAD_INTERVAL="3600")
        self.assertEqual((ran.status, len(ran.err.splitlines())), (0, 1), ran.err)
        self.assertIn("of 3500 s at most", ran.err)

    def test_a_refusal_is_told_and_not_tried_again(self) -> None:
        self.intake.behave(Behaviour(422, body="sample type contains -"))
        ran = self.run_program("""
            import threading
            import sneck
            sneck.start(capture_pct=100, quiet=True)
            my_lock = threading.Lock()
            with my_lock:
                pass
            sneck.flush()
            print(sneck.status())
            sneck.stop()
        """, SNECK_PYROSCOPE_TOKEN="s3cret")
        self.assert_clean(ran)
        self.assertIn("it says: sample type contains -", ran.out)
        self.assertNotIn("s3cret", ran.out)

    def test_parts_that_arrived_are_not_sent_again(self) -> None:
        self.intake.once(Behaviour(200), Behaviour(429, headers={"Retry-After": "1"}))
        self.assert_clean(self.run_program("""
            import threading, time
            import sneck
            sneck.start(capture_pct=100, quiet=True)
            my_lock = threading.Lock()
            for _ in range(9):
                with my_lock:
                    pass
            try:
                sneck.flush()
            except Exception:
                pass
            sneck.stop()
        """))
        accepted = [upload.accepted for upload in self.intake.uploads]
        kept = [verdict for verdict, taken in zip(self.verdicts, accepted) if taken]
        self.assertEqual(self.values("lock_acquire:lock_acquire:count", kept).get("my_lock"), 9)
        self.assertEqual(self.values("lock_release_hold:lock_release:count", kept).get("my_lock"), 9)


if __name__ == "__main__":
    unittest.main()
