# From profile to the wire.  No Python include path here either.
noinst_LTLIBRARIES += libsneck_pprof_messages.la libsneck_upload.la
libsneck_upload_la_SOURCES = \
	src/upload/builder.c src/upload/builder.h \
	src/upload/exit_signal.c src/upload/exit_signal.h \
	src/upload/http.h \
	src/upload/pprof.c src/upload/pprof.h \
	src/upload/pprof_read.c src/upload/pprof_read.h \
	src/upload/sink.h \
	src/upload/sink_file.c src/upload/sink_file.h \
	src/upload/uploader.c src/upload/uploader.h
libsneck_upload_la_CFLAGS = $(AM_CFLAGS) $(LIBCURL_CFLAGS) $(ZLIB_CFLAGS) $(PROTOBUF_C_CFLAGS) $(JANSSON_CFLAGS)
libsneck_upload_la_LIBADD = libsneck_pprof_messages.la
$(libsneck_upload_la_OBJECTS): src/upload/profile.pb-c.h

# pprof's messages: generated, so not ours to warn about.
nodist_libsneck_pprof_messages_la_SOURCES = src/upload/profile.pb-c.c src/upload/profile.pb-c.h
libsneck_pprof_messages_la_SOURCES =
libsneck_pprof_messages_la_CFLAGS = $(AM_CFLAGS) $(PROTOBUF_C_CFLAGS) -w
src/upload/profile.pb-c.c: src/upload/profile.proto
	$(AM_V_GEN)$(MKDIR_P) src/upload && \
	$(PROTOC_C) --proto_path=$(srcdir)/src/upload --c_out=src/upload $(srcdir)/src/upload/profile.proto
src/upload/profile.pb-c.h: src/upload/profile.pb-c.c
BUILT_SOURCES += src/upload/profile.pb-c.c src/upload/profile.pb-c.h
CLEANFILES += src/upload/profile.pb-c.c src/upload/profile.pb-c.h
EXTRA_DIST += src/upload/profile.proto
