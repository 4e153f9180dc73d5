# The example and the tests' probe, built as a user would: by the example's own Makefile and
# pkg-config, as C and, where there is a compiler for it, as C++.
c_extensions = examples/c_extension/c/turnstile.abi3.so examples/c_extension/c/probe.abi3.so
if HAVE_CXX
c_extensions += examples/c_extension/cxx/turnstile.abi3.so examples/c_extension/cxx/probe.abi3.so
endif
c_extension_make = $(MAKE) --no-print-directory -f $(abs_srcdir)/examples/c_extension/Makefile PYTHON='$(PYTHON)' \
	PKG_CONFIG='env -u PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_PATH=$(abs_top_builddir)/include $(PKG_CONFIG)' CFLAGS='-O2 -g -Wall -Wextra -Werror'

examples/c_extension/c/turnstile.abi3.so: examples/c_extension/turnstile.c include/sneck.h
	$(AM_V_GEN)$(MKDIR_P) $(@D) && cd $(@D) && $(c_extension_make) CC='$(CC)' SOURCE=$(abs_srcdir)/examples/c_extension/turnstile.c $(@F)
examples/c_extension/c/probe.abi3.so: tests/c_interface/probe.c include/sneck.h
	$(AM_V_GEN)$(MKDIR_P) $(@D) && cd $(@D) && $(c_extension_make) CC='$(CC)' SOURCE=$(abs_srcdir)/tests/c_interface/probe.c $(@F)
examples/c_extension/cxx/turnstile.abi3.so: examples/c_extension/turnstile.c include/sneck.h
	$(AM_V_GEN)$(MKDIR_P) $(@D) && cd $(@D) && $(c_extension_make) CC='$(CXX) -x c++' SOURCE=$(abs_srcdir)/examples/c_extension/turnstile.c $(@F)
examples/c_extension/cxx/probe.abi3.so: tests/c_interface/probe.c include/sneck.h
	$(AM_V_GEN)$(MKDIR_P) $(@D) && cd $(@D) && $(c_extension_make) CC='$(CXX) -x c++' SOURCE=$(abs_srcdir)/tests/c_interface/probe.c $(@F)

check_DATA += $(c_extensions)
CLEANFILES += $(c_extensions)
EXTRA_DIST += examples/c_extension/Makefile examples/c_extension/turnstile.c docs/c-interface.md

# What tests/python/test_c_interface.py needs, for running it by hand.
check-extensions: $(c_extensions)
.PHONY: check-extensions
