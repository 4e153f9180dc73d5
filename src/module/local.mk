# The extension: CPython's view of everything below.  It exports PyInit__sneck alone.
sneckpyexecdir = $(pyexecdir)/sneck
sneckpyexec_LTLIBRARIES = _sneck.la
_sneck_la_SOURCES = \
	src/module/debug_names.c src/module/debug_names.h \
	src/module/debug_stack.c src/module/debug_stack.h \
	src/module/module.c
_sneck_la_CPPFLAGS = $(AM_CPPFLAGS) $(PYTHON_CPPFLAGS)
_sneck_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shrext .abi3.so \
	-export-symbols-regex '^PyInit_'
_sneck_la_LIBADD = libsneck_collector.la libsneck_upload.la libsneck_runtime.la \
	$(ZLIB_LIBS) $(PROTOBUF_C_LIBS) $(JANSSON_LIBS)

# libtool's .la file serves linkers; nobody links to a Python extension.
install-exec-hook:
	rm -f $(DESTDIR)$(sneckpyexecdir)/_sneck.la
uninstall-hook:
	rm -f $(DESTDIR)$(sneckpyexecdir)/_sneck.abi3.so
