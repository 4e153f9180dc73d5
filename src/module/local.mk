# The extension: CPython's view of everything below.  It exports PyInit__sneck alone.
sneckpyexecdir = $(pyexecdir)/sneck
sneckpyexec_LTLIBRARIES += _sneck.la
_sneck_la_SOURCES = \
	src/module/debug_names.c src/module/debug_names.h \
	src/module/api.h src/module/api.def src/module/records.def \
	src/module/api_control.c src/module/api_lock_stats.c src/module/api_options.c \
	src/module/api_read_profile.c src/module/api_status.c \
	src/module/c_interface.c src/module/c_interface.h \
	src/module/control.c src/module/control.h \
	src/module/convert.c src/module/convert.h \
	src/module/forks.c src/module/forks.h \
	src/module/identity.c src/module/identity.h \
	src/module/program_name.c src/module/program_name.h \
	src/module/signal_calls.c src/module/signal_calls.h \
	src/module/uploading.c src/module/uploading.h \
	src/module/debug_stack.c src/module/debug_stack.h \
	src/module/module.c
nodist__sneck_la_SOURCES = src/module/api_docs.h
_sneck_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/include $(PYTHON_CPPFLAGS)
_sneck_la_LDFLAGS = $(AM_LDFLAGS) $(SNECK_LDFLAGS) -module -avoid-version -shrext .abi3.so \
	-export-symbols-regex '^PyInit_'
_sneck_la_LIBADD = libsneck_collector.la libsneck_upload.la libsneck_runtime.la \
	$(ZLIB_LIBS) $(PROTOBUF_C_LIBS) $(JANSSON_LIBS)

# libtool's .la file serves linkers; nobody links to a Python extension, or to what it loads.
install-exec-hook:
	rm -f $(DESTDIR)$(sneckpyexecdir)/_sneck.la $(DESTDIR)$(sneckpyexecdir)/_sneck_curl.la
uninstall-hook:
	rm -f $(DESTDIR)$(sneckpyexecdir)/_sneck.abi3.so $(DESTDIR)$(sneckpyexecdir)/_sneck_curl.so
