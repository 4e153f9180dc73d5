"""One upload each way, on every interpreter: it arrives, is right, and says what the program did."""

import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "python")]

from intake import Intake, Upload  # noqa: E402
from program import Program  # noqa: E402


class Smoke(unittest.TestCase):
    def used_fifty_times(self, upload: Upload, acquire: str = "lock-acquire", label: str = "lock name") -> None:
        rows = [row for row in upload.rows if str(row.labels.get(label)).endswith(":counted") and row.values.get(acquire)]
        self.assertEqual(sum(row.values[acquire] for row in rows), 50)

    def test_by_variables_alone_to_an_agent(self) -> None:
        with Intake() as intake, Program({"DD_TRACE_AGENT_URL": intake.url, "DD_SERVICE": "shop"}) as program:
            program("use", 50)
            ended = program.end(3)
            upload, = intake.wait(1)
        self.assertEqual((ended.status, ended.err, upload.violations), (3, "", []))
        self.assertEqual((upload.kind, upload.path, upload.pid), ("agent", "/profiling/v1/input", program.pid))
        self.assertEqual((upload.tags["service"], upload.tags["runtime_version"]), ("shop", program.hello["version"]))
        self.used_fifty_times(upload)

    def test_by_sneck_run_to_pyroscope(self) -> None:
        env = {"PYROSCOPE_APPLICATION_NAME": "shop"}
        with Intake() as intake, Program({**env, "PYROSCOPE_SERVER_ADDRESS": intake.url}, how="run") as program:
            program("use", 50)
            ended = program.end()
            uploads = intake.wait(1)
        self.assertEqual((ended.status, ended.err, intake.violations()), (0, "", []))
        self.assertEqual({(upload.path, upload.application) for upload in uploads}, {("/ingest", "shop")})
        found = [upload for upload in uploads if any(row.values.get("lock_acquire") for row in upload.rows)]
        self.assertEqual(len(found), 1)
        self.used_fifty_times(found[0], "lock_acquire", "lock_name")


if __name__ == "__main__":
    unittest.main()
