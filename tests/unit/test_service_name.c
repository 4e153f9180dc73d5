/*
 * test_service_name.c - a table of command lines, in a directory of projects.
 */
#include <config.h>

#include "upload/service_name.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/error.h"
#include "unit.h"

static char root[] = "/tmp/test_service_name.XXXXXX";

static const char *const files[] = {
	"venv/bin/python3.11", "venv/bin/gunicorn", "venv/bin/collect", "venv/bin/streamlit",
	"tests/contrib/aiohttp/app/web.py", "tests/contrib/aiohttp/app/__init__.py",
	"tests/contrib/aiohttp/__init__.py", "tests/contrib/__init__.py", "tests/__init__.py",
	"modules/m1/first/nice/app.py", "modules/m1/first/nice/__init__.py", "modules/m1/first/__init__.py",
	"modules/m1/__init__.py",
	"apps/app1/__main__.py", "apps/app2/cmd/run.py", "apps/app2/setup.py",
	"shop/manage.py", "shop/wsgi.py", "dashboard/page.py", "data.csv",
};

static void make_file(const char *path)
{
	char part[PATH_MAX];
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		mkdir(part, 0700);
	}
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fclose(file);
}

static void begin(void)
{
	ck_assert_ptr_nonnull(mkdtemp(root));
	ck_assert_int_eq(chdir(root), 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		make_file(files[i]);
}

static void end(void)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf %s", root);
	ck_assert_int_eq(system(command), 0);
}

static const char *variable_name, *variable_value;

static char *look_up(const char *name)
{
	return variable_name && !strcmp(name, variable_name) ? (char *)(uintptr_t)variable_value : NULL;
}

/* The words of a command line, split at spaces; the last one may be anything. */
static size_t split(char *text, const char *words[64])
{
	size_t n = 0;
	for (char *word; (word = strsep(&text, " "));)
		words[n++] = word;
	return n;
}

static const char *name_of(const char *command)
{
	static char name[IDENTITY_TEXT_MAX];
	char text[PATH_MAX];
	const char *words[64];
	struct command_line line;
	snprintf(text, sizeof(text), "%s", command);
	command_line_parse(&line, words, split(text, words));
	service_name(name, &line, look_up);
	return name;
}

START_TEST(service_of_a_script_is_its_package_or_directory_as_with_ddtrace)
{
	static const char *const cases[][2] = {
		{"python tests/contrib/aiohttp/app/web.py", "tests.contrib.aiohttp.app"},
		{"python tests/contrib/aiohttp", "tests.contrib.aiohttp"},
		{"python tests", "tests"},
		{"python modules/m1/first/nice/app.py", "m1.first.nice"},
		{"python modules/m1/first", "m1.first"},
		{"python apps/app1", "app1"},
		{"python apps/app2/cmd/run.py", "app2"},
		{"python apps/app2/setup.py", "app2"},
		{"python3.8 apps/app2/setup.py", "app2"},
		{"/usr/bin/python3.11 apps/app2/setup.py", "app2"},
		{"python -m tests.contrib.aiohttp.app.web", "tests.contrib.aiohttp.app.web"},
		{"python -m tests", "tests"},
		{"python -m http.server 8000", "http.server"},
		{"python -X dev -W error -BsEmhttp.server", "http.server"},
		{"python --check-hash-based-pycs always -Wd apps/app1", "app1"},
		{"python -Xfrozen_modules=off apps/app1 -m other", "app1"},
		{"python -c print([])", ""},
		{"python -", ""},
		{"python", ""},
		{"", ""},
		{"python gone/away.py", "away"},
	};
	begin();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		ck_assert_msg(!strcmp(name_of(cases[i][0]), cases[i][1]), "%s: %s", cases[i][0], name_of(cases[i][0]));
	end();
}
END_TEST

