# What to sample and when: the only code that reads and redirects the interpreter.
noinst_LTLIBRARIES += libsneck_collector.la
libsneck_collector_la_SOURCES = \
	src/collector/bytecode.c src/collector/bytecode.h \
	src/collector/code_table.c src/collector/code_table.h \
	src/collector/collector.h \
	src/collector/frame_objects.c src/collector/frame_objects.h \
	src/collector/frames.c src/collector/frames.h \
	src/collector/frames_proof.c src/collector/frames_proof.h \
	src/collector/lock_name.c src/collector/lock_name.h \
	src/collector/lock_search.c src/collector/lock_search.h \
	src/collector/opcodes.c src/collector/opcodes.h src/collector/opcodes.def \
	src/collector/primitives.c src/collector/primitives.h src/collector/primitives.def \
	src/collector/py_symbols.c src/collector/py_symbols.h src/collector/py_symbols.def \
	src/collector/py_text.c src/collector/py_text.h
libsneck_collector_la_CPPFLAGS = $(AM_CPPFLAGS) $(PYTHON_CPPFLAGS)
