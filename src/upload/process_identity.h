/*
 * process_identity.h - who this process is: what its command line and its working directory
 * tell.  Plain data, copied by assignment; texts are UTF-8, "" for what is not known.
 */
#ifndef SNECK_UPLOAD_PROCESS_IDENTITY_H
#define SNECK_UPLOAD_PROCESS_IDENTITY_H

#include <stddef.h>

enum { IDENTITY_TEXT_MAX = 512 };

struct process_identity {
	char service[IDENTITY_TEXT_MAX];		/* as inferred: "shop.wsgi" of `gunicorn shop.wsgi:app` */
	char entrypoint_name[IDENTITY_TEXT_MAX];	/* the module, or the script without its ending */
	char entrypoint_type[16];			/* "module", "script" */
	char entrypoint_basedir[IDENTITY_TEXT_MAX];	/* the last part of the directory the script is in */
	char entrypoint_workdir[IDENTITY_TEXT_MAX];	/* the last part of the working directory */
	char main_package[IDENTITY_TEXT_MAX];		/* the top package of what runs as __main__ */
	char python_version[32];			/* "3.11.7" */
};

/*
 * Fill in all but the Python version, from sys.orig_argv (n_original texts; 0: unknown, as in
 * an embedded interpreter, and the process's own command line is read) and sys.argv[0], or "".
 * look_up is getenv, or a test's.  Reads directories; never fails, knows less instead.
 */
void process_identity_read(struct process_identity *identity, const char *const *original, size_t n_original,
			   const char *argv0, char *(*look_up)(const char *name));

#endif
