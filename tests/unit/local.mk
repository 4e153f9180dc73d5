# Unit tests with check: tests/unit/test_x.c for src/*/x.c, one line each.
if HAVE_CHECK
unit_tests = \
	tests/unit/test_arena \
	tests/unit/test_broken_pipe \
	tests/unit/test_builder \
	tests/unit/test_complaint \
	tests/unit/test_curl_library \
	tests/unit/test_datadog_endpoint \
	tests/unit/test_datadog_tags \
	tests/unit/test_entity_id \
	tests/unit/test_event_json \
	tests/unit/test_exit_signal \
	tests/unit/test_fast_clock \
	tests/unit/test_fork \
	tests/unit/test_fork_storm \
	tests/unit/test_histogram \
	tests/unit/test_holds \
	tests/unit/test_http \
	tests/unit/test_intern \
	tests/unit/test_lock_class \
	tests/unit/test_lock_table \
	tests/unit/test_log \
	tests/unit/test_multi_handle \
	tests/unit/test_mutex \
	tests/unit/test_near_map \
	tests/unit/test_options \
	tests/unit/test_outbox \
	tests/unit/test_pprof \
	tests/unit/test_pprof_part \
	tests/unit/test_pprof_read \
	tests/unit/test_profile \
	tests/unit/test_py_frames \
	tests/unit/test_pushed \
	tests/unit/test_py_offsets \
	tests/unit/test_pyroscope_name \
	tests/unit/test_red_black \
	tests/unit/test_redact \
	tests/unit/test_rng \
	tests/unit/test_runtime_id \
	tests/unit/test_safe_read \
	tests/unit/test_sample_cache \
	tests/unit/test_sampling \
	tests/unit/test_service_name \
	tests/unit/test_sink_choice \
	tests/unit/test_sink_datadog \
	tests/unit/test_sink_file \
	tests/unit/test_sink_pyroscope \
	tests/unit/test_stats \
	tests/unit/test_tags \
	tests/unit/test_threads \
	tests/unit/test_upload_memory \
	tests/unit/test_uploader \
	tests/unit/test_url \
	tests/unit/test_utf8 \
	tests/unit/test_wakeup \
	tests/unit/test_wire_text
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
endif
EXTRA_DIST += tests/unit/linked_curl.h tests/unit/samples.h tests/unit/unit.h

# What every unit test is compiled with and linked to.  Of the collector, a test gets the
# modules that need no interpreter.
AM_CFLAGS += $(CHECK_CFLAGS) $(LIBCURL_CFLAGS) $(ZLIB_CFLAGS) $(PROTOBUF_C_CFLAGS)
LDADD = libsneck_collector.la libsneck_upload.la libsneck_runtime.la libsneck_curl_calls.la \
	$(CHECK_LIBS) $(LIBCURL_LIBS) $(ZLIB_LIBS) $(PROTOBUF_C_LIBS) $(JANSSON_LIBS)
# They are linked with libcurl, so they have the table that the extension loads.
check_LTLIBRARIES += libsneck_curl_calls.la
libsneck_curl_calls_la_SOURCES = src/upload/curl_calls.c
libsneck_curl_calls_la_CFLAGS = $(AM_CFLAGS)