START_TEST(service_of_a_server_is_its_application)
{
	static const char *const cases[][2] = {
		{"python venv/bin/gunicorn shop.wsgi:app", "shop.wsgi"},
		{"python venv/bin/gunicorn -w 4 -b localhost:8000 shop.wsgi:app --preload", "shop.wsgi"},
		{"python venv/bin/gunicorn -b unix:/run/x.sock -k gthread shop", "shop"},
		{"python venv/bin/gunicorn shop -k gevent", "shop"},
		{"python venv/bin/gunicorn --bind=0.0.0.0:80 shop:create_app()", "shop"},
		{"python venv/bin/gunicorn -n front shop:app", "front"},
		{"python venv/bin/gunicorn --name=front shop:app", "front"},
		{"python venv/bin/gunicorn -c shop/wsgi.py", "shop"},	/* all in its file: the file's directory */
		{"python venv/bin/gunicorn --bind unix:shop.sock -m 007 wsgi:app", "wsgi"},
		{"python venv/bin/gunicorn -c python:shop.conf -k egg:gunicorn#sync shop:app", "shop"},
		{"python venv/bin/gunicorn -b unix:shop.sock", "gunicorn"},
		{"python -m gunicorn shop.wsgi:app", "shop.wsgi"},
		{"python -m uvicorn --factory shop.main:create --port 80", "shop.main"},
		{"python /x/bin/uvicorn shop.main:app --workers 4", "shop.main"},
		{"python /x/bin/hypercorn shop:app", "shop"},
		{"python /x/bin/hypercorn -c file:h.toml shop:app", "shop"},
		{"python /x/bin/daphne -p 8001 shop.asgi:application", "shop.asgi"},
		{"python /x/bin/daphne -e tcp:port=80 -e ssl:port=443 shop.asgi:application", "shop.asgi"},
		{"python /x/bin/granian --interface asgi shop:app", "shop"},
		{"python /x/bin/waitress-serve --call shop:create", "shop"},
		{"python /x/bin/celery -A shop.tasks worker -c 4", "shop.tasks"},
		{"python /x/bin/celery --app=shop.celery:app worker", "shop.celery"},
		{"python -m celery -Ashop worker", "shop"},
		{"python /x/bin/flask --app hello run", "hello"},
		{"python /x/bin/flask --app hello:create_app('x') run", "hello"},
		{"python /x/bin/flask -A shop/wsgi.py run", "shop"},
		{"python -m django runserver --settings shop.settings", "shop"},
		{"python /x/bin/django-admin check --settings=shop.settings.production", "shop"},
		{"python shop/manage.py runserver", "shop"},
		{"uwsgi --http :8080 --module shop.wsgi:application --master", "shop.wsgi"},
		{"/x/bin/uwsgi --master -w shop", "shop"},
		{"uwsgi --wsgi-file shop/wsgi.py", "shop"},
		{"uwsgi --mount /api=shop.wsgi:app", "shop.wsgi"},
		{"python /x/bin/dramatiq shop.tasks --processes 2", "shop.tasks"},
		{"python /x/bin/arq shop.Worker", "shop.Worker"},
		{"python venv/bin/streamlit run dashboard/page.py", "dashboard"},
		{"python venv/bin/collect data.csv --fast", "collect"},
		{"python -m celery", "celery"},
	};
	begin();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		ck_assert_msg(!strcmp(name_of(cases[i][0]), cases[i][1]), "%s: %s", cases[i][0], name_of(cases[i][0]));
	end();
}
END_TEST

