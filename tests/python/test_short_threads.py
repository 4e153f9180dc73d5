"""Threads that come and go beside uploads without a pause: each one's operations count from its first on."""

import os
import threading
import unittest

from support import Case, profiled

THREADS, TIMES = 800 if os.environ.get("SNECK_SANITIZED") else 8000, 10


class ShortThreads(Case):
    def test_no_operation_of_a_new_thread_is_missed(self) -> None:
        """A thread is listed at its first operation, be the list in use by a drain just then."""
        shared = threading.Lock()

        def work() -> None:
            for _ in range(TIMES):
                with shared:
                    pass

        with profiled(upload_interval=0.001) as seen:
            for _ in range(THREADS // 8):
                few = [threading.Thread(target=work) for _ in range(8)]
                for thread in few:
                    thread.start()
                for thread in few:
                    thread.join()
        rows = seen.rows.of("shared")
        self.assertEqual((rows.acquires, rows.releases), (THREADS * TIMES, THREADS * TIMES))
        self.assertEqual(seen.status["stats"]["threads_unlisted"], 0)


if __name__ == "__main__":
    unittest.main()
