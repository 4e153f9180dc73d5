"""sneck report: numbers, merging, widths, and files that are torn or somebody else's."""

import contextlib
import io
import json
import math
import os
import pty
import random
import subprocess
import sys
import tempfile
import unittest
from typing import Any

import pprof_oracle
from pprof_maker import Maker, bucket
from sneck import cli, extension, report
from sneck.histogram import BUCKETS, quantile_ns
from sneck.table import Column, lay_out
from sneck.units import count, duration, printable, shorten, width, wrap

US, MS, S = 1_000, 1_000_000, 1_000_000_000
HERE = os.path.dirname(os.path.abspath(__file__))


def read_by_oracle(path: str) -> dict[str, Any]:
    profile = pprof_oracle.read(path)
    return {**profile._asdict(), "samples": [tuple(sample) for sample in profile.samples]}


try:
    read_profile = extension.function("read_profile")
except ImportError:
    read_profile = None
READ = read_profile or read_by_oracle


def labels(name: str, thread: str = "MainThread", kind: str = "threading.Lock", owner: str = "") -> dict[str, Any]:
    out = {"lock name": name, "lock kind": kind, "lock owner": owner, "thread name": thread, "thread id": 7}
    return {key: value for key, value in out.items() if value}


def waited(wait_ns: int, n: int = 1) -> dict[str, int]:
    return {"lock-acquire-wait": wait_ns, "lock-acquire": n, "lock-contended": n}


def free(n: int) -> dict[str, int]:
    return {"lock-acquire-wait": 40 * n, "lock-acquire": n}


def held(hold_ns: int, n: int = 1) -> dict[str, int]:
    return {"lock-release-hold": hold_ns, "lock-release": n}


class Case(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name: str = "app.100.1.pprof") -> str:
        return os.path.join(self.folder, name)

    def run_report(self, *arguments: str, columns: int = 200) -> tuple[int, str, str]:
        """(status, stdout, stderr) of sneck report."""
        chosen = cli.parser().parse_args(["report", *arguments])
        out, err = io.StringIO(), io.StringIO()
        before = os.environ.get("COLUMNS")
        os.environ["COLUMNS"] = str(columns)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                status = report.main(chosen, READ)
        finally:
            os.environ.pop("COLUMNS")
            if before is not None:
                os.environ["COLUMNS"] = before
        return status, out.getvalue(), err.getvalue()

    def run_json(self, *arguments: str) -> Any:
        status, out, err = self.run_report(*(arguments or (self.folder,)), "--json")
        self.assertEqual((status, err), (0, ""))
        return json.loads(out)