START_TEST(service_of_a_server_may_stand_in_its_variable)
{
	static const char *const cases[][4] = {
		{"python /x/bin/flask run", "FLASK_APP", "hello.web:app", "hello.web"},
		{"python /x/bin/flask --app other run", "FLASK_APP", "hello", "other"},
		{"python /x/bin/flask run", "FLASK_APP", "", "flask"},
		{"python /x/bin/celery worker", "CELERY_APP", "shop.tasks", "shop.tasks"},
		{"python /x/bin/django-admin check", "DJANGO_SETTINGS_MODULE", "shop.settings", "shop"},
		{"uwsgi --ini x.ini", "UWSGI_MODULE", "shop.wsgi:app", "shop.wsgi"},
		{"uwsgi --ini x.ini", "NOTHING", "", "uwsgi"},
		{"python -m uvicorn", "UVICORN_APP", "shop:app", "shop"},
	};
	begin();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		variable_name = cases[i][1];
		variable_value = cases[i][2];
		ck_assert_msg(!strcmp(name_of(cases[i][0]), cases[i][3]), "%s: %s", cases[i][0], name_of(cases[i][0]));
	}
	end();
}
END_TEST

static struct process_identity identity_of(const char *command, const char *argv0)
{
	struct process_identity identity;
	char text[PATH_MAX];
	const char *words[64];
	snprintf(text, sizeof(text), "%s", command);
	process_identity_read(&identity, words, *text ? split(text, words) : 0, argv0, look_up);
	return identity;
}

START_TEST(identity_tells_the_entry_point)
{
	begin();
	struct process_identity script = identity_of("python tests/contrib/aiohttp/app/web.py --x", "");
	ck_assert_str_eq(script.service, "tests.contrib.aiohttp.app");
	ck_assert_str_eq(script.entrypoint_name, "web");
	ck_assert_str_eq(script.entrypoint_type, "script");
	ck_assert_str_eq(script.entrypoint_basedir, "app");
	ck_assert_str_eq(script.entrypoint_workdir, root + strlen("/tmp/"));
	ck_assert_str_eq(script.main_package, "tests");
	struct process_identity module = identity_of("python -m shop.jobs", "-m");
	ck_assert_str_eq(module.entrypoint_name, "shop.jobs");
	ck_assert_str_eq(module.entrypoint_type, "module");
	ck_assert_str_eq(module.entrypoint_basedir, root + strlen("/tmp/"));
	ck_assert_str_eq(module.main_package, "shop");
	struct process_identity server = identity_of("python venv/bin/gunicorn shop.wsgi:app", "");
	ck_assert_str_eq(server.entrypoint_name, "gunicorn");
	ck_assert_str_eq(server.entrypoint_basedir, "bin");
	ck_assert_str_eq(server.main_package, "");
	struct process_identity code = identity_of("python -c pass", "-c");
	ck_assert_str_eq(code.service, "");
	ck_assert_str_eq(code.entrypoint_type, "");
	ck_assert_str_eq(code.main_package, "");
	ck_assert_str_eq(identity_of("python", "").service, "");
	ck_assert_str_eq(identity_of("python", "shop/manage.py").service, "shop");
	end();
}
END_TEST

START_TEST(identity_of_an_embedded_interpreter_is_its_host_programs)
{
	struct process_identity identity = identity_of("", "");
	const char *const own = "test_service_name";
	ck_assert_ptr_nonnull(strstr(identity.entrypoint_name, own));	/* libtool may put lt- in front */
}
END_TEST

START_TEST(identity_of_a_spawned_child_is_its_parents)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		const char *const words[] = {"python", "-c", "from multiprocessing.spawn import spawn_main; spawn_main()",
					     "--multiprocessing-fork"};
		struct process_identity identity;
		process_identity_read(&identity, words, 4, "-c", look_up);
		_exit(strstr(identity.entrypoint_name, "test_service_name") ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	ck_assert_int_eq(status, 0);
}
END_TEST

UNIT_TESTS("service_name", service_of_a_script_is_its_package_or_directory_as_with_ddtrace,
	   service_of_a_server_is_its_application, service_of_a_server_may_stand_in_its_variable,
	   identity_tells_the_entry_point, identity_of_an_embedded_interpreter_is_its_host_programs,
	   identity_of_a_spawned_child_is_its_parents)
