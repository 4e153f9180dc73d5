/*
 * test_sink_file.c - names, sequences, and what a refusing disk leaves behind: nothing.
 */
#include <config.h>

#include "upload/sink_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "samples.h"
#include "unit.h"
#include "upload/pprof_read.h"

static char directory[] = "/tmp/test_sink_file.XXXXXX";
static struct profile *profile;
static struct builder *builder;

static void make_builder(int32_t rows)
{
	ck_assert_ptr_nonnull(mkdtemp(directory));
	profile = profile_new(&roomy);
	for (int32_t i = 0; i < rows; i++)
		add_lock(profile, "a.py:1:x", i * 7919 % 1000003, i * 31 % 1009 + 1);
	builder = builder_new(profile, 0);
}

static void remove_all(void)
{
	char command[128];
	builder_free(builder);
	profile_free(profile);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	ck_assert_int_eq(system(command), 0);
}

static struct sink *sink_at(const char *below, const char *program)
{
	char output[256];
	struct sink *sink;
	snprintf(output, sizeof(output), "%s%s", directory, below);
	ck_assert_int_eq(sink_file_new(output, program, &sink), OK);
	return sink;
}

static const char *path_of(const char *name, unsigned sequence)
{
	static char path[256];
	snprintf(path, sizeof(path), "%s%s.%d.%u.pprof", directory, name, (int)getpid(), sequence);
	return path;
}

static int files_in(const char *path)
{
	int n = 0;
	DIR *dir = opendir(path);
	for (struct dirent *entry; (entry = readdir(dir));)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

static size_t samples_of(const char *path)
{
	struct pprof_file *file;
	char message[PPROF_MESSAGE_BYTES];
	ck_assert_msg(pprof_read_path(path, 64 << 20, &file, message) == OK, "%s", message);
	size_t n = file->n_samples;
	pprof_file_free(file);
	return n;
}

START_TEST(sink_file_numbers_its_files)
{
	make_builder(3);
	struct sink *sink = sink_at("/run", "ignored");
	for (unsigned i = 1; i <= 3; i++) {
		ck_assert_int_eq(sink->send(sink, builder), OK);
		ck_assert_str_eq(builder_target(builder), path_of("/run", i));
		struct stat status;
		ck_assert_int_eq(stat(path_of("/run", i), &status), 0);
		ck_assert_uint_eq(builder_bytes(builder), (uint64_t)status.st_size);
		ck_assert_uint_eq(samples_of(path_of("/run", i)), 3);
	}
	ck_assert_int_eq(files_in(directory), 3);	/* none aside */
	sink_free(sink);
	sink_free(NULL);
	remove_all();
}
END_TEST

START_TEST(sink_file_in_a_directory_is_named_after_the_program)
{
	make_builder(1);
	const char *const outputs[][3] = {
		{"", "/usr/bin/serve.py", "/serve.py"},
		{"/new/er/", "serve", "/new/er/serve"},
		{"/x/", "", "/x/python"},
		{"/y/", NULL, "/y/python"},
		{"/z/", "/", "/z/python"},
		{"/z/", "..", "/z/python"},
		{"/new/er/prefix", "serve", "/new/er/prefix"},
	};
	for (size_t i = 0; i < sizeof(outputs) / sizeof(*outputs); i++) {
		struct sink *sink = sink_at(outputs[i][0], outputs[i][1]);
		ck_assert_msg(sink->send(sink, builder) == OK, "%s", builder_error(builder));
		ck_assert_str_eq(builder_target(builder), path_of(outputs[i][2], i == 5 ? 2 : 1));
		sink_free(sink);
	}
	remove_all();
}
END_TEST

START_TEST(sink_file_keeps_to_where_it_started)
{
	make_builder(1);
	ck_assert_int_eq(chdir(directory), 0);
	struct sink *sink;
	ck_assert_int_eq(sink_file_new("relative", "p", &sink), OK);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(sink->send(sink, builder), OK);
	ck_assert_str_eq(builder_target(builder), path_of("/relative", 1));
	sink_free(sink);
	remove_all();
}
END_TEST

START_TEST(sink_file_writes_over_nothing)
{
	make_builder(1);
	for (unsigned i = 1; i <= 40; i++) {
		int fd = open(path_of("/run", i), O_CREAT | O_WRONLY, 0600);
		ck_assert_int_eq(write(fd, "old", 3), 3);
		close(fd);
	}
	ck_assert_int_eq(symlink("/nowhere", path_of("/run", 41)), 0);
	struct sink *sink = sink_at("/run", "p");
	ck_assert_int_eq(sink->send(sink, builder), OK);
	ck_assert_str_eq(builder_target(builder), path_of("/run", 42));
	struct stat status;
	ck_assert_int_eq(stat(path_of("/run", 7), &status), 0);
	ck_assert_int_eq(status.st_size, 3);
	ck_assert_int_eq(files_in(directory), 42);
	sink_free(sink);
	remove_all();
}
END_TEST

START_TEST(sink_file_of_a_child_begins_at_one)
{
	make_builder(1);
	struct sink *sink = sink_at("/run", "p");
	ck_assert_int_eq(sink->send(sink, builder), OK);
	ck_assert_int_eq(sink->send(sink, builder), OK);
	pid_t pid = fork();
	if (pid == 0)
		_exit(sink->send(sink, builder) == OK && strcmp(builder_target(builder), path_of("/run", 1)) == 0 ? 0 : 1);
	int status;
	waitpid(pid, &status, 0);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(sink->send(sink, builder), OK);
	ck_assert_str_eq(builder_target(builder), path_of("/run", 3));
	sink_free(sink);
	remove_all();
}
END_TEST

START_TEST(sink_file_refuses_what_it_cannot_name)
{
	struct sink *sink = (struct sink *)1;
	ck_assert_int_eq(sink_file_new("", "p", &sink), ERR_INVALID);
	ck_assert_ptr_null(sink);
	ck_assert_int_eq(sink_file_new(NULL, "p", &sink), ERR_INVALID);
}
END_TEST

START_TEST(sink_file_errors_name_path_and_reason)
{
	make_builder(1);
	int fd = open(path_of("/plain", 1), O_CREAT | O_WRONLY, 0600);
	close(fd);
	char below[300];
	snprintf(below, sizeof(below), "/plain.%d.1.pprof/x/y", (int)getpid());
	struct sink *sink = sink_at(below, "p");
	ck_assert_int_eq(sink->send(sink, builder), ERR_IO);
	ck_assert_ptr_nonnull(strstr(builder_error(builder), "plain"));
	ck_assert_ptr_nonnull(strstr(builder_error(builder), "Not a directory"));
	sink_free(sink);

	static char endless[6000];
	memset(endless, 'n', sizeof(endless) - 1);
	endless[0] = '/';
	ck_assert_int_eq(sink_file_new(endless, "p", &sink), OK);
	ck_assert_int_eq(sink->send(sink, builder), ERR_IO);
	ck_assert_ptr_nonnull(strstr(builder_error(builder), "cannot create"));
	sink_free(sink);
	ck_assert_int_eq(files_in(directory), 1);
	remove_all();
}
END_TEST

START_TEST(sink_file_too_large_for_the_process_leaves_nothing)
{
	make_builder(20000);
	signal(SIGXFSZ, SIG_IGN);	/* as in the upload thread, where it is blocked, and in Python */
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){20000, 20000});
	struct sink *sink = sink_at("/run", "p");
	ck_assert_int_eq(sink->send(sink, builder), ERR_IO);
	ck_assert_ptr_nonnull(strstr(builder_error(builder), "File too large"));
	ck_assert_ptr_nonnull(strstr(builder_error(builder), directory));
	ck_assert_str_eq(builder_target(builder), "");
	ck_assert_int_eq(files_in(directory), 0);
	sink_free(sink);
	remove_all();
}
END_TEST

