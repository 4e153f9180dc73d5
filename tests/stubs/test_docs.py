"""The generated pages in docs/ are those of today's tables."""

import os
import subprocess
import sys
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class DocsTest(unittest.TestCase):
    def test_pages_are_current(self):
        generator = os.path.join(SOURCE, "stubs", "generate.py")
        for page in ("options", "reference"):
            with self.subTest(page), open(os.path.join(SOURCE, "docs", page + ".md"), encoding="utf-8") as file:
                made = subprocess.run([sys.executable, generator, page, SOURCE], capture_output=True, check=True,
                                      encoding="utf-8").stdout
                self.assertEqual(file.read(), made, "run `make docs`")


if __name__ == "__main__":
    unittest.main()
