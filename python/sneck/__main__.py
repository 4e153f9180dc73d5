"""python -m sneck: the same as the command sneck."""
import sys

from sneck.cli import main

sys.exit(main())
