# What other programs make of our files.
check_PROGRAMS += tests/upload/post_pyroscope tests/upload/write_pprof

upload_scripts = tests/upload/pyroscope_wire tests/upload/test_go_pprof.sh
TESTS += $(upload_scripts)
EXTRA_DIST += $(upload_scripts)
EXTRA_DIST += tests/upload/pyroscope_rules.py
