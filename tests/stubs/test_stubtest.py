"""mypy's stubtest: the stub says what the module is.  Skipped, with a word, where mypy is missing.

`make mypy` installs it into .venv-mypy of the build folder.
"""

import os
import subprocess
import sys

SKIPPED = 77  # automake's word for it


def has_mypy(python):
    return subprocess.run([python, "-c", "import mypy.stubtest"], capture_output=True).returncode == 0


def main():
    candidates = [os.path.join(os.getcwd(), ".venv-mypy", "bin", "python3"), sys.executable]
    python = next((path for path in candidates if os.access(path, os.X_OK) and has_mypy(path)), None)
    if not python:
        print("SKIP: mypy is missing: run `make mypy`, or install it for", sys.executable)
        return SKIPPED
    stage = os.environ["PYTHONPATH"].split(os.pathsep)[0]
    command = [python, "-m", "mypy.stubtest", "sneck._sneck"]
    return subprocess.run(command, env={**os.environ, "MYPYPATH": stage}).returncode


if __name__ == "__main__":
    sys.exit(main())
