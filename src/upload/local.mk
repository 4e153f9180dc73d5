# From profile to the wire.  No Python include path here either.
noinst_LTLIBRARIES += libsneck_pprof_messages.la libsneck_upload.la
libsneck_upload_la_SOURCES = \
	src/upload/blob.c src/upload/blob.h \
	src/upload/broken_pipe.c src/upload/broken_pipe.h \
	src/upload/builder.c src/upload/builder.h \
	src/upload/command_line.c src/upload/command_line.h \
	src/upload/complaint.c src/upload/complaint.h \
	src/upload/curl_calls.def src/upload/curl_calls.h \
	src/upload/curl_library.c src/upload/curl_library.h \
	src/upload/datadog_endpoint.c src/upload/datadog_endpoint.h \
	src/upload/datadog_tags.c src/upload/datadog_tags.h \
	src/upload/delivery.c src/upload/delivery.h \
	src/upload/entity_id.c src/upload/entity_id.h \
	src/upload/event_json.c src/upload/event_json.h \
	src/upload/exit_signal.c src/upload/exit_signal.h \
	src/upload/http.c src/upload/http.h \
	src/upload/launchers.def \
	src/upload/multi_handle.c src/upload/multi_handle.h \
	src/upload/outbox.c src/upload/outbox.h \
	src/upload/pprof.c src/upload/pprof.h \
	src/upload/pprof_part.c src/upload/pprof_part.h \
	src/upload/pprof_read.c src/upload/pprof_read.h \
	src/upload/pprof_stream.c src/upload/pprof_stream.h \
	src/upload/process_identity.c src/upload/process_identity.h \
	src/upload/process_tags.c src/upload/process_tags.h \
	src/upload/pyroscope_name.c src/upload/pyroscope_name.h \
	src/upload/pyroscope_profile.c src/upload/pyroscope_profile.h \
	src/upload/redact.c src/upload/redact.h \
	src/upload/runtime_id.c src/upload/runtime_id.h \
	src/upload/service_name.c src/upload/service_name.h \
	src/upload/sink.h \
	src/upload/sink_choice.c src/upload/sink_choice.h \
	src/upload/sink_datadog.c src/upload/sink_datadog.h \
	src/upload/sink_file.c src/upload/sink_file.h \
	src/upload/sink_make.c src/upload/sink_make.h \
	src/upload/sink_pyroscope.c src/upload/sink_pyroscope.h \
	src/upload/tags.c src/upload/tags.h \
	src/upload/uploader.c src/upload/uploader.h \
	src/upload/wire_text.c src/upload/wire_text.h
libsneck_upload_la_CFLAGS = $(AM_CFLAGS) $(LIBCURL_CFLAGS) $(ZLIB_CFLAGS) $(PROTOBUF_C_CFLAGS) $(JANSSON_CFLAGS)
libsneck_upload_la_LIBADD = libsneck_pprof_messages.la
$(libsneck_upload_la_OBJECTS): src/upload/profile.pb-c.h

# The one library of ours that is linked with libcurl, loaded where an upload needs it.  It exports its table alone.
sneckpyexec_LTLIBRARIES = _sneck_curl.la
_sneck_curl_la_SOURCES = src/upload/curl_calls.c
_sneck_curl_la_CFLAGS = $(AM_CFLAGS) $(LIBCURL_CFLAGS)
_sneck_curl_la_LDFLAGS = $(AM_LDFLAGS) $(SNECK_LDFLAGS) -module -avoid-version -shrext .so \
	-export-symbols-regex '^sneck_curl_calls$$'
_sneck_curl_la_LIBADD = $(LIBCURL_LIBS)

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
