# What leaves a process, against an intake of our own; run_interpreters finds the tests.
EXTRA_DIST += \
	tests/upload/arrival.py \
	tests/upload/behaviour.py \
	tests/upload/certificates.py \
	tests/upload/intake.py \
	tests/upload/multipart.py \
	tests/upload/rules.py \
	tests/upload/test_intake.py

# What other programs make of our files.
check_PROGRAMS += tests/upload/post_pyroscope tests/upload/write_pprof

upload_scripts = tests/upload/pyroscope_wire tests/upload/test_go_pprof.sh
TESTS += $(upload_scripts)
EXTRA_DIST += $(upload_scripts)
EXTRA_DIST += tests/upload/pyroscope_rules.py
