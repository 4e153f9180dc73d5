"""Whether the environment has the profiler off, or silent: asked before there is any of it in memory."""
from collections.abc import Mapping

OFF_WORDS = frozenset(("0", "false", "no", "off"))
ON_WORDS = frozenset(("1", "true", "yes", "on", "auto"))


def is_switched_off(environment: Mapping[str, str]) -> bool:
    """Whether SNECK_ENABLED, or else DD_PROFILING_ENABLED, says no."""
    for variable in ("SNECK_ENABLED", "DD_PROFILING_ENABLED"):
        if word := environment.get(variable, "").strip().lower():
            return word in OFF_WORDS
    return False


def is_quiet(environment: Mapping[str, str]) -> bool:
    """Whether SNECK_QUIET says yes."""
    return environment.get("SNECK_QUIET", "").strip().lower() in ON_WORDS