class Numbers(Case):
    """What goes in comes out, once."""

    def write_two_processes(self) -> None:
        for pid, seq, waits in ((100, 1, [2 * MS, 4 * MS]), (100, 2, [8 * MS]), (200, 1, [30 * MS])):
            maker = Maker(time_ns=10**18 + seq * 60 * S)
            for ns in waits:
                maker.sample([("fetch", "/srv/app/db.py", 34), ("main", "/srv/app/app.py", 5)],
                             labels("db.py:12:lock", f"worker-{pid}", owner="Pool"), waited(ns))
            maker.sample([("put", "/srv/app/db.py", 50)], labels("db.py:12:lock", "idle", owner="Pool"), free(1000))
            maker.sample([("put", "/srv/app/db.py", 51)], labels("db.py:12:lock", "idle", owner="Pool"), held(5 * MS, 7))
            maker.stats("db.py:12:lock", waits, owner="Pool")
            maker.write(self.path(f"app.{pid}.{seq}.pprof"))

    def test_sums_over_files_and_processes(self) -> None:
        self.write_two_processes()
        whole = self.run_json()
        self.assertEqual((len(whole["files"]), whole["processes"], whole["unreadable"]), (3, 2, []))
        self.assertEqual((whole["start_ns"], whole["duration_ns"]), (10**18 + 60 * S, 120 * S))
        [lock] = whole["locks"]
        self.assertEqual((lock["name"], lock["short_name"], lock["made_at"], lock["kind"], lock["owner"]),
                         ("db.py:12:lock", "Pool.lock", "db.py:12", "threading.Lock", "Pool"))
        self.assertEqual((lock["acquires"], lock["contended"], lock["is_exact"]), (3004, 4, True))
        self.assertEqual((lock["wait_ns"], lock["wait_max_ns"]), (44 * MS, 30 * MS))
        self.assertEqual((lock["hold_ns"], lock["releases"]), (15 * MS, 21))

    def test_names_the_thread_that_waits_most_and_where(self) -> None:
        self.write_two_processes()
        [lock] = self.run_json()["locks"]
        self.assertEqual(lock["top_waiter"], {"thread": "worker-200", "place": {
            "function": "fetch", "file": "/srv/app/db.py", "line": 34}})
        self.assertEqual(lock["wait_ns_by_thread"], {"worker-200": 30 * MS, "worker-100": 14 * MS})

    def test_top_place_is_that_of_the_top_thread(self) -> None:
        Maker().sample([("a", "x.py", 1)], labels("x.py:9:l", "t1"), waited(5 * MS)) \
            .sample([("b", "x.py", 2)], labels("x.py:9:l", "t1"), waited(6 * MS)) \
            .sample([("c", "x.py", 3)], labels("x.py:9:l", "t2"), waited(9 * MS)).write(self.path())
        [lock] = self.run_json()["locks"]
        self.assertEqual((lock["top_waiter"]["thread"], lock["top_waiter"]["place"]["function"]), ("t1", "b"))

    def test_same_file_is_read_once(self) -> None:
        self.write_two_processes()
        [lock] = self.run_json(self.folder, self.path("app.100.1.pprof"))["locks"]
        self.assertEqual(lock["contended"], 4)

    def test_locks_differ_by_name_kind_and_owner(self) -> None:
        maker = Maker()
        for owner, kind in (("A", "threading.Lock"), ("B", "threading.Lock"), ("A", "threading.RLock")):
            maker.sample([("f", "m.py", 1)], labels("m.py:5:lock", kind=kind, owner=owner), free(1))
            maker.stats("m.py:5:lock", [MS], kind, owner)
        maker.write(self.path())
        locks = self.run_json()["locks"]
        self.assertEqual([lock["contended"] for lock in locks], [1, 1, 1])
        self.assertEqual(sorted((lock["owner"], lock["kind"]) for lock in locks),
                         [("A", "threading.Lock"), ("A", "threading.RLock"), ("B", "threading.Lock")])

    def test_free_lock_did_not_wait(self) -> None:
        Maker().sample([("f", "m.py", 1)], labels("m.py:5:lock"), free(50)).write(self.path())
        [lock] = self.run_json()["locks"]
        self.assertEqual((lock["acquires"], lock["contended"], lock["wait_ns"], lock["top_waiter"]), (50, 0, 0, None))
        self.assertEqual((lock["wait_p50_ns"], lock["wait_max_ns"]), (None, None))

    def test_failed_attempts_have_a_count_of_their_own(self) -> None:
        Maker().sample([("f", "m.py", 1)], labels("m.py:5:lock"),
                       {"lock-acquire-failed": 3, "lock-acquire-wait": 9 * MS, "lock-contended": 3}).write(self.path())
        [lock] = self.run_json()["locks"]
        self.assertEqual((lock["acquires"], lock["failed"], lock["wait_ns"]), (0, 3, 9 * MS))

    def test_the_locks_own_account_of_its_acquires_goes_before_the_samples(self) -> None:
        """In the files that have it; in the others it was not contended, and samples are all there is."""
        Maker().sample([("f", "m.py", 1)], labels("m.py:5:lock"), {"lock-acquire": 60, "lock-contended": 8}) \
            .stats("m.py:5:lock", [MS] * 10, acquires=61.6) \
            .sample([("f", "m.py", 2)], labels("m.py:6:gate"), {"lock-acquire": 9}).write(self.path("a.1.1.pprof"))
        Maker().sample([("f", "m.py", 1)], labels("m.py:5:lock"), free(7)) \
            .stats("m.py:6:gate", [MS], acquires=0.0).write(self.path("a.1.2.pprof"))
        found = {lock["name"]: lock["acquires"] for lock in self.run_json()["locks"]}
        self.assertEqual(found, {"m.py:5:lock": 69, "m.py:6:gate": 9})

    def test_what_found_no_room_in_a_profile_has_a_name_and_no_place(self) -> None:
        Maker().sample([("<profile full>", "", 0)], {"lock name": "<profile full>"}, free(7)).write(self.path())
        [lock] = self.run_json()["locks"]
        self.assertEqual((lock["name"], lock["short_name"], lock["made_at"], lock["acquires"]),
                         ("<profile full>", "<profile full>", "", 7))

    def test_lock_known_by_its_exact_counts_alone_is_shown(self) -> None:
        Maker().stats("m.py:5:lock", [MS, MS]).write(self.path())
        [lock] = self.run_json()["locks"]
        self.assertEqual((lock["contended"], lock["wait_ns"], lock["top_waiter"]), (2, 2 * MS, None))


