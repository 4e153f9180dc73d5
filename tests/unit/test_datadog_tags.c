/*
 * test_datadog_tags.c - who wins where several say something, and the exact text that goes out.
 */
#include <config.h>

#include "upload/datadog_tags.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/error.h"
#include "unit.h"
#include "upload/process_tags.h"
#include "upload/runtime_id.h"

static struct process_identity identity;

static struct datadog_config plain(void)
{
	identity = (struct process_identity){.service = "shop.wsgi", .python_version = "3.11.7"};
	return (struct datadog_config){.identity = &identity};
}

/* What goes out, without the six tags of ours in the middle, whose values are checked here. */
static const char *text_of(const struct datadog_config *config)
{
	static char text[8192];
	char own[512], platform[64];
	struct datadog_tags tags;
	ck_assert_int_eq(datadog_tags_init(&tags, config), OK);
	char *whole = datadog_tags_text(&tags, "3.11.7");
	snprintf(own, sizeof(own), "language:python,runtime:CPython,runtime-id:%s,runtime_version:3.11.7,profiler_version:"
		 PACKAGE_VERSION ",process_id:%d", runtime_id(), (int)getpid());
	char *at = strstr(whole, own);
	ck_assert_msg(at != NULL, "%s\nlacks %s", whole, own);
	snprintf(text, sizeof(text), "%.*s%s", (int)(at - whole), whole, at + strlen(own));
	char *last = strstr(text, ",runtime_platform:");
	ck_assert_ptr_nonnull(last);
	ck_assert_int_eq(sscanf(last, ",runtime_platform:%63s", platform), 1);
	ck_assert_ptr_nonnull(strstr(platform, "-unknown-linux-"));
	*last = '\0';
	free(whole);
	datadog_tags_free(&tags);
	return text;
}

START_TEST(datadog_tags_of_a_program_nobody_configured)
{
	runtime_id_init();
	struct datadog_config config = plain();
	ck_assert_str_eq(text_of(&config), "service:shop.wsgi,");
	identity.service[0] = '\0';
	ck_assert_str_eq(text_of(&config), "service:unnamed-python-service,");
	ck_assert_ptr_null(strstr(text_of(&config), "host:"));	/* the agent's to say */
}
END_TEST

START_TEST(datadog_tags_of_env_service_version_come_first_and_once)
{
	runtime_id_init();
	struct datadog_config config = plain();
	config.env = "prod";
	config.service = "front";
	config.version = "1.2";
	config.tags = "env:x,service:y,version:z,team:core";
	ck_assert_str_eq(text_of(&config), "env:prod,service:front,version:1.2,,team:core");
	config.env = config.service = config.version = "";
	ck_assert_str_eq(text_of(&config), "env:x,service:y,version:z,,team:core");
	config.profiling_tags = "team:locks,service:w a:1";
	ck_assert_str_eq(text_of(&config), "env:x,service:w a:1,version:z,,team:locks");
}
END_TEST

START_TEST(datadog_tags_of_the_user_do_not_replace_ours)
{
	runtime_id_init();
	struct datadog_config config = plain();
	config.tags = "runtime-id:1,process_id:2,language:ruby,runtime:x,profiler_version:9,a:b,runtime_version:1";
	ck_assert_str_eq(text_of(&config), "service:shop.wsgi,,a:b");
}
END_TEST

START_TEST(datadog_tags_of_git)
{
	runtime_id_init();
	struct datadog_config config = plain();
	config.git_repository_url = "https://me:token@github.com/org/repo.git";
	config.git_commit_sha = "abc123";
	config.main_package = "shop";
	config.tags = "git.repository_url:http://other,git.commit.sha:def,python_main_package:no,z:1";
	ck_assert_str_eq(text_of(&config), "service:shop.wsgi,,git.repository_url:https://github.com/org/repo.git,"
			 "git.commit.sha:abc123,z:1,python_main_package:shop");
	config.git_repository_url = config.git_commit_sha = config.main_package = NULL;
	config.tags = "git.repository_url:https://tok@x/r,git.commit.sha:def";
	strcpy(identity.main_package, "jobs");
	ck_assert_str_eq(text_of(&config), "service:shop.wsgi,,git.repository_url:https://x/r,git.commit.sha:def,"
			 "python_main_package:jobs");
	char long_url[600], tag[700];
	snprintf(long_url, sizeof(long_url), "https://me:%0*d@github.com/org/repo.git", 500, 7);
	snprintf(tag, sizeof(tag), "git.repository_url:%s", long_url);
	config.git_repository_url = long_url;
	config.tags = NULL;
	ck_assert_str_eq(text_of(&config), "service:shop.wsgi,,git.repository_url:https://github.com/org/repo.git,"
			 "python_main_package:jobs");
	config.git_repository_url = NULL;
	config.tags = tag;
	ck_assert_str_eq(text_of(&config), "service:shop.wsgi,,git.repository_url:https://github.com/org/repo.git,"
			 "python_main_package:jobs");
	config.tags = "git.repository_url:git@github.com:org/repo.git";
	ck_assert_str_eq(text_of(&config), "service:shop.wsgi,,git.repository_url:git@github.com:org/repo.git,"
			 "python_main_package:jobs");
	config.without_git_tags = true;
	config.git_commit_sha = "abc";
	ck_assert_str_eq(text_of(&config), "service:shop.wsgi,");
}
END_TEST

