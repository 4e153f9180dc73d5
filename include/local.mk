# What other extensions are built with: a header and its pkg-config file; nothing to link to.
include_HEADERS = include/sneck.h
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = include/sneck.pc
