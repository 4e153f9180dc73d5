# Benchmarks: `make bench` measures every interpreter found (some minutes on a quiet machine).
EXTRA_DIST += bench/fork bench/fork_worker.py
EXTRA_DIST += bench/least bench/lock bench/lock_worker.py bench/crowd.py
EXTRA_DIST += bench/server bench/server_app.py bench/server_switch.py
BENCH_FLAGS = --all
bench: all
	SNECK_STAGE='$(abs_top_builddir)/stage' $(PYTHON) $(srcdir)/bench/lock $(BENCH_FLAGS)
	SNECK_STAGE='$(abs_top_builddir)/stage' $(PYTHON) $(srcdir)/bench/fork $(BENCH_FLAGS)
	SNECK_STAGE='$(abs_top_builddir)/stage' SNECK_SERVERS_PYTHON='$(abs_top_builddir)/venv-servers/bin/python' \
		$(PYTHON) $(srcdir)/bench/server
.PHONY: bench

# Ten scenarios under load, and a comparison with another profiler.  `make bench-venv` installs what they need.
EXTRA_DIST += \
	bench/compare/profilers.py \
	bench/compare/requirements.txt \
	bench/compare/run.py \
	bench/compare/truth.py \
	bench/compare/worker.py \
	bench/lock_profiler_stress/agreement.py \
	bench/lock_profiler_stress/config.yaml \
	bench/lock_profiler_stress/measuring.py \
	bench/lock_profiler_stress/plot.py \
	bench/lock_profiler_stress/run.py \
	bench/lock_profiler_stress/scenario.py \
	bench/requirements.txt \
	docs/benchmarks.md \
	docs/benchmarks.svg \
	docs/comparison.md \
	tests/python/test_bench.py
bench_python = SNECK_STAGE='$(abs_top_builddir)/stage' venv-bench/bin/python
bench-venv: bench/requirements.txt
	$(AM_V_GEN)$(PYTHON) -m venv venv-bench && \
	pip='venv-bench/bin/python -m pip --disable-pip-version-check --quiet install' && $$pip -r $(srcdir)/bench/requirements.txt && \
	{ $$pip -r $(srcdir)/bench/compare/requirements.txt || \
		echo 'ddtrace does not install here: bench/compare goes without'; }
bench-stress: all
	$(bench_python) $(srcdir)/bench/lock_profiler_stress/run.py --results results/stress $(STRESS_FLAGS)
bench-compare: all
	$(bench_python) $(srcdir)/bench/compare/run.py --results results/compare $(COMPARE_FLAGS)
.PHONY: bench-venv bench-stress bench-compare
