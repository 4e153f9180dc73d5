# What to sample and when: the only code that reads and redirects the interpreter.
noinst_LTLIBRARIES += libsneck_collector.la
libsneck_collector_la_SOURCES = \
	src/collector/bytecode.c src/collector/bytecode.h \
	src/collector/code_table.c src/collector/code_table.h \
	src/collector/collector.c src/collector/collector.h \
	src/collector/frame_objects.c src/collector/frame_objects.h \
	src/collector/frames.c src/collector/frames.h \
	src/collector/frames_proof.c src/collector/frames_proof.h \
	src/collector/holds.c src/collector/holds.h \
	src/collector/instrument.c src/collector/instrument.h \
	src/collector/interpreter_end.c src/collector/interpreter_end.h \
	src/collector/lock.c src/collector/lock.h \
	src/collector/lock_class.c src/collector/lock_class.h \
	src/collector/lock_exclude.c src/collector/lock_exclude.h \
	src/collector/lock_hooks.c src/collector/lock_hooks.h \
	src/collector/lock_look.c src/collector/lock_look.h \
	src/collector/lock_methods.def \
	src/collector/lock_name.c src/collector/lock_name.h \
	src/collector/lock_naming.c src/collector/lock_naming.h \
	src/collector/lock_operation.c src/collector/lock_operation.h \
	src/collector/lock_owner.c src/collector/lock_owner.h \
	src/collector/lock_sample.c src/collector/lock_sample.h \
	src/collector/lock_search.c src/collector/lock_search.h \
	src/collector/lock_site.c src/collector/lock_site.h \
	src/collector/lock_stubs.c src/collector/lock_stubs.h \
	src/collector/lock_table.c src/collector/lock_table.h \
	src/collector/opcodes.c src/collector/opcodes.h src/collector/opcodes.def \
	src/collector/primitives.c src/collector/primitives.h src/collector/primitives.def \
	src/collector/py_symbols.c src/collector/py_symbols.h src/collector/py_symbols.def \
	src/collector/pushed_stack.c src/collector/pushed_stack.h \
	src/collector/py_text.c src/collector/py_text.h \
	src/collector/sampling.c src/collector/sampling.h \
	src/collector/semaphore.c src/collector/semaphore.h \
	src/collector/thread_state.c src/collector/thread_state.h \
	src/collector/thread_name.c src/collector/thread_name.h \
	src/collector/threading_module.c src/collector/threading_module.h
libsneck_collector_la_CPPFLAGS = $(AM_CPPFLAGS) $(PYTHON_CPPFLAGS)
libsneck_collector_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) -fno-plt
