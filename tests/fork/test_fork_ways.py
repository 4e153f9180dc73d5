"""Each way to fork: the child ends as it should, and reports its own operations and no others."""
import unittest

from forking import Case, Told, of_lock, often, run_program


class WithChildren(Case):
    def assert_own(self, told: Told, pid: int, child: int = 3, parent: int = 0) -> None:
        self.assertEqual(of_lock(told.rows, pid, "child_lock"), (child, child))
        self.assertEqual(of_lock(told.rows, pid, "parent_lock"), (parent, parent))

    def run_way(self, code: str, **arguments) -> Told:
        """The parent takes a lock four times before the fork and once after it."""
        told = run_program("parent_lock = threading.Lock()\nuse(parent_lock, 4)\n" + code
                           + "\nuse(parent_lock, 1)\nsneck.stop()\ntell(children=children)\n", **arguments)
        self.assert_own(told, told.pid, child=0, parent=5)
        self.assertEqual(told.err, "")
        return told


class Ways(WithChildren):
    def test_os_fork_and_exit(self) -> None:
        told = self.run_way("""
child = os.fork()
if child == 0:
    child_lock = threading.Lock()
    use(child_lock, 3)
    sys.exit(4)
expect(child, 4 << 8)
children = [child]
""")
        self.assert_own(told, told.truth["children"][0])

    def test_subprocess(self) -> None:
        """Its children exec: by vfork, and by fork where there is something to do before."""
        self.run_way("""
import subprocess
children = []
for before in (None, lambda: None):
    ended = subprocess.run([sys.executable, "-c", "print(6*7)"], preexec_fn=before, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "42\\n", ""), ended
""")

    def run_multiprocessing(self, method: str) -> Told:
        return run_program(f"""
            import multiprocessing

            def work(say):
                import sneck
                child_lock = threading.Lock()
                use(child_lock, 3)
                say.send((os.getpid(), bool(sneck.status()["running"])))

            if __name__ == "__main__":
                parent_lock = threading.Lock()
                use(parent_lock, 4)
                context, children = multiprocessing.get_context({method!r}), []
                for _ in range(3):
                    hear, say = context.Pipe(False)
                    child = context.Process(target=work, args=(say,))
                    child.start()
                    children.append(hear.recv())
                    child.join(LIMIT_S)
                    assert child.exitcode == 0, child.exitcode
                sneck.stop()
                tell(children=children)
            """)

    def test_multiprocessing_fork(self) -> None:
        told = self.run_multiprocessing("fork")
        for pid, running in told.truth["children"]:
            self.assertTrue(running)
            self.assert_own(told, pid)
        self.assert_own(told, told.pid, child=0, parent=4)

    def test_multiprocessing_spawn_and_forkserver(self) -> None:
        """A new interpreter, which runs the program's file: that starts the profiler, here."""
        for method in ("spawn", "forkserver"):
            with self.subTest(method):
                told = self.run_multiprocessing(method)
                self.assertEqual(len(told.truth["children"]), 3)
                for pid, _running in told.truth["children"]:
                    self.assert_own(told, pid)
                self.assert_own(told, told.pid, child=0, parent=4)

    def test_multiprocessing_children_that_start_by_themselves(self) -> None:
        for method in ("fork", "spawn", "forkserver"):
            with self.subTest(method):
                told = run_program(f"""
                    import multiprocessing

                    def work(output):
                        sneck.start(output=output, capture_pct=100)
                        child_lock = threading.Lock()
                        use(child_lock, 3)

                    if __name__ == "__main__":
                        child = multiprocessing.get_context({method!r}).Process(target=work, args=(output,))
                        child.start()
                        child.join(LIMIT_S)
                        assert child.exitcode == 0, child.exitcode
                        tell(children=[child.pid])
                    """, start=None)
                self.assert_own(told, told.truth["children"][0])

    def test_process_pool(self) -> None:
        """#11762: a worker hung in a lock that its parent's sampler held at the fork."""
        told = run_program("""
            import concurrent.futures, multiprocessing
            child_lock = threading.Lock()

            def work(_):
                use(child_lock, 3)
                time.sleep(0.001)
                return os.getpid()

            def churn():
                while not stop.is_set():
                    use(parent_lock, 100)
                    time.sleep(0.001)

            parent_lock, stop = threading.Lock(), threading.Event()
            threads = [threading.Thread(target=churn) for _ in range(4)]
            for thread in threads:
                thread.start()
            done = []
            for _ in range(5):
                context = multiprocessing.get_context("fork")
                with concurrent.futures.ProcessPoolExecutor(4, mp_context=context) as pool:
                    done += pool.map(work, range(50), timeout=LIMIT_S)
            stop.set()
            for thread in threads:
                thread.join()
            sneck.stop()
            tell(children={pid: done.count(pid) for pid in done})
            """, start=f"capture_pct=100, {often(0.02)}")
        self.assertEqual(sum(told.truth["children"].values()), 250)
        for pid, calls in told.truth["children"].items():
            self.assert_own(told, int(pid), child=3 * calls)

    def test_daemon(self) -> None:
        told = self.run_way("""
hear, say = os.pipe()
child = os.fork()
if child == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    for fd in range(3):
        os.dup2(os.open(os.devnull, os.O_RDWR), fd)
    os.chdir("/")
    child_lock = threading.Lock()
    use(child_lock, 3)
    flushed = sneck.flush(LIMIT_S)
    os.write(say, b"%d" % (os.getpid() if flushed else 0))
    os._exit(0)
expect(child, 0)
os.close(say)
children = [int(os.read(hear, 20))]
""")
        self.assert_own(told, told.truth["children"][0])

    def test_daemon_that_closes_every_descriptor(self) -> None:
        told = self.run_way("""
child = os.fork()
if child == 0:
    os.closerange(3, 1024)
    child_lock = threading.Lock()
    use(child_lock, 3)
    flushed_exit()
expect(child, 0)
children = [child]
""", start=f"capture_pct=100, {often(0.005)}")
        self.assert_own(told, told.truth["children"][0])

    def test_from_a_thread(self) -> None:
        """The child's main thread is the one that forked, and keeps its name."""
        told = self.run_way("""
children = []
def forks():
    thread_lock = threading.Lock()
    use(thread_lock, 2)
    child = os.fork()
    if child == 0:
        child_lock = threading.Lock()
        use(child_lock, 3)
        flushed_exit()
    expect(child, 0)
    children.append(child)
thread = threading.Thread(target=forks, name="forker")
thread.start()
thread.join()
""")
        child = told.truth["children"][0]
        self.assert_own(told, child)
        rows = told.rows[child].of("child_lock")
        self.assertEqual({row.labels["thread id"] for row in rows},
                         {row.labels["thread id"] for row in told.rows[told.pid].of("thread_lock")})
        self.assertEqual({row.labels["thread native id"] for row in rows}, {child})
        self.assertEqual(of_lock(told.rows, child, "thread_lock"), (0, 0))

    def test_from_a_signal_handler_amid_a_wait(self) -> None:
        """The handler runs inside an acquire that is being timed; that one is reported once, by who got the lock."""
        told = self.run_way("""
children, waited = [], threading.Lock()

def fork_now(*_):
    child = os.fork()
    if child == 0:
        child_lock = threading.Lock()
        use(child_lock, 3)
        flushed_exit()
    expect(child, 0)
    children.append(child)

signal.signal(signal.SIGALRM, fork_now)
waited.acquire()
signal.setitimer(signal.ITIMER_REAL, 0.02)
waited.acquire(timeout=0.2)
waited.release()
""")
        child = told.truth["children"][0]
        self.assert_own(told, child)
        self.assertEqual(of_lock(told.rows, told.pid, "waited"), (1, 1))
        self.assertEqual(told.rows[told.pid].of("waited").failed, 1)
        self.assertEqual(told.rows[child].of("waited"), [])

    def test_from_c_without_pythons_hooks(self) -> None:
        """As uWSGI forks.  The uploader's thread comes back by the first sample: nobody flushes here."""
        told = self.run_way("""
import ctypes, glob
fork = ctypes.PyDLL(None).fork
child = fork()
if child == 0:
    before = sneck.status()["upload"]["state"]
    child_lock = threading.Lock()
    use(child_lock, 3)
    after, until = sneck.status()["upload"]["state"], time.monotonic() + LIMIT_S
    while not sneck.status()["upload"]["uploads"] and time.monotonic() < until:
        time.sleep(0.01)
    os._exit(0 if (before, after) == ("not yet running in this child", "running") else 1)
expect(child, 0)
children = [child]
""", start="capture_pct=100, upload_interval=0.2")
        self.assert_own(told, told.truth["children"][0])

    def test_five_deep(self) -> None:
        told = self.run_way("""
children, hear, say = [], *os.pipe()

def go_down(level):
    child = settled_fork()
    if child == 0:
        child_lock = threading.Lock()
        use(child_lock, 3)
        if level > 1:
            go_down(level - 1)
        os.write(say, b"%d " % os.getpid())
        flushed_exit()
    expect(child, 0)

go_down(5)
children = [int(pid) for pid in os.read(hear, 1000).split()]
""")
        self.assertEqual(len(set(told.truth["children"])), 5)
        for pid in told.truth["children"]:
            self.assert_own(told, pid)

    def test_a_lock_held_across_is_released_on_both_sides(self) -> None:
        """#1693: the child's release is its own, and its hold began in the parent."""
        told = self.run_way("""
across, re_entered = threading.Lock(), threading.RLock()
across.acquire()
re_entered.acquire()
re_entered.acquire()
began = time.monotonic()
child = os.fork()
if child == 0:
    time.sleep(0.05)
    re_entered.release()
    re_entered.release()
    across.release()
    use(across, 1)
    child_lock = threading.Lock()
    use(child_lock, 3)
    flushed_exit()
expect(child, 0)
across.release()
re_entered.release()
re_entered.release()
children = [child]
""")
        child = told.truth["children"][0]
        self.assert_own(told, child)
        self.assertEqual(of_lock(told.rows, told.pid, "across"), (1, 1))
        self.assertEqual(of_lock(told.rows, child, "across"), (1, 2))
        self.assertEqual(of_lock(told.rows, told.pid, "re_entered"), (2, 1))
        self.assertEqual(of_lock(told.rows, child, "re_entered"), (0, 1))
        hold_ns = told.rows[child].of("re_entered").hold_ns
        self.assertTrue(50_000_000 <= hold_ns < 60_000_000_000, hold_ns)

    def test_a_lock_that_another_thread_held_is_nobodys_in_the_child(self) -> None:
        told = self.run_way("""
others, held, done = threading.Lock(), threading.Event(), threading.Event()
def hold():
    with others:
        held.set()
        done.wait()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if child == 0:
    assert not others.acquire(timeout=0.01)
    others.release()
    child_lock = threading.Lock()
    use(child_lock, 3)
    flushed_exit()
done.set()
thread.join()
expect(child, 0)
children = [child]
""")
        child = told.truth["children"][0]
        self.assert_own(told, child)
        self.assertEqual(of_lock(told.rows, told.pid, "others"), (1, 1))
        self.assertEqual(of_lock(told.rows, child, "others"), (0, 0))

    def test_a_child_stops_and_starts_by_itself(self) -> None:
        told = self.run_way("""
child = os.fork()
if child == 0:
    sneck.stop()
    sneck.start(capture_pct=100, output=output)
    child_lock = threading.Lock()
    use(child_lock, 3)
    sneck.stop()
    os._exit(0)
expect(child, 0)
children = [child]
""")
        self.assert_own(told, told.truth["children"][0])


