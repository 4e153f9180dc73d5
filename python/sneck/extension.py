"""Loading the extension, and saying what to do when that fails."""
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from sneck.children import watch

SUPPORTED = "sneck needs CPython 3.10 or later, with the GIL"


def load() -> ModuleType:
    """The extension, or ImportError with a remedy in its text."""
    known = sys.modules.get("sneck._sneck")
    if known is not None:
        return known
    try:
        extension = import_module("sneck._sneck")
    except ImportError as error:
        raise ImportError(f"{error}; {remedy(error)}", name=error.name, path=error.path) from error
    watch()
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
    if "cannot open shared object file" in str(error):
        return "install the package with that library, as libprotobuf-c1"
    return "build sneck again on this system: ./configure && make && make install"


def is_of_subinterpreter(error: ImportError) -> bool:
    """Whether only this subinterpreter refuses; the main one profiles its locks all the same."""
    return "subinterpreters" in str(error)