class Quantiles(Case):
    """From buckets, against all waits in order."""

    def assert_quantiles(self, waits: list[int]) -> None:
        ordered = sorted(waits)
        half = len(waits) // 2
        Maker().stats("m.py:5:lock", waits[:half]).write(self.path("app.1.1.pprof"))
        Maker().stats("m.py:5:lock", waits[half:]).write(self.path("app.2.1.pprof"))
        [lock] = self.run_json()["locks"]
        for name, q in (("p50", 0.5), ("p99", 0.99)):
            exact = ordered[max(1, math.ceil(q * len(ordered))) - 1]
            self.assertLess(abs(lock[f"wait_{name}_ns"] - exact) / exact, 0.10, f"{name}, in truth {exact}")
        self.assertEqual(lock["wait_max_ns"], ordered[-1])
        self.assertEqual(lock["wait_ns"], sum(waits))

    def test_within_ten_percent_for_waits_of_all_sizes(self) -> None:
        rng = random.Random(3)
        for waits in ([rng.randrange(100, 100 * US) for _ in range(500)],
                      [int(rng.lognormvariate(12, 3)) + 10 for _ in range(2000)],
                      [int(rng.expovariate(1 / MS)) + 50 for _ in range(2000)],
                      [10 * US] * 990 + [3 * S] * 15):
            self.assert_quantiles(waits)

    def test_within_ten_percent_for_equal_waits_anywhere_in_a_bucket(self) -> None:
        rng = random.Random(4)
        for _ in range(2000):
            wait_ns = int(2 ** rng.uniform(4, 42))
            for q in (0.01, 0.5, 0.99, 1.0):
                found = quantile_ns({bucket(wait_ns): 100}, q, 2 * wait_ns)
                assert found is not None
                self.assertLess(abs(found - wait_ns) / wait_ns, 0.10, wait_ns)

    def test_never_more_than_the_longest_wait(self) -> None:
        self.assertEqual(quantile_ns({bucket(900): 1}, 0.99, 900), 900)

    def test_none_without_waits(self) -> None:
        self.assertIsNone(quantile_ns({}, 0.5, 0))


