/*
 * test_entity_id.c - cgroup files as Docker, Kubernetes, ECS, Cloud Foundry and plain hosts have them.
 */
#include <config.h>

#include "upload/entity_id.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#define ID64 "3726184226f5d3147c25fdeab5b60097e378e8a720503a5e19ecfdf29f869860"

static char root[] = "/tmp/test_entity_id.XXXXXX";
static char cgroup_file[64], namespace_file[64];

static void begin(void)
{
	ck_assert_ptr_nonnull(mkdtemp(root));
	snprintf(cgroup_file, sizeof(cgroup_file), "%s/cgroup", root);
	snprintf(namespace_file, sizeof(namespace_file), "%s/namespace", root);
}

static void end(void)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf %s", root);
	ck_assert_int_eq(system(command), 0);
}

/* Of a file with this text, in a container's own namespace. */
static struct entity entity_of(const char *text)
{
	const struct entity_paths paths = {cgroup_file, namespace_file, root};
	struct entity entity;
	FILE *file = fopen(cgroup_file, "w");
	fputs(text, file);
	fclose(file);
	entity_read(&entity, &paths);
	return entity;
}

START_TEST(entity_of_a_container_is_at_the_end_of_its_path)
{
	static const struct {
		const char *text, *id;
	} cases[] = {
		/* Docker, cgroup v1 */
		{"13:name=systemd:/docker/" ID64 "\n12:pids:/docker/" ID64 "\n1:cpu:/docker/" ID64 "\n", ID64},
		/* Kubernetes, v1 */
		{"11:perf_event:/kubepods/besteffort/pod3d274242-8ee0-11e9-a8a6-1e68d864ef1a/" ID64 "\n"
		 "10:memory:/kubepods/besteffort/pod3d274242-8ee0-11e9-a8a6-1e68d864ef1a/" ID64 "\n", ID64},
		/* Kubernetes by systemd */
		{"1:name=systemd:/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod2d3da189_6407_48e3_9ab6_"
		 "78188d75e609.slice/docker-" ID64 ".scope\n", ID64},
		{"0::/kubepods.slice/kubepods-pod90d81341_92de_11e7_8cf2_507b9d4141fa.slice/crio-" ID64 ".scope/container\n", ID64},
		{"1:name=systemd:/kubepods.slice/cri-containerd-" ID64 ".scope", ID64},
		/* the pod's own cgroup */
		{"1:name=systemd:/k8s/pod/34dc0b5e-626f-2c5c-4c51-70e34b10e765\n", "34dc0b5e-626f-2c5c-4c51-70e34b10e765"},
		{"0::/kubepods-pod34dc0b5e_626f_2c5c_4c51_70e34b10e765\n", "34dc0b5e_626f_2c5c_4c51_70e34b10e765"},
		/* ECS on EC2, then Fargate before and since 1.4 */
		{"9:perf_event:/ecs/haissam-ecs-classic/5a0d5ceddf6c44c1928d367a815d890f/" ID64 "\n", ID64},
		{"11:hugetlb:/ecs/55091c13-b8cf-4801-b527-f4601742204d/" ID64 "\n", ID64},
		{"1:name=systemd:/ecs/8cd79a803caf4d2aa945152e934a5c00/8cd79a803caf4d2aa945152e934a5c00-1053176469\n",
		 "8cd79a803caf4d2aa945152e934a5c00-1053176469"},
		/* Cloud Foundry */
		{"12:rdma:/\n11:net_cls,net_prio:/garden/6f265890-5165-7fab-6b52-18d1\n", "6f265890-5165-7fab-6b52-18d1"},
		/* spaces behind; the first line that has one wins */
		{"12:pids:/\n3:cpu:/docker/" ID64 "   \n2:net:/docker/0000000000000000000000000000000000000000000000000000000000000000\n",
		 ID64},
	};
	begin();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct entity entity = entity_of(cases[i].text);
		char expected[136];
		ck_assert_str_eq(entity.container_id, cases[i].id);
		snprintf(expected, sizeof(expected), "ci-%s", cases[i].id);
		ck_assert_str_eq(entity.entity_id, expected);
	}
	end();
}
END_TEST

START_TEST(entity_of_a_host_is_not_made_up)
{
	static const char *const cases[] = {
		"",
		"\n\n:::\nnonsense\n",
		"12:memory:/user.slice/user-0.slice/session-14.scope\n1:name=systemd:/user.slice\n0::/user.slice\n",
		"0::/system.slice/docker-3726184226f5d3147c25fdeab5b600.scope\n",
		"x:cpu:/docker/" ID64 "\n",
		"1:cpu:/docker/" ID64 "/init.scope/more\n",
		"1:cpu:/docker/3726184226F5D3147C25FDEAB5B60097E378E8A720503A5E19ECFDF29F869860\n",
	};
	begin();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct entity entity = entity_of(cases[i]);
		ck_assert_str_eq(entity.container_id, "");
		ck_assert_str_eq(entity.entity_id, "");	/* those directories are not there */
	}
	end();
}
END_TEST

/* What stat says of a directory made below the root of the cgroups. */
static void inode_of(const char *below, char expected[32])
{
	char path[128];
	struct stat status;
	snprintf(path, sizeof(path), "%s/%s", root, below);
	mkdir(path, 0700);
	ck_assert_int_eq(stat(path, &status), 0);
	snprintf(expected, 32, "in-%llu", (unsigned long long)status.st_ino);
}

START_TEST(entity_without_an_id_is_the_inode_of_its_cgroup)
{
	char expected[32];
	begin();
	inode_of("", expected);
	ck_assert_str_eq(entity_of("0::/\n").entity_id, expected);
	ck_assert_str_eq(entity_of("0::/\n").container_id, "");
	inode_of("system.slice", expected);
	ck_assert_str_eq(entity_of("1:name=systemd:/x\n0::/system.slice\n").entity_id, expected);
	inode_of("memory", expected);
	inode_of("memory/mine", expected);
	ck_assert_str_eq(entity_of("4:memory:/mine\n0::/\n").entity_id, expected);
	end();
}
END_TEST

START_TEST(entity_of_missing_files_is_unknown)
{
	const struct entity_paths paths = {"/nowhere/cgroup", "/nowhere/ns", "/nowhere"};
	struct entity entity;
	memset(&entity, 'x', sizeof(entity));
	entity_read(&entity, &paths);
	ck_assert_str_eq(entity.container_id, "");
	ck_assert_str_eq(entity.entity_id, "");
	entity_read(&entity, &entity_paths_of_system);	/* whatever this machine is */
	ck_assert(!*entity.container_id || !strcmp(entity.entity_id + 3, entity.container_id));
}
END_TEST

UNIT_TESTS("entity_id", entity_of_a_container_is_at_the_end_of_its_path, entity_of_a_host_is_not_made_up,
	   entity_without_an_id_is_the_inode_of_its_cgroup, entity_of_missing_files_is_unknown)
