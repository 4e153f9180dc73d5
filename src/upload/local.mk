# From profile to the wire.  No Python include path here either.
noinst_LTLIBRARIES += libsneck_upload.la
libsneck_upload_la_SOURCES =
libsneck_upload_la_CFLAGS = $(AM_CFLAGS) $(ZLIB_CFLAGS) $(PROTOBUF_C_CFLAGS) $(JANSSON_CFLAGS)