class Return(WithChildren):
    """Our thread in a child: there when the child has something to report, and not before."""

    def test_a_child_without_a_sample_has_no_thread_and_no_file(self) -> None:
        """It exits at once, by os._exit(), or lives on and is told to flush."""
        told = self.run_way("""
children = []
for way in range(4):
    child = os.fork()
    if child == 0:
        assert len(os.listdir("/proc/self/task")) == 1
        assert sneck.status()["upload"]["state"] == "not yet running in this child"
        if way == 0:
            os._exit(0)
        if way == 1:
            time.sleep(0.1)
            assert len(os.listdir("/proc/self/task")) == 1
            flushed_exit()
        if way == 2:
            sneck.stop()
            os._exit(0)
        sys.exit(0)
    expect(child, 0)
    children.append(child)
""", start=f"capture_pct=100, {often(0.01)}")
        for child in told.truth["children"]:
            self.assertEqual(told.files.get(child, 0), 0)

    def test_a_flush_brings_it_back_for_good(self) -> None:
        told = self.run_way("""
child = os.fork()
if child == 0:
    assert sneck.flush(LIMIT_S) and sneck.status()["upload"]["state"] == "running"
    child_lock = threading.Lock()
    use(child_lock, 3)
    until = time.monotonic() + LIMIT_S
    while not sneck.status()["upload"]["uploads"] and time.monotonic() < until:
        time.sleep(0.01)
    os._exit(0)
expect(child, 0)
children = [child]
""", start="capture_pct=100, upload_interval=0.1")
        self.assert_own(told, told.truth["children"][0])

    def test_a_sample_in_100_brings_it_back(self) -> None:
        """The operation that is drawn, and none before it; a child draws for itself."""
        told = run_program("""
            parent_lock = threading.Lock()
            firsts = []
            for _ in range(20):
                hear, say = os.pipe()
                child = os.fork()
                if child == 0:
                    child_lock, n = threading.Lock(), 0
                    while sneck.status()["upload"]["state"] != "running":
                        use(child_lock, 1)
                        n += 1
                    os.write(say, b"%d" % n)
                    flushed_exit()
                expect(child, 0)
                firsts.append(int(os.read(hear, 20)))
            tell(firsts=firsts)
            """, start="capture_pct=1")
        firsts = told.truth["firsts"]
        self.assertGreater(len(set(firsts)), 5, firsts)
        self.assertGreater(sum(firsts) / len(firsts), 30, firsts)
        self.assertEqual([rows.of("child_lock").acquires > 0 for pid, rows in told.rows.items() if pid != told.pid], [True] * 20)

    def test_signals_end_children_with_and_without_samples(self) -> None:
        told = self.run_way("""
children = []
for samples in (0, 3):
    hear, say = os.pipe()
    child = os.fork()
    if child == 0:
        child_lock = threading.Lock()
        use(child_lock, samples)
        os.write(say, b"ready")
        time.sleep(LIMIT_S)
        os._exit(1)
    os.read(hear, 5)
    os.kill(child, signal.SIGTERM)
    expect(child, signal.SIGTERM)
    children.append(child)
""")
        without, having = told.truth["children"]
        self.assertEqual(told.files.get(without, 0), 0)
        self.assert_own(told, having)


if __name__ == "__main__":
    unittest.main()
