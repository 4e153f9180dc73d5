"""python -m sneck: the same as the command sneck."""
import sys

from sneck.cli import main

if __name__ == "__main__":
    sys.exit(main())
