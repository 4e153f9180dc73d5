"""Which locks a program waits for, who holds them meanwhile, and from where.

`import sneck.auto` starts with the options of the environment; `sneck.start(**options)`
with some of one's own.  The functions live in the extension, which is loaded when the
first of them is asked for: the command line can then say what is wrong with it.
"""
TYPE_CHECKING = False
if TYPE_CHECKING:
    __version__: str
    from sneck._sneck import flush, lock_stats, options, read_profile, sample_types, start, status, stop
else:

    def __getattr__(name):
        if name == "_sneck":  # as PyCapsule_Import() looks for it before 3.12, by attributes alone
            from sneck.extension import load

            return load()
        if name == "__version__":
            from sneck.extension import load

            return load().__version__
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from sneck.extension import function

        found = globals()[name] = function(name)
        return found


__all__ = ["flush", "lock_stats", "options", "read_profile", "sample_types", "start", "status", "stop"]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
