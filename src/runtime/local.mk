# Plain C: no Python include path, so a stray #include <Python.h> does not build.
EXTRA_DIST += tools/make_py_offsets
noinst_LTLIBRARIES += libsneck_runtime.la
libsneck_runtime_la_SOURCES = \
	src/runtime/arena.c src/runtime/arena.h \
	src/runtime/clocks.c src/runtime/clocks.h \
	src/runtime/error.c src/runtime/error.h \
	src/runtime/fast_clock.c src/runtime/fast_clock.h \
	src/runtime/fork.c src/runtime/fork.h \
	src/runtime/histogram.c src/runtime/histogram.h \
	src/runtime/hot.h \
	src/runtime/intern.c src/runtime/intern.h \
	src/runtime/labels.def \
	src/runtime/lockrank.h \
	src/runtime/log.c src/runtime/log.h \
	src/runtime/mutex.c src/runtime/mutex.h \
	src/runtime/near_map.c src/runtime/near_map.h \
	src/runtime/options.c src/runtime/options.h src/runtime/options.def \
	src/runtime/profile.c src/runtime/profile.h \
	src/runtime/py_frames.c src/runtime/py_frames.h \
	src/runtime/py_offsets.c src/runtime/py_offsets.h \
	src/runtime/py_offsets_table.def \
	src/runtime/pushed.c src/runtime/pushed.h \
	src/runtime/red_black.c src/runtime/red_black.h \
	src/runtime/rng.c src/runtime/rng.h \
	src/runtime/safe_read.c src/runtime/safe_read.h \
	src/runtime/sample.c src/runtime/sample.h \
	src/runtime/sample_cache.c src/runtime/sample_cache.h \
	src/runtime/sample_types.def \
	src/runtime/stats.c src/runtime/stats.h src/runtime/stats.def \
	src/runtime/status.h \
	src/runtime/threads.c src/runtime/threads.h \
	src/runtime/url.c src/runtime/url.h \
	src/runtime/utf8.c src/runtime/utf8.h \
	src/runtime/wakeup.c src/runtime/wakeup.h
