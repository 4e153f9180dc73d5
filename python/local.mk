# The Python package: thin, typed, no sampling logic.
sneck_python = \
	python/sneck/__init__.py
dist_sneckpyexec_DATA = $(sneck_python)

# A copy of the package as installed, for tests and `make` users: PYTHONPATH=stage.
stage/stamp: $(sneck_python) _sneck.la
	$(AM_V_GEN)$(MKDIR_P) stage/sneck && \
	for f in $(sneck_python); do \
		d=stage/$$(dirname $${f#python/}); $(MKDIR_P) $$d && cp $$(test -f $$f || echo $(srcdir)/)$$f $$d/ || exit 1; done && \
	cp .libs/_sneck.abi3.so stage/sneck/ && touch $@
all-local: stage/stamp
clean-local:
	rm -rf stage
