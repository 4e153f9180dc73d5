"""The lines on each page of docs/servers, as they stand there: copied, run, and what they show looked at."""

import os
import re
import subprocess
import unittest

from serving import PATIENCE_S, SOURCE, Server, ServerCase, needs
from test_celery import Celery

PAGES = os.path.join(SOURCE, "docs", "servers")


def three_lines(page: str) -> "list[str]":
    with open(os.path.join(PAGES, page + ".md"), encoding="utf-8") as file:
        block = re.search(r"\n\n((?:    .+\n)+)\n", file.read())
    assert block, page
    return [line.strip() for line in block[1].splitlines()]


class Pages(ServerCase):
    def run_page(self, page: str, kind: "type[Server]" = Server, **env: str) -> Server:
        """The first two lines in a shell, as they are but for the port."""
        whereto, start, report = three_lines(page)
        self.assertTrue(start.startswith("sneck run ") and report.startswith("sneck report "))
        server = self.server("", kind, **env)
        del server.env["SNECK_OUTPUT"]
        lines = f"{whereto}\nexec {start}".replace("8000", str(server.port))
        server.command = ["sh", "-c", lines]
        server.write("main.py", "from app import asgi as app\n")
        return server.start()

    def assert_shown(self, page: str, server: Server) -> None:
        """The third line shows the application's locks."""
        shown = subprocess.run(["sh", "-c", three_lines(page)[2] + " --limit 0"], cwd=server.folder, env=server.env, text=True,
                               capture_output=True, timeout=PATIENCE_S)
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        for lock in ("session_lock", "lock_of_cache", "keeper_lock"):
            self.assertIn(lock, shown.stdout)
        self.assert_truth(server)
        self.assert_quiet(server)

    def serve(self, page: str) -> None:
        server = self.run_page(page).ready()
        server.get_from(2)
        self.assertEqual(server.end(), 0)
        self.assert_shown(page, server)

    @needs("gunicorn")
    def test_gunicorn(self) -> None:
        self.serve("gunicorn")

    @needs("uwsgi")
    def test_uwsgi(self) -> None:
        self.serve("uwsgi")

    @needs("uvicorn")
    def test_uvicorn(self) -> None:
        self.serve("uvicorn")

    @needs("celery")
    def test_celery(self) -> None:
        server = self.run_page("celery", Celery)
        assert isinstance(server, Celery)
        server.ask(10)
        self.assertEqual(server.end(), 0)
        self.assert_shown("celery", server)

    def test_there_is_a_test_for_each_page(self) -> None:
        self.assertEqual({"test_" + page.removesuffix(".md") for page in os.listdir(PAGES)},
                         {name for name in dir(self) if name.startswith("test_") and "each" not in name})


if __name__ == "__main__":
    unittest.main()
