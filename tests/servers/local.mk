# Real servers.  `make servers-venv` installs what they are; without it the entry is a skip.
TESTS += tests/servers/run
EXTRA_DIST += tests/servers/app.py tests/servers/requirements.txt tests/servers/run tests/servers/serving.py \
	tests/servers/test_gunicorn.py
AM_TESTS_ENVIRONMENT += SNECK_SERVERS_PYTHON='$(abs_top_builddir)/venv-servers/bin/python'; export SNECK_SERVERS_PYTHON;

servers-venv: tests/servers/requirements.txt
	$(AM_V_GEN)$(PYTHON) -m venv venv-servers && \
	venv-servers/bin/python -m pip install --quiet --disable-pip-version-check -r $(srcdir)/tests/servers/requirements.txt
.PHONY: servers-venv
