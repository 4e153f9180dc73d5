# Real servers.  `make servers-venv` installs what they are; without it the entry is a skip.
TESTS += tests/servers/run
EXTRA_DIST += \
	docs/servers/celery.md docs/servers/gunicorn.md docs/servers/uvicorn.md docs/servers/uwsgi.md \
	tests/servers/app.py tests/servers/requirements.txt tests/servers/run tests/servers/serving.py tests/servers/tasks.py \
	tests/servers/test_celery.py tests/servers/test_gunicorn.py tests/servers/test_gunicorn_signals.py \
	tests/servers/test_pages.py tests/servers/test_uvicorn.py tests/servers/test_uwsgi.py tests/servers/worker_classes.py
AM_TESTS_ENVIRONMENT += SNECK_SERVERS_PYTHON='$(abs_top_builddir)/venv-servers/bin/python'; export SNECK_SERVERS_PYTHON;

servers-venv: tests/servers/requirements.txt
	$(AM_V_GEN)$(PYTHON) -m venv venv-servers && \
	venv-servers/bin/python -m pip install --quiet --disable-pip-version-check -r $(srcdir)/tests/servers/requirements.txt
.PHONY: servers-venv
