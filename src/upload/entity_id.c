/*
 * entity_id.c - the container id at the end of a cgroup's path, else the cgroup's inode.
 *
 *     12:memory:/kubepods/besteffort/pod<uuid>/<64 hex digits>     Docker, Kubernetes
 *     1:name=systemd:/ecs/<uuid>/<32 hex digits>-<number>          ECS on Fargate
 *     1:name=systemd:/garden/<8-4-4-4-4 hex digits>                Cloud Foundry
 *     0::/system.slice/docker-<64 hex digits>.scope                cgroup v2
 *     0::/                                                         v2, seen from inside: ask the inode
 */
#include <config.h>

#include "upload/entity_id.h"

#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const struct entity_paths entity_paths_of_system = {
	.cgroup = "/proc/self/cgroup",
	.cgroup_namespace = "/proc/self/ns/cgroup",
	.cgroup_root = "/sys/fs/cgroup",
};

/* The kernel's number for the host's own cgroup namespace (PROC_CGROUP_INIT_INO): there a path is no container's. */
static const ino_t host_namespace = 0xEFFFFFFB;

#define HEX(n) "[0-9a-f]{" #n "}"
static const char container_pattern[] =
	"(" HEX(8) "[-_]" HEX(4) "[-_]" HEX(4) "[-_]" HEX(4) "[-_]" HEX(12)
	"|" HEX(8) "(-" HEX(4) "){4}"
	"|" HEX(64)
	"|" HEX(32) "-[0-9]+)"
	"(\\.scope(/[^/ \t]+)?)? *$";

struct cgroup {
	char *container_id;		/* of the first line that has one */
	char *memory, *unified;		/* paths: of the v1 controller memory, of v2 */
};

/* ---- lines ----------------------------------------------------------------------------- */

static void keep_first(char **kept, const char *text, size_t length)
{
	if (!*kept)
		*kept = strndup(text, length);
}

/* "<number>:<controllers>:<path>": false if it is not that. */
static bool split(char *line, const char **controllers, const char **path)
{
	size_t digits = strspn(line, "0123456789");
	char *colon = digits && line[digits] == ':' ? strchr(line + digits + 1, ':') : NULL;
	if (!colon || !colon[1])
		return false;
	*colon = '\0';
	*controllers = line + digits + 1;
	*path = colon + 1;
	return true;
}

static void read_line(struct cgroup *cgroup, char *line, const regex_t *pattern)
{
	const char *controllers, *path;
	regmatch_t matches[2];
	line[strcspn(line, "\n")] = '\0';
	if (!split(line, &controllers, &path))
		return;
	if (regexec(pattern, path, 2, matches, 0) == 0)
		keep_first(&cgroup->container_id, path + matches[1].rm_so, (size_t)(matches[1].rm_eo - matches[1].rm_so));
	if (!strcmp(controllers, "memory"))
		keep_first(&cgroup->memory, path, strlen(path));
	if (!*controllers)
		keep_first(&cgroup->unified, path, strlen(path));
}

static void read_cgroup(struct cgroup *cgroup, const char *path)
{
	regex_t pattern;
	char *line = NULL;
	size_t room = 0;
	FILE *file = fopen(path, "re");
	if (!file)
		return;
	if (regcomp(&pattern, container_pattern, REG_EXTENDED) == 0) {
		while (getline(&line, &room, file) > 0)
			read_line(cgroup, line, &pattern);
		regfree(&pattern);
	}
	free(line);
	fclose(file);
}

/* ---- inode ----------------------------------------------------------------------------- */

/* 0: none, or it would be the host's. */
static ino_t cgroup_inode(const struct cgroup *cgroup, const struct entity_paths *paths)
{
	struct stat status;
	char *directory;
	const char *path = cgroup->memory ? cgroup->memory : cgroup->unified;
	if (!path || (stat(paths->cgroup_namespace, &status) == 0 && status.st_ino == host_namespace))
		return 0;
	if (asprintf(&directory, "%s/%s/%s", paths->cgroup_root, cgroup->memory ? "memory" : "", path + (*path == '/')) < 0)
		return 0;
	ino_t inode = stat(directory, &status) == 0 ? status.st_ino : 0;
	free(directory);
	return inode;
}

void entity_read(struct entity *entity, const struct entity_paths *paths)
{
	struct cgroup cgroup = {NULL, NULL, NULL};
	*entity = (struct entity){"", ""};
	read_cgroup(&cgroup, paths->cgroup);
	ino_t inode = cgroup.container_id ? 0 : cgroup_inode(&cgroup, paths);
	if (cgroup.container_id) {
		snprintf(entity->container_id, sizeof(entity->container_id), "%s", cgroup.container_id);
		snprintf(entity->entity_id, sizeof(entity->entity_id), "ci-%s", entity->container_id);
	} else if (inode) {
		snprintf(entity->entity_id, sizeof(entity->entity_id), "in-%llu", (unsigned long long)inode);
	}
	free(cgroup.container_id);
	free(cgroup.memory);
	free(cgroup.unified);
}
