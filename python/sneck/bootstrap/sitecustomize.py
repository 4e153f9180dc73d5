"""Starts sneck in every Python that finds this directory on its PYTHONPATH.

`sneck run` puts it there, in front.  Python's `site` imports it before the program;
it starts the profiler, takes its directory off sys.path, and makes way for the
sitecustomize the program would have had without it, if there is one.

Any interpreter may come by: old ones and other ones read this file too, so it keeps to
syntax that Python 2.7 knows, and what it cannot serve it leaves alone.
"""
import os
import sys


# Imports of this file stay inside functions: at the top, Python 3.15 may put them off
# (-X lazy_imports=all), and these two are made for what they do.
def step_back(why):  # type: (str) -> None
    if os.environ.get("SNECK_QUIET", "").strip().lower() in ("1", "true", "yes", "on", "auto"):
        return
    try:
        sys.stderr.write("sneck: not profiling: %s\n" % (why,))
    except Exception:  # closed, or None: nobody to tell
        pass


def unsupported():  # type: () -> str
    name = sys.implementation.name if hasattr(sys, "implementation") else "cpython"
    version = "%s %d.%d" % ("Python" if name == "cpython" else name, sys.version_info[0], sys.version_info[1])
    if sys.version_info < (3, 10) or name != "cpython":
        return "this is %s; sneck needs CPython 3.10 or later" % version
    if "t" in getattr(sys, "abiflags", ""):
        return "this is a free-threaded %s; sneck needs one with the GIL" % version
    return ""


class PackageFinder(object):
    """Finds the package sneck beside this file, without a place on sys.path."""

    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

    @classmethod
    def find_spec(cls, name, path=None, target=None):  # type: (str, object, object) -> object
        if name != "sneck":
            return None
        from importlib.machinery import PathFinder

        return PathFinder.find_spec(name, [cls.root])


def is_switched_off():  # type: () -> bool
    # As sneck.auto asks, before there is anything of sneck in memory.
    for variable in ("SNECK_ENABLED", "DD_PROFILING_ENABLED"):
        word = os.environ.get(variable, "").strip().lower()
        if word:
            return word in ("0", "false", "no", "off")
    return False


def start():  # type: () -> None
    if is_switched_off():
        return
    why = unsupported()
    if why:
        step_back(why)
        return
    sys.meta_path.insert(0, PackageFinder)  # type: ignore[arg-type]
    try:
        import sneck.auto
    except Exception as error:
        step_back(str(error))
    finally:
        sys.meta_path.remove(PackageFinder)  # type: ignore[arg-type]


def make_way():  # type: () -> None
    """Import the sitecustomize behind this one; its errors are site's to report, as ever."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]
    sys.modules.pop("sitecustomize", None)
    __import__("sitecustomize")


start()
make_way()
