# Benchmarks: `make bench` measures every interpreter found (some minutes on a quiet machine).
EXTRA_DIST += bench/lock bench/lock_worker.py bench/fork bench/fork_worker.py
BENCH_FLAGS = --all
bench: all
	SNECK_STAGE='$(abs_top_builddir)/stage' $(PYTHON) $(srcdir)/bench/lock $(BENCH_FLAGS)
	SNECK_STAGE='$(abs_top_builddir)/stage' $(PYTHON) $(srcdir)/bench/fork $(BENCH_FLAGS)
.PHONY: bench
