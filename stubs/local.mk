# Stubs, docstrings and reference pages, generated from the .def tables.
generate = $(PYTHON) $(srcdir)/stubs/generate.py
generate_inputs = stubs/generate.py src/module/api.def src/module/records.def src/runtime/options.def \
	src/runtime/stats.def src/runtime/sample_types.def src/runtime/labels.def

src/module/api_docs.h: $(generate_inputs)
	$(AM_V_GEN)$(MKDIR_P) src/module && $(generate) docstrings $(srcdir) > $@.tmp && mv $@.tmp $@
stubs/_sneck.pyi: $(generate_inputs)
	$(AM_V_GEN)$(MKDIR_P) stubs && $(generate) stub $(srcdir) > $@.tmp && mv $@.tmp $@
BUILT_SOURCES += src/module/api_docs.h
CLEANFILES += src/module/api_docs.h stubs/_sneck.pyi

nodist_sneckpyexec_DATA = stubs/_sneck.pyi
dist_sneckpyexec_DATA += stubs/py.typed
stage/stubs: stage/stamp stubs/_sneck.pyi stubs/py.typed
	$(AM_V_GEN)cp stubs/_sneck.pyi $(srcdir)/stubs/py.typed stage/sneck/ && touch $@
all-local: stage/stubs

# The pages are in the repository, so that they can be read there; a test tells when they are old.
generated_docs = docs/options.md docs/reference.md
docs:
	$(AM_V_GEN)$(MKDIR_P) $(srcdir)/docs && $(generate) options $(srcdir) > $(srcdir)/docs/options.md && \
	$(generate) reference $(srcdir) > $(srcdir)/docs/reference.md
.PHONY: docs
EXTRA_DIST += stubs/generate.py $(generated_docs)

stub_tests = tests/stubs/test_docs.py tests/stubs/test_stubtest.py
TESTS += $(stub_tests)
EXTRA_DIST += $(stub_tests) tests/python/test_module.py
PY_LOG_COMPILER = env $(run_python) $(PYTHON)
tests/stubs/test_stubtest.log: stage/stubs

# What the stubs are checked with; tests are skipped without it.
mypy: .venv-mypy/bin/mypy
.venv-mypy/bin/mypy:
	$(AM_V_GEN)$(PYTHON) -m venv .venv-mypy && .venv-mypy/bin/python3 -m pip install --quiet mypy
clean-local: clean-mypy
clean-mypy:
	rm -rf .venv-mypy
.PHONY: mypy clean-mypy