START_TEST(datadog_tags_name_the_host_without_an_agent_alone)
{
	char name[256], expected[300];
	runtime_id_init();
	struct datadog_config config = plain();
	config.hostname = "web-1";
	ck_assert_str_eq(text_of(&config), "service:shop.wsgi,");
	config.api_key = "0123";
	ck_assert_str_eq(text_of(&config), "service:shop.wsgi,,host:web-1");
	config.hostname = NULL;
	config.tags = "host:tagged";
	ck_assert_str_eq(text_of(&config), "service:shop.wsgi,,host:tagged");
	config.tags = NULL;
	ck_assert_int_eq(gethostname(name, sizeof(name)), 0);
	snprintf(expected, sizeof(expected), "service:shop.wsgi,,host:%s", name);
	ck_assert_str_eq(text_of(&config), expected);
}
END_TEST

START_TEST(datadog_tags_tell_the_profilers_own_settings)
{
	static struct options options;
	runtime_id_init();
	options_init(&options);
	struct datadog_config config = plain();
	config.options = &options;
	ck_assert_str_eq(text_of(&config), "service:shop.wsgi,,profiler_config:lock_CAP1.0_MAXF64");
	options.capture_pct = 12.5;
	options.max_frames = 599;
	options.lock_enabled = false;
	ck_assert_str_eq(text_of(&config), "service:shop.wsgi,,profiler_config:CAP12.5_MAXF599");
	options.capture_pct = 100;
	ck_assert_str_eq(text_of(&config), "service:shop.wsgi,,profiler_config:CAP100.0_MAXF599");
}
END_TEST

START_TEST(datadog_tags_count_what_is_no_tag)
{
	struct datadog_tags tags;
	struct datadog_config config = plain();
	config.tags = "a:1,b,c:";
	config.profiling_tags = "d,e:1";
	ck_assert_int_eq(datadog_tags_init(&tags, &config), OK);
	ck_assert_uint_eq(tags.malformed, 3);
	ck_assert(!tags.is_user_service);
	datadog_tags_free(&tags);
}
END_TEST

START_TEST(datadog_tags_tell_parent_and_child_apart_after_a_fork)
{
	int status;
	runtime_id_init();
	struct datadog_config config = plain();
	ck_assert_str_eq(text_of(&config), "service:shop.wsgi,");
	pid_t pid = fork();
	if (pid == 0) {
		runtime_id_postfork_child();
		_exit(strcmp(text_of(&config), "service:shop.wsgi,,process_type:worker") != 0);
	}
	runtime_id_postfork_parent();
	waitpid(pid, &status, 0);
	ck_assert_int_eq(status, 0);
	ck_assert_str_eq(text_of(&config), "service:shop.wsgi,,process_type:main");
}
END_TEST

static const char *process_text(const char *user_service)
{
	static char text[4096];
	char *made = process_tags(&identity, user_service);
	strcpy(text, made);
	free(made);
	return text;
}

START_TEST(process_tags_are_sorted_and_normalised)
{
	identity = (struct process_identity){.service = "shop.wsgi", .entrypoint_name = "Gunicorn", .entrypoint_type = "script",
					     .entrypoint_basedir = "bin", .entrypoint_workdir = "My  App (v2)!"};
	ck_assert_str_eq(process_text(NULL), "entrypoint.name:gunicorn,entrypoint.type:script,entrypoint.workdir:my_app_v2,"
			 "svc.auto:shop.wsgi");
	ck_assert_str_eq(process_text("front"), "entrypoint.name:gunicorn,entrypoint.type:script,"
			 "entrypoint.workdir:my_app_v2,svc.user:true");
	identity = (struct process_identity){.entrypoint_name = "__main__", .entrypoint_basedir = "a,b:c/d.e-f",
					     .entrypoint_workdir = "/"};
	ck_assert_str_eq(process_text(NULL), "entrypoint.basedir:a_b_c/d.e-f,entrypoint.name:main,svc.auto:main");
	identity = (struct process_identity){.entrypoint_workdir = "caf\xc3\xa9\r\nx"};
	ck_assert_str_eq(process_text(NULL), "entrypoint.workdir:caf\xc3\xa9_x");
	ck_assert_str_eq((identity = (struct process_identity){.service = "___"}, process_text(NULL)), "");
}
END_TEST

START_TEST(process_tags_are_cut_at_a_hundred_characters)
{
	identity = (struct process_identity){.service = ""};
	for (int i = 0; i < 120; i++)
		strcat(identity.entrypoint_workdir, "\xc3\xa9");
	ck_assert_uint_eq(strlen(process_text("x")), strlen("entrypoint.workdir:") + 200 + strlen(",svc.user:true"));
}
END_TEST

UNIT_TESTS("datadog_tags", datadog_tags_of_a_program_nobody_configured,
	   datadog_tags_of_env_service_version_come_first_and_once, datadog_tags_of_the_user_do_not_replace_ours,
	   datadog_tags_of_git, datadog_tags_name_the_host_without_an_agent_alone,
	   datadog_tags_tell_the_profilers_own_settings, datadog_tags_count_what_is_no_tag,
	   datadog_tags_tell_parent_and_child_apart_after_a_fork, process_tags_are_sorted_and_normalised,
	   process_tags_are_cut_at_a_hundred_characters)