class Tables(Case):
    """What people see."""

    def write_many(self, n: int = 30) -> None:
        maker = Maker()
        for i in range(n):
            name = f"module_with_a_long_name_{i}.py:{i}:the_lock_of_number_{i}"
            if i % 5 == 1:
                name = f"m{i}.py:{i}"
            if i % 5 == 2:
                name = f"m{i}.py:{i}:日本語のロック{i}"
            owner = "package.Outer.Inner" if i % 3 else ""
            waits = [(i + 1) * MS * k for k in range(1, 5)]
            for k, ns in enumerate(waits):
                maker.sample([("Service.handle_request.<locals>.inner", f"/srv/a/deep/path/of_{i}/handlers.py", 1234 + k),
                              ("main", "/srv/main.py", 1)],
                             labels(name, f"ThreadPoolExecutor-{i}_{k}", "threading.RLock", owner), waited(ns))
            maker.sample([("f", "g.py", 1)], labels(name, "t", "threading.RLock", owner), free(10 ** (i % 8)))
            maker.sample([("f", "g.py", 1)], labels(name, "t", "threading.RLock", owner), held(10 ** (i % 11)))
            maker.stats(name, waits, "threading.RLock", owner)
        maker.write(self.path())

    def test_no_line_is_longer_than_the_terminal(self) -> None:
        self.write_many()
        for columns in (20, 40, 60, 80, 100, 120, 160, 200, 300):
            for more in ((), ("--limit", "0"), ("--lock", "lock"), ("--lock", "m1.py:1"), ("--sort", "name")):
                status, out, err = self.run_report(self.folder, *more, columns=columns)
                self.assertEqual((status, err), (0, ""))
                longest = max(out.splitlines(), key=width)
                self.assertLessEqual(width(longest), columns, longest)

    def test_no_line_is_longer_where_characters_are_wide(self) -> None:
        lock, function = "m.py:5:" + "鍵" * 100, "処理する関数" * 3
        owner, file = "所有者" * 9, "/srv/" + "長い名前の" * 9 + "/a.py"
        Maker().sample([(function, file, 1)], labels(lock, owner=owner), waited(MS)) \
            .stats(lock, [MS], owner=owner).write(self.path())
        for columns in (20, 41, 80, 100):
            _status, out, _err = self.run_report(self.folder, "--lock", "鍵", columns=columns)
            self.assertLessEqual(max(map(width, out.splitlines())), columns, out)
            self.assertEqual(out.count("鍵"), 100)
        self.assertIn(f"    {function}  …", out)

    def test_wait_and_name_stay_at_any_width(self) -> None:
        self.write_many()
        for columns in (60, 80, 120, 200):
            _status, out, _err = self.run_report(self.folder, columns=columns)
            header = next(line for line in out.splitlines() if line.startswith("lock "))
            self.assertIn("wait", header.split())
            if columns >= 60:
                self.assertTrue({"contended", "p99", "max"} <= set(header.split()), header)
            if columns >= 80:
                self.assertTrue({"acquires", "p50", "hold"} <= set(header.split()), header)
            self.assertIn("waits most", out)
            self.assertIn("handlers.py:1237", out)

    def test_wide_table_has_one_line_a_lock_and_all_columns(self) -> None:
        Maker().sample([("fetch", "/srv/app/db.py", 34)], labels("db.py:12:lock", "worker", owner="Pool"), waited(3 * MS)) \
            .sample([("f", "g.py", 1)], labels("db.py:12:lock", owner="Pool"), free(12_299)) \
            .sample([("f", "g.py", 1)], labels("db.py:12:lock", owner="Pool"), held(1_230_000_000)) \
            .stats("db.py:12:lock", [3 * MS], owner="Pool").write(self.path())
        status, out, err = self.run_report(self.path(), columns=160)
        lines = out.splitlines()
        self.assertEqual((status, err), (0, ""))
        self.assertTrue(lines[0].startswith("1 lock, waited for 3.00 ms in total; 1 file of 1 process, 60.0 s from 2023-11-1"))
        self.assertEqual(lines[2].split(), ["lock", "made", "at", "kind", "acquires", "contended", "wait", "p50", "p99",
                                            "max", "hold", "waits", "most", "from"])
        self.assertEqual(lines[3].split("  ")[0], "Pool.lock")
        self.assertEqual([cell.strip() for cell in lines[3].split("  ") if cell.strip()],
                         ["Pool.lock", "db.py:12", "Lock", "12.3k", "1", "3.00 ms", "3.00 ms", "3.00 ms", "3.00 ms",
                          "1.23 s", "worker", "fetch db.py:34"])
        self.assertEqual(lines[5], "acquires and hold are estimates; contended and the waits are exact.")

    def test_narrow_table_has_the_rest_on_a_second_line(self) -> None:
        Maker().sample([("fetch", "/srv/app/db.py", 34)], labels("db.py:12:lock", "worker", owner="Pool"), waited(3 * MS)) \
            .stats("db.py:12:lock", [3 * MS], owner="Pool").write(self.path())
        _status, out, _err = self.run_report(self.path(), columns=80)
        self.assertIn("  worker in fetch db.py:34; Lock made at db.py:12", out.splitlines())

    def names(self, *arguments: str) -> list[str]:
        return [lock["name"] for lock in self.run_json(self.folder, *arguments)["locks"]]

    def test_sorts_by_each_key(self) -> None:
        rows = {"a": ([9 * MS], 10, 2), "b": ([MS, MS], 5, 9), "c": ([5 * MS], 99, 5)}
        maker = Maker()
        for name, (waits, acquires, hold) in rows.items():
            maker.stats(f"m.py:1:{name}", waits)
            maker.sample([("f", "m.py", 2)], labels(f"m.py:1:{name}"), {**free(acquires), **held(hold)})
        maker.write(self.path())
        for key, order in (("wait", "acb"), ("contended", "bac"), ("acquires", "cab"), ("hold", "bca"), ("name", "abc")):
            self.assertEqual(self.names("--sort", key), [f"m.py:1:{name}" for name in order], key)
        self.assertEqual(self.names(), [f"m.py:1:{name}" for name in "acb"])
        self.assertEqual(self.names("--limit", "2"), ["m.py:1:a", "m.py:1:c"])

    def test_limit_says_how_many_are_left_out(self) -> None:
        self.write_many()
        self.assertIn("\n10 more: --limit 0 shows all.\n", self.run_report(self.folder)[1])
        self.assertIn("\n25 more: --limit 0 shows all.\n", self.run_report(self.folder, "--limit", "5")[1])
        self.assertNotIn("more:", self.run_report(self.folder, "--limit", "0")[1])
        self.assertEqual(len(self.names()), 30)

    def test_stacks_of_one_lock(self) -> None:
        Maker().sample([("leaf", "/a.py", 1), ("root", "/r.py", 9)], labels("m.py:5:lock", "t1", owner="C"), waited(3 * MS)) \
            .sample([("leaf", "/a.py", 1), ("root", "/r.py", 9)], labels("m.py:5:lock", "t2", owner="C"), waited(3 * MS)) \
            .sample([("other", "/o.py", 2)], labels("m.py:5:lock", "t1", owner="C"), waited(2 * MS)) \
            .sample([("f", "/f.py", 2)], labels("m.py:6:other_lock", "t1"), waited(9 * MS)).write(self.path())
        for name in ("m.py:5:lock", "C.lock", "m.py:5", "lock", "C.LO"):
            _status, out, _err = self.run_report(self.folder, "--lock", name)
            lines = out.splitlines()
            self.assertEqual(lines[0], "m.py:5:lock: Lock, made by C", name)
            self.assertEqual(lines[3:], ["6.00 ms  75 %  t1, t2", "    leaf  /a.py:1", "    root  /r.py:9", "",
                                         "2.00 ms  25 %  t1", "    other  /o.py:2"])
        [lock] = self.run_json(self.folder, "--lock", "C.lock")["locks"]
        self.assertEqual(lock["stacks"][0], {
            "frames": [{"function": "leaf", "file": "/a.py", "line": 1}, {"function": "root", "file": "/r.py", "line": 9}],
            "wait_ns": 6 * MS, "contended": 2, "wait_ns_by_thread": {"t1": 3 * MS, "t2": 3 * MS}})
        self.assertEqual(len(self.run_json(self.folder, "--lock", "C.lock", "--limit", "1")["locks"][0]["stacks"]), 1)

    def test_unknown_lock_is_an_error(self) -> None:
        Maker().stats("m.py:5:lock", [MS]).write(self.path())
        status, out, err = self.run_report(self.folder, "--lock", "nonesuch")
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(err, "sneck report: no lock is called nonesuch; `sneck report` without --lock lists them\n")

    def test_names_cannot_command_the_terminal(self) -> None:
        Maker().sample([("f\x1b[31m", "m\n.py", 1)], labels("m.py:5:\x1b]0;x\x07", "t\r\n"), waited(MS)).write(self.path())
        for columns in (80, 200):
            for more in ((), ("--lock", "m.py:5")):
                _status, out, _err = self.run_report(self.folder, *more, columns=columns)
                self.assertFalse(set(out) & set("\x1b\x07\r"))

    def test_columns_go_by_rank_and_texts_shrink_first(self) -> None:
        columns = (Column("name", least=4), Column("n", is_number=True), Column("m", is_number=True, rank=1))
        rows = [["abcdefgh", "1234", "5678"]]
        self.assertEqual(lay_out(columns, rows, 20).widths, [8, 4, 4])
        self.assertEqual(lay_out(columns, rows, 17).widths, [5, 4, 4])
        self.assertEqual(lay_out(columns, rows, 14).widths, [8, 4])
        self.assertEqual(lay_out(columns, rows, 11).chosen, [0, 1])


