# What other programs make of our files.
check_PROGRAMS += tests/upload/write_pprof

upload_scripts = tests/upload/test_go_pprof.sh
TESTS += $(upload_scripts)
EXTRA_DIST += $(upload_scripts)
