/*
 * curl_library.c - a second library beside ours, which is linked with libcurl as ours is not.
 *
 *     sneck/_sneck.abi3.so     NEEDED: no libcurl        maps: always
 *     sneck/_sneck_curl.so     NEEDED: libcurl.so.4      maps: from the first sink that speaks HTTP on
 *
 * So what makes packages sees the dependency, the linker binds each function to the version it was
 * built for, and no name of a libcurl is guessed here.
 *
 * It is never unloaded: the TLS library has left handlers for the end of the process, and threads
 * that look a name up may be in there still (CURLOPT_QUICK_EXIT).
 *
 * Fork: the child inherits it loaded, or not; http_lock is held meanwhile, so never in between.
 */
#include <config.h>

#include "upload/curl_library.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct curl_calls *curl_library_linked;

/* Beside the file that this function was loaded from. */
static bool find(char path[PATH_MAX])
{
	Dl_info ours;
	if (!dladdr((void *)curl_library_load, &ours) || !ours.dli_fname)
		return false;
	const char *slash = strrchr(ours.dli_fname, '/');
	if (!slash)	/* a name without a folder would be searched for where libraries are */
		return false;
	int folder_size = (int)(slash - ours.dli_fname);
	return snprintf(path, PATH_MAX, "%.*s/_sneck_curl.so", folder_size, ours.dli_fname) < PATH_MAX;
}

/* What to do, then why; that may have a long path in it, and is cut. */
static const struct curl_calls *refuse(char problem[CURL_LIBRARY_PROBLEM_MAX], const char *remedy, const char *why)
{
	snprintf(problem, CURL_LIBRARY_PROBLEM_MAX, "%s: %.160s", remedy, why);
	return NULL;
}

const struct curl_calls *curl_library_load(char problem[CURL_LIBRARY_PROBLEM_MAX])
{
	char path[PATH_MAX];
	if (curl_library_linked)
		return curl_library_linked;
	if (!find(path))
		return refuse(problem, "install sneck again", "the folder that it was loaded from is not known");
	if (access(path, F_OK))
		return refuse(problem, "install sneck again, a part is missing", path);
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library)	/* it lacks what it is linked with */
		return refuse(problem, "install the package libcurl4 (Fedora: libcurl)", dlerror());
	const struct curl_calls *calls = dlsym(library, CURL_CALLS_SYMBOL);
	if (!calls || strcmp(calls->rows, curl_calls_rows))
		return refuse(problem, "install sneck again, a part is of another build", path);
	return calls;
}
