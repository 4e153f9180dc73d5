/*
 * entity_id.h - which container this process runs in, as the kernel's cgroups tell it.
 *
 * Datadog's agent finds a container's tags by it (pod, image, task).
 */
#ifndef SNECK_UPLOAD_ENTITY_ID_H
#define SNECK_UPLOAD_ENTITY_ID_H

#include <stddef.h>

/* Where the kernel tells; a test has files of its own. */
struct entity_paths {
	const char *cgroup;		/* /proc/self/cgroup */
	const char *cgroup_namespace;	/* /proc/self/ns/cgroup */
	const char *cgroup_root;	/* /sys/fs/cgroup */
};

extern const struct entity_paths entity_paths_of_system;

struct entity {
	char container_id[128];		/* "" outside of one */
	char entity_id[136];		/* "ci-<container id>", or "in-<inode of its cgroup>", or "" */
};

/* Never fails: what cannot be read is not known. */
void entity_read(struct entity *entity, const struct entity_paths *paths);

#endif
