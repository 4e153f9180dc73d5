"""Quantiles of waits, from the histogram that each lock keeps.

Bucket i counts waits of [2**(i/4), 2**((i+1)/4)) nanoseconds: a quarter of an octave,
19 % wide.  A quantile is the geometric middle of the bucket it falls in, so it is never
more than 9.1 % off, however the waits lie in their bucket.
"""
from collections import Counter
from collections.abc import Mapping
from math import ceil

BUCKETS_PER_OCTAVE = 4
BUCKETS = 160  # HISTOGRAM_BUCKETS of src/runtime/histogram.h
Histogram = Counter[int]


def bucket_middle_ns(index: int) -> float:
    """What stands for the waits of a bucket."""
    return float(2.0 ** ((index + 0.5) / BUCKETS_PER_OCTAVE))


def quantile_ns(histogram: Mapping[int, int], q: float, max_ns: float) -> float | None:
    """The wait that the share q of all waits does not pass; None without waits."""
    total = sum(histogram.values())
    if total <= 0:
        return None
    rank = max(1, ceil(q * total))
    passed = 0
    for index in sorted(histogram):
        passed += histogram[index]
        if passed >= rank:
            return min(bucket_middle_ns(index), max_ns)
    return max_ns
