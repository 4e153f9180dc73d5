# What to sample and when: the only code that reads and redirects the interpreter.
noinst_LTLIBRARIES += libsneck_collector.la
libsneck_collector_la_SOURCES =
libsneck_collector_la_CPPFLAGS = $(AM_CPPFLAGS) $(PYTHON_CPPFLAGS)