START_TEST(sink_file_on_a_full_disk_leaves_nothing_and_recovers)
{
	make_builder(20000);
	/* in a mount namespace of our own: it goes with this process, whatever happens */
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", directory, "tmpfs", 0, "size=64k") != 0) {
		fprintf(stderr, "SKIP sink_file_on_a_full_disk: cannot mount a small tmpfs: %m\n");
		remove_all();
		return;
	}
	struct sink *sink = sink_at("/run", "p");
	ck_assert_int_eq(sink->send(sink, builder), ERR_IO);
	ck_assert_ptr_nonnull(strstr(builder_error(builder), "No space left on device"));
	ck_assert_int_eq(files_in(directory), 0);
	builder_free(builder);
	profile_clear(profile);
	add_lock(profile, "a.py:1:x", 1, 1);
	builder = builder_new(profile, 0);
	ck_assert_int_eq(sink->send(sink, builder), OK);
	ck_assert_str_eq(builder_target(builder), path_of("/run", 1));	/* the failed one used up no number */
	sink_free(sink);
	ck_assert_int_eq(umount(directory), 0);
	remove_all();
}
END_TEST

UNIT_TESTS("sink_file", sink_file_numbers_its_files, sink_file_in_a_directory_is_named_after_the_program,
	   sink_file_keeps_to_where_it_started, sink_file_writes_over_nothing, sink_file_of_a_child_begins_at_one,
	   sink_file_refuses_what_it_cannot_name, sink_file_errors_name_path_and_reason,
	   sink_file_too_large_for_the_process_leaves_nothing, sink_file_on_a_full_disk_leaves_nothing_and_recovers)
