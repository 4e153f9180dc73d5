"""The command line: sneck run, sneck report."""
import argparse
import os
import sys
from collections.abc import Sequence

from sneck import report, run
from sneck.extension import function


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status.  `sneck run` comes back only when it could not run anything."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if argv[:1] == ["run"]:
            return run.main(argv[1:])
        return dispatch(argv)
    except BrokenPipeError:  # `sneck report | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def dispatch(argv: list[str]) -> int:
    chosen = parser().parse_args(argv)
    if chosen.command == "report":
        return report_command(chosen)
    parser().print_help()
    return 2


class Version(argparse.Action):
    """The extension has it; asked for when it is wanted, as loading that may fail."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        try:
            print("sneck", function("__version__"))
        except ImportError as error:
            parser.exit(1, f"sneck: {error}\n")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="sneck", description="Which locks a program waits for, and from where.")
    top.add_argument("--version", action=Version, nargs=0, help="print the version and exit")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands.add_parser("run", help="run a program, profiled: sneck run [OPTIONS] PROGRAM [ARGS]", add_help=False)
    what = "Merge profiles, of many processes too, and show their locks."
    report.add_arguments(commands.add_parser("report", help="show what profiles say", description=what))
    return top


def report_command(chosen: argparse.Namespace) -> int:
    try:
        read = function("read_profile")
    except ImportError as error:
        return report.fail(str(error))
    status = report.main(chosen, read)
    sys.stdout.flush()
    return status
