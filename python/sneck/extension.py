"""Loading the extension, and saying what to do when that fails."""
import sys
from contextlib import suppress
from importlib import import_module
from types import ModuleType
from typing import Any

from sneck import children, fork_warning

with suppress(ImportError):  # what start() reads: found there, it runs no Python code, and so no signal handler
    import atexit  # noqa: F401
    import opcode  # noqa: F401

SUPPORTED = "sneck needs CPython 3.10 or later, with the GIL"
# Of the libraries that the extension needs, by their names without a version.
PACKAGES = {
    "libprotobuf-c.so": "libprotobuf-c1 (Fedora: protobuf-c)",
    "libjansson.so": "libjansson4 (Fedora: jansson)",
    "libz.so": "zlib1g (Fedora: zlib)",
}


def load() -> ModuleType:
    """The extension, or ImportError with a remedy in its text."""
    known = sys.modules.get("sneck._sneck")
    if known is not None:
        return known
    try:
        extension = import_module("sneck._sneck")
    except ImportError as error:
        raise ImportError(f"{error}; {remedy(error)}", name=error.name, path=error.path) from error
    children.watch()
    fork_warning.install()
    return extension


def function(name: str) -> Any:
    """A function of the extension, or ImportError likewise."""
    try:
        return getattr(load(), name)
    except AttributeError as error:
        raise ImportError(f"{error}; package and extension differ in their version: install both again") from error


def remedy(error: ImportError) -> str:
    """What to do about an extension that does not load."""
    if sys.implementation.name != "cpython" or "t" in getattr(sys, "abiflags", ""):
        return SUPPORTED
    if isinstance(error, ModuleNotFoundError):
        return "build and install it: ./configure && make && make install"
    for library, package in PACKAGES.items():
        if str(error).startswith(library):
            return f"install the package {package}"
    return "build sneck again on this system: ./configure && make && make install"


def is_of_subinterpreter(error: ImportError) -> bool:
    """Whether only this subinterpreter refuses; the main one profiles its locks all the same."""
    return "subinterpreters" in str(error)
