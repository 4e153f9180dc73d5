# Macros of this project's configure.ac; what autoconf-archive has is taken from there.

# SNECK_LIBRARY(VARIABLE, PKG-CONFIG-MODULE, PACKAGE)
# A library found by pkg-config, or one line that names the package to install.
AC_DEFUN([SNECK_LIBRARY],
[PKG_CHECK_MODULES([$1], [$2], [],
  [AC_MSG_ERROR([$2 is missing: install the package $3])])])

# SNECK_PROGRAM(VARIABLE, PROGRAM, PACKAGE)
AC_DEFUN([SNECK_PROGRAM],
[AC_PATH_PROG([$1], [$2])
AS_IF([test -z "$$1"], [AC_MSG_ERROR([$2 is missing: install the package $3])])])

# SNECK_WARNINGS: every warning below must stay silent with gcc and clang.
AC_DEFUN([SNECK_WARNINGS],
[AX_APPEND_COMPILE_FLAGS([-std=gnu11 -fvisibility=hidden -fno-strict-aliasing dnl
  -Wall -Wextra -Wformat=2 -Wshadow -Wstrict-prototypes -Wmissing-prototypes dnl
  -Wold-style-definition -Wpointer-arith -Wwrite-strings -Wundef -Wvla dnl
  -Wimplicit-fallthrough -Wnull-dereference -Wduplicated-cond -Wlogical-op dnl
  -Wno-missing-field-initializers], [SNECK_CFLAGS], [-Werror])
sneck_warnings_report="on"
AS_VAR_IF([enable_werror], [yes],
  [AX_APPEND_COMPILE_FLAGS([-Werror], [SNECK_CFLAGS])
   sneck_warnings_report="on, and errors"])
AC_SUBST([SNECK_CFLAGS])])

# SNECK_BIND_NOW: resolve functions at load.  Left for their first call, those that only a forked
# child calls would be looked up in every child, through the symbols of every library (with libcurl some forty).
AC_DEFUN([SNECK_BIND_NOW],
[AX_APPEND_LINK_FLAGS([-Wl,-z,relro -Wl,-z,now], [SNECK_LDFLAGS])
AC_SUBST([SNECK_LDFLAGS])])

# SNECK_SANITIZERS: --enable-sanitizers=LIST, as the compiler's -fsanitize= takes it.
AC_DEFUN([SNECK_SANITIZERS],
[AC_ARG_ENABLE([sanitizers],
  [AS_HELP_STRING([--enable-sanitizers=LIST], [build with -fsanitize=LIST: address,undefined or thread])],
  [], [enable_sanitizers=no])
SANITIZER_PRELOAD=
AS_CASE([$enable_sanitizers],
  [no], [sneck_sanitizers_report=none],
  [address|undefined|thread|address,undefined|undefined,address],
  [sneck_sanitizers_report=$enable_sanitizers
   SANITIZER_FLAGS="-fsanitize=$enable_sanitizers -fno-omit-frame-pointer -fno-sanitize-recover=undefined"
   AS_CASE([$enable_sanitizers],
     [*address*], [SANITIZER_PRELOAD=`$CC -print-file-name=libasan.so`],
     [thread], [SANITIZER_PRELOAD=`$CC -print-file-name=libtsan.so`])],
  [AC_MSG_ERROR([--enable-sanitizers takes address,undefined or thread, not '$enable_sanitizers'])])
AC_SUBST([SANITIZER_FLAGS])
AC_SUBST([SANITIZER_PRELOAD])
AM_CONDITIONAL([SANITIZED], [test "$enable_sanitizers" != no])])

# SNECK_TLS_MODEL: the hot path reads thread-locals.  glibc keeps room for initial-exec
# ones in libraries loaded later (the fastest: one load); elsewhere descriptors do.
AC_DEFUN([SNECK_TLS_MODEL],
[AC_CACHE_CHECK([for the fastest thread-locals], [sneck_cv_tls_model],
  [AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <features.h>
#ifndef __GLIBC__
#error no room for initial-exec thread-locals
#endif]])], [sneck_cv_tls_model=initial-exec],
  [save_CFLAGS=$CFLAGS; CFLAGS="$CFLAGS -mtls-dialect=gnu2"
   AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[static __thread int x;]], [[x = 1;]])],
     [sneck_cv_tls_model=descriptors], [sneck_cv_tls_model=default])
   CFLAGS=$save_CFLAGS])])
sneck_tls_model=$sneck_cv_tls_model
AS_CASE([$sneck_tls_model],
  [initial-exec], [AC_DEFINE([SNECK_TLS], [__attribute__((tls_model("initial-exec")))], [How a hot thread-local is reached.])
   AC_DEFINE([SNECK_TLS_IS_STATIC], [1], [Define if a hot thread-local is as far from the thread pointer in every thread.])],
  [AC_DEFINE([SNECK_TLS], [], [How a hot thread-local is reached.])])
AS_VAR_IF([sneck_tls_model], [descriptors], [TLS_CFLAGS=-mtls-dialect=gnu2])
AC_SUBST([TLS_CFLAGS])])

# SNECK_PYTHON_HEADERS: Python.h of any CPython from 3.10 on, asked of $PYTHON.
AC_DEFUN([SNECK_PYTHON_HEADERS],
[AC_MSG_CHECKING([for Python's headers])
sneck_python_include=`$PYTHON -c 'import sysconfig; print(sysconfig.get_path("include"))'`
AC_MSG_RESULT([$sneck_python_include])
AS_IF([test -f "$sneck_python_include/Python.h"], [],
  [AC_MSG_ERROR([Python.h is missing for $PYTHON: install the package python3-dev (Fedora: python3-devel)])])
AS_IF([$PYTHON -c 'import sys; sys.exit(sys.maxsize < 2**32 or sys.implementation.name != "cpython")'], [],
  [AC_MSG_ERROR([$PYTHON is not a 64-bit CPython])])
PYTHON_CPPFLAGS="-isystem $sneck_python_include -DPy_LIMITED_API=0x030A0000 -DPY_SSIZE_T_CLEAN"
AC_SUBST([PYTHON_CPPFLAGS])])
