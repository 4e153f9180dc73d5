# Benchmarks: `make bench` measures every interpreter found (some minutes on a quiet machine).
EXTRA_DIST += bench/lock bench/lock_worker.py
EXTRA_DIST += bench/server bench/server_app.py bench/server_switch.py
BENCH_FLAGS = --all
bench: all
	SNECK_STAGE='$(abs_top_builddir)/stage' $(PYTHON) $(srcdir)/bench/lock $(BENCH_FLAGS)
	SNECK_STAGE='$(abs_top_builddir)/stage' SNECK_SERVERS_PYTHON='$(abs_top_builddir)/venv-servers/bin/python' \
		$(PYTHON) $(srcdir)/bench/server
.PHONY: bench