class OddFiles(Case):
    """Torn, foreign, empty, absent."""

    def write_good(self) -> None:
        Maker().stats("m.py:5:lock", [MS]).write(self.path("app.1.1.pprof"))

    def test_torn_file_is_named_and_the_others_merged(self) -> None:
        self.write_good()
        with open(self.path("app.1.1.pprof"), "rb") as good:
            whole = good.read()
        for name, data in (("app.2.1.pprof", whole[:len(whole) // 2]), ("app.3.1.pprof", b""),
                           ("app.4.1.pprof", b"not a profile")):
            with open(self.path(name), "wb") as file:
                file.write(data)
        status, out, err = self.run_report(self.folder)
        self.assertEqual(status, 0)
        self.assertIn("1 lock, waited for 1.00 ms", out)
        lines = err.splitlines()
        self.assertEqual(len(lines), 4, err)
        for line, pid in zip(lines, (2, 3, 4)):
            self.assertTrue(line.startswith(f"sneck report: {self.path(f'app.{pid}.1.pprof')}: "), line)
            self.assertTrue(line.endswith("; left out"), line)
        self.assertEqual(lines[3], "sneck report: 3 of 4 files could not be read")

    def test_every_truncation_is_refused_or_read_never_a_crash(self) -> None:
        Maker().sample([("f", "m.py", 1)], labels("m.py:5:lock"), waited(MS)).stats("m.py:5:lock", [MS]) \
            .write(self.path("whole.1.1.pprof"))
        with open(self.path("whole.1.1.pprof"), "rb") as good:
            whole = good.read()
        torn = self.path("torn.1.1.pprof")
        for size in range(0, len(whole), 7):
            with open(torn, "wb") as file:
                file.write(whole[:size])
            status, out, err = self.run_report(torn)
            self.assertEqual((status, out), (1, ""), size)
            self.assertIn("no file could be read", err)

    def test_empty_directory(self) -> None:
        self.assertEqual(self.run_report(self.folder), (1, "", f"sneck report: no .pprof files in {self.folder}\n"))

    def test_path_that_is_not_there(self) -> None:
        missing = self.path("missing")
        self.assertEqual(self.run_report(missing), (1, "", f"sneck report: {missing}: No such file or directory\n"))

    def test_profile_without_samples(self) -> None:
        Maker().write(self.path())
        status, out, err = self.run_report(self.path())
        self.assertEqual((status, out), (1, ""))
        self.assertTrue(err.startswith(f"sneck report: no locks in {self.path()}: the program took none"), err)

    def test_foreign_profile_says_what_it_holds(self) -> None:
        Maker([("cpu", "nanoseconds"), ("allocs", "count")]).sample([("f", "m.go", 1)], {}, {"cpu": 5}).write(self.path())
        status, out, err = self.run_report(self.path())
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(err, f"sneck report: no locks in {self.path()}: these profiles hold allocs, cpu\n")

    def test_profile_of_four_types_has_estimates_alone(self) -> None:
        types = [("wall-time", "nanoseconds"), ("lock-acquire-wait", "nanoseconds"), ("lock-acquire", "count"),
                 ("lock-release-hold", "nanoseconds"), ("lock-release", "count")]
        Maker(types).sample([("f", "m.py", 1)], {"lock name": "m.py:5:lock", "thread id": 77}, waited(4 * MS, 2)) \
            .sample([("f", "m.py", 1)], {}, {"wall-time": 5}) \
            .sample([("f", "m.py", 2)], {}, waited(MS)).write(self.path())
        locks = self.run_json()["locks"]
        self.assertEqual([lock["short_name"] for lock in locks], ["m.py:5:lock".split(":")[2], "(no name)"])
        self.assertEqual((locks[0]["wait_ns"], locks[0]["contended"], locks[0]["is_exact"]), (4 * MS, None, False))
        self.assertEqual(locks[0]["top_waiter"]["thread"], "77")
        _status, out, _err = self.run_report(self.folder)
        self.assertIn("All numbers are estimates", out)

    def test_bad_exact_counts_are_left_out_and_said(self) -> None:
        maker = Maker().stats("m.py:5:lock", [MS])
        bad = ["{", "[]", "{}", "[" * 100_000, *(self.note(**odd) for odd in self.ODD)]
        for text in bad:
            maker.comment("sneck-lock-stats " + text)
        maker.comment("made by hand").write(self.path())
        status, out, err = self.run_report(self.folder)
        said = f"sneck report: {len(bad)} comments with exact counts make no sense; left out\n"
        self.assertEqual((status, err), (0, said))
        self.assertTrue(out.startswith("1 lock, waited for 1.00 ms"), out)

    ODD = ({"contended": '"many"'}, {"contended": "1e999"}, {"contended": "-1"}, {"wait_max_ns": "NaN"},
           {"wait_ns": "-1"}, {"wait_ns": str(2**63)},
           {"acquires": "NaN"}, {"acquires": "1e999"}, {"acquires": "-1"}, {"acquires": str(10**400)},
           {"wait_histogram": "[]"}, {"wait_histogram": '{"5000": 1}'}, {"wait_histogram": '{"160": 1}'},
           {"wait_histogram": '{"-1": 1}'}, {"wait_histogram": '{"1": -1}'}, {"wait_histogram": '{"1": 1e999}'})

    @staticmethod
    def note(**odd: str) -> str:
        values = {"name": '"x"', "contended": "1", "wait_ns": "1", "wait_max_ns": "1", "wait_histogram": '{"159": 1}',
                  "acquires": "1.5", **odd}
        return "{" + ", ".join(f'"{key}": {value}' for key, value in values.items()) + "}"

    def test_the_largest_counts_there_can_be_are_shown(self) -> None:
        most = 2**63 - 1
        Maker().comment("sneck-lock-stats " + self.note(contended=str(most), wait_ns=str(most), wait_max_ns=str(most),
                                                        acquires=str(2.0**62))).write(self.path())
        [lock] = self.run_json()["locks"]
        self.assertEqual((lock["contended"], lock["wait_ns"], lock["acquires"]), (most, most, 2**62))
        self.assertEqual(self.run_report(self.folder)[2], "")

    def test_buckets_are_as_many_as_those_who_fill_them_have(self) -> None:
        with open(os.path.join(HERE, "../../src/runtime/histogram.h"), encoding="utf-8") as header:
            self.assertIn(f"HISTOGRAM_BUCKETS = {BUCKETS} ", header.read())


class Units(unittest.TestCase):
    def test_durations(self) -> None:
        for ns, text in ((0, "0 ns"), (850, "850 ns"), (999.4, "999 ns"), (1000, "1.00 us"), (12_345, "12.3 us"),
                         (999_499, "999 us"), (999_600, "1.00 ms"), (4_560_000, "4.56 ms"), (1_234_567_890, "1.23 s"),
                         (60 * S, "60.0 s"), (86_400 * S, "86400 s"), (None, "-")):
            self.assertEqual(duration(ns), text)

    def test_counts(self) -> None:
        for n, text in ((0, "0"), (7, "7"), (999, "999"), (1000, "1.00k"), (12_299, "12.3k"), (999_900, "1.00M"),
                        (4_560_000, "4.56M"), (7 * 10**9, "7.00G")):
            self.assertEqual(count(n), text)

    def test_widths(self) -> None:
        self.assertEqual((width("abc"), width("日本"), width("e\u0301")), (3, 4, 1))
        self.assertEqual((shorten("abcdef", 4), shorten("abcdef", 4, True), shorten("日本語", 4)), ("abc…", "…def", "日…"))
        self.assertEqual(printable("a\x1bb\n"), "a\ufffdb\ufffd")

    def test_lines(self) -> None:
        for text, columns, lines in (("", 5, []), (" a  b ", 5, ["a b"]), ("ab cd ef", 5, ["ab cd", "ef"]),
                                     ("abcdefg h", 3, ["abc", "def", "g h"]), ("a bcdef", 3, ["a", "bcd", "ef"]),
                                     ("日本 語", 5, ["日本", "語"]), ("日本語", 3, ["日", "本", "語"]),
                                     ("日本", 1, ["日", "本"])):
            self.assertEqual(wrap(text, columns), lines, text)


DRIVER = """
import sys
sys.path.insert(0, {tests!r})
from test_report import READ
from sneck import cli, report
sys.exit(report.main(cli.parser().parse_args(["report", *sys.argv[1:]]), READ))
"""


class Terminals(Case):
    """The real thing, on a terminal and into a pipe."""

    def setUp(self) -> None:
        super().setUp()
        Maker().sample([("fetch", "/srv/日本/db.py", 34)], labels("db.py:12:日本lock", "worker"), waited(3 * MS)) \
            .stats("db.py:12:日本lock", [3 * MS]).write(self.path())
        self.command = [sys.executable, "-c", DRIVER.format(tests=HERE), self.path()]

    def on_terminal(self, env: dict[str, str]) -> str:
        try:
            parent, child = pty.openpty()
        except OSError:
            self.skipTest("no terminals here: /dev/pts is not mounted")
        process = subprocess.Popen(self.command, stdin=child, stdout=child, stderr=child, env=env)
        os.close(child)
        out = b""
        with contextlib.suppress(OSError):
            while chunk := os.read(parent, 4096):
                out += chunk
        os.close(parent)
        self.assertEqual(process.wait(), 0, out)
        return out.decode()

    def test_terminal_gets_colours_or_the_name_of_the_package(self) -> None:
        out = self.on_terminal({**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "PYTHONUTF8": "1"})
        try:
            import rich  # noqa: F401
        except ImportError:
            self.assertEqual(out.count("install the package python3-rich"), 1)
            self.assertNotIn("\x1b", out)
        else:
            self.assertIn("\x1b[", out)
        self.assertIn("日本lock", out)

    def test_ascii_output_gets_a_readable_table(self) -> None:
        env = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "60"}
        done = subprocess.run(self.command, capture_output=True, env=env)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertIn(b"??lock", done.stdout)

    @unittest.skipUnless(read_profile, "the extension has no read_profile here")
    def test_command_reads_by_the_extension(self) -> None:
        done = subprocess.run([sys.executable, "-m", "sneck", "report", "--json", self.path()], capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(json.loads(done.stdout)["locks"][0]["wait_ns"], 3 * MS)

    @unittest.skipUnless(read_profile, "the extension has no read_profile here")
    def test_extension_reads_what_the_oracle_reads(self) -> None:
        ours, theirs = read_profile(self.path()), read_by_oracle(self.path())
        for key in ("sample_types", "samples", "comments", "time_ns", "duration_ns"):
            self.assertEqual(json.dumps(ours[key]), json.dumps(theirs[key]), key)


if __name__ == "__main__":
    unittest.main()
