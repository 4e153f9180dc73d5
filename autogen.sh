#!/bin/sh
# Makes ./configure from a clone.  A release archive has it already.
set -e
cd "$(dirname "$0")"
need() {
	command -v "$1" >/dev/null 2>&1 || { echo "autogen.sh: $1 is missing: install the package $2" >&2; exit 1; }
}
need autoreconf autoconf
need automake automake
need libtoolize libtool
need pkg-config pkg-config
if [ -z "$(find "$(aclocal --print-ac-dir)" /usr/share/aclocal -name ax_append_compile_flags.m4 2>/dev/null | head -n 1)" ]; then
	echo "autogen.sh: autoconf-archive is missing: install the package autoconf-archive" >&2
	exit 1
fi
autoreconf --install --force
