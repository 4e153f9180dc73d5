# What leaves a process, against an intake of our own; run_interpreters finds the tests.
EXTRA_DIST += \
	tests/upload/arrival.py \
	tests/upload/behaviour.py \
	tests/upload/certificates.py \
	tests/upload/intake.py \
	tests/upload/multipart.py \
	tests/upload/program.py \
	tests/upload/requirements.txt \
	tests/upload/rules.py \
	tests/upload/test_curl.py \
	tests/upload/test_datadog.py \
	tests/upload/test_failing.py \
	tests/upload/test_intake.py \
	tests/upload/test_smoke.py \
	tests/upload/test_strangers.py \
	tests/upload/test_transport.py \
	tests/upload/test_ways.py

agents-venv: tests/upload/requirements.txt
	$(AM_V_GEN)$(PYTHON) -m venv venv-agents && \
	venv-agents/bin/python -m pip install --quiet --disable-pip-version-check -r $(srcdir)/tests/upload/requirements.txt
.PHONY: agents-venv

# What other programs make of our files.
check_PROGRAMS += tests/upload/post_pyroscope tests/upload/write_pprof

upload_scripts = tests/upload/pyroscope_wire tests/upload/test_go_pprof.sh
TESTS += $(upload_scripts)
EXTRA_DIST += $(upload_scripts)
EXTRA_DIST += tests/upload/pyroscope_rules.py tests/upload/test_pyroscope.py
