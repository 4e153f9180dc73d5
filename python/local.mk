# The Python package: thin, typed, no sampling logic.
sneck_python = \
	python/sneck/__init__.py \
	python/sneck/__main__.py \
	python/sneck/auto.py \
	python/sneck/children.py \
	python/sneck/cli.py \
	python/sneck/extension.py \
	python/sneck/fork_warning.py \
	python/sneck/histogram.py \
	python/sneck/messages.py \
	python/sneck/painter.py \
	python/sneck/pool_worker.py \
	python/sneck/profiles.py \
	python/sneck/report.py \
	python/sneck/run.py \
	python/sneck/switches.py \
	python/sneck/table.py \
	python/sneck/units.py
dist_sneckpyexec_DATA = $(sneck_python)

# A directory of its own: `sneck run` puts it, and nothing else, on PYTHONPATH.
sneck_bootstrap = python/sneck/bootstrap/sitecustomize.py
sneckpyexecbootstrapdir = $(sneckpyexecdir)/bootstrap
dist_sneckpyexecbootstrap_DATA = $(sneck_bootstrap)

# The command, with the interpreter and the place it was installed for.
bin_SCRIPTS = python/bin/sneck
EXTRA_DIST += python/bin/sneck.in
CLEANFILES += python/bin/sneck
python/bin/sneck: python/bin/sneck.in Makefile
	$(AM_V_GEN)$(MKDIR_P) python/bin && \
	$(SED) -e 's|[@]PYTHON[@]|$(PYTHON)|' -e 's|[@]pyexecdir[@]|$(pyexecdir)|' \
		-e 's|[@]bindir[@]|$(bindir)|' $(srcdir)/python/bin/sneck.in >$@.tmp && \
	chmod +x $@.tmp && mv $@.tmp $@

# A copy of the package as installed, for tests and `make` users: PYTHONPATH=stage.
# Renamed into place: who runs from it keeps the libraries he has mapped.
sneck_package = $(sneck_python) $(sneck_bootstrap)
stage/stamp: $(sneck_package) _sneck.la _sneck_curl.la
	$(AM_V_GEN)$(MKDIR_P) stage/sneck && \
	for f in $(sneck_package); do \
		d=stage/$$(dirname $${f#python/}); $(MKDIR_P) $$d && cp $$(test -f $$f || echo $(srcdir)/)$$f $$d/ || exit 1; done && \
	for f in _sneck_curl.so _sneck.abi3.so; do \
		cp .libs/$$f stage/sneck.new && mv stage/sneck.new stage/sneck/$$f || exit 1; done && touch $@
all-local: stage/stamp
clean-local:
	rm -rf stage

# What interpreters have compiled since.
uninstall-local:
	rm -rf $(DESTDIR)$(sneckpyexecdir)/__pycache__ $(DESTDIR)$(sneckpyexecbootstrapdir)/__pycache__

EXTRA_DIST += \
	docs/datadog.md docs/names.md docs/pyroscope.md docs/reading-a-report.md docs/run.md docs/upload.md \
	tests/python/pprof_maker.py tests/python/pprof_oracle.py tests/python/test_report.py tests/python/test_run.py
