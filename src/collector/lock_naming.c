/*
 * lock_naming.c - from a lock to its class, through what was noted at its creation.
 *
 *     lock_table  ->  class  ->  the class of the primitive that the lock is inside of
 *
 * Each arrow is followed by one load in all samples but the first.  Where creation gave no name, that first one
 * searches for the lock, and what it finds takes the class's place in the table: other locks of
 * the same line may have other names.
 */
#include <config.h>

#include "collector/lock_naming.h"

#include <stdlib.h>

#include "collector/lock_exclude.h"
#include "collector/lock_name.h"
#include "collector/lock_sample.h"
#include "collector/lock_search.h"
#include "collector/lock_table.h"
#include "collector/semaphore.h"
#include "runtime/hot.h"
#include "runtime/stats.h"

static struct lock_class *class_by(const char *kind, const struct lock_name *name, const char *module, bool is_unnamed)
{
	char label[LOCK_LABEL_BYTES];
	lock_name_label(name, label);
	return lock_class_intern(&(struct lock_class_key){kind, label, name->owner, module, is_unnamed});
}

struct lock_class *lock_class_named(const char *kind, const struct lock_name *name, const char *module)
{
	struct lock_class *c = class_by(kind, name, module, lock_name_wants_search(name));
	struct lock_name *known = c && c->key.is_unnamed && !c->unnamed ? malloc(sizeof(*known)) : NULL;
	if (known) {
		*known = *name;
		__atomic_store_n(&c->unnamed, known, __ATOMIC_RELEASE);
	}
	return c;
}

/* *name: what creation told, or all zero; completed.  Found or not, the class is one that is not searched for again. */
static struct lock_class *search(PyObject *lock, const char *kind, const struct lock_place *place,
				 struct lock_name *name, const char *module)
{
	stats_count(STAT_name_searches);
	lock_name_from_search(place->tstate, lock, place->frames, place->depth, place->use,
			      lock_sampler.inspects_objects, name);
	if (lock_name_wants_search(name))
		stats_count(STAT_name_misses);
	return class_by(kind, name, module, false);
}

/*
 * Each lock is searched for once.  Where so many, one after the other, were not found, the rest of their
 * class goes without: many may be made for a moment, and each search takes microseconds.
 */
enum { MISSES_MAX = 16 };

static struct lock_class *with_name(struct lock_class *c, PyObject *lock, const struct lock_place *place)
{
	if (!c->unnamed)
		return c;
	if (c->successor)
		return lock_class_of(c->successor);
	struct lock_name name = *c->unnamed;
	struct lock_class *found = search(lock, c->key.kind, place, &name, c->key.module);
	if (!found)
		return c;
	lock_table_replace(lock, found->id);
	c->misses = lock_name_wants_search(&name) ? c->misses + 1 : 0;
	if (c->misses >= MISSES_MAX)
		c->successor = found->id;
	return found;
}

static struct lock_class *class_of_kind(const struct lock_class *c, const char *kind)
{
	struct lock_class_key key = c->key;
	key.kind = kind;
	return lock_class_intern(&key);
}

/*
 * The user knows the semaphore, not the lock inside.  One line may make semaphores of both kinds, so what is kept
 * is that of the last one's type.  Of another primitive the first kind stays: it is that of the function, and a
 * logging.StreamHandler has functions of logging.Handler.
 */
static struct lock_class *as_primitive(struct lock_class *c, const struct lock_place *place)
{
	if (!place->use->kind || place->use->role == PRIMITIVE_TRANSPARENT)
		return c;
	bool is_semaphore = primitive_is_semaphores(place->use->role);
	PyObject *semaphore = is_semaphore ? lock_search_first_argument(place->tstate, place->use->owner_frame) : NULL;
	const PyTypeObject *type = semaphore ? Py_TYPE(semaphore) : NULL;
	if (!c->of_primitive || c->of_type != type) {
		struct lock_class *primitive = class_of_kind(c, is_semaphore ? semaphore_kind(semaphore) : place->use->kind);
		c->of_primitive = primitive ? primitive->id : c->id;
		c->of_type = type;
	}
	return lock_class_of(c->of_primitive);
}

struct lock_class *lock_naming_class(PyObject *lock, enum lock_kind kind, const struct lock_place *place)
{
	struct lock_class *c = lock_class_of(lock_table_get(lock));
	if (c)
		return as_primitive(with_name(c, lock, place), place);
	char module[MODULE_NAME_MAX];
	struct lock_name name = {.line = 0};
	lock_exclude_module(place->tstate, place->use->skip, module);
	c = search(lock, lock_kind_name(kind), place, &name, module);
	/* only a lock whose death we will see may keep its entry: addresses are used again */
	if (c && lock_type_is_watched(Py_TYPE(lock), kind) && lock_table_put(lock, c->id))
		stats_count(STAT_locks_unlisted);
	return c ? as_primitive(c, place) : NULL;
}

SNECK_HOT_CODE struct lock_class *lock_naming_known(const PyObject *lock)
{
	struct lock_class *c = lock_class_of(lock_table_get(lock));
	return c && c->unnamed ? lock_class_of(c->successor) : c;
}

struct lock_class *lock_naming_known_semaphore(const PyObject *lock, const PyObject *semaphore)
{
	struct lock_class *c = lock_naming_known(lock);
	const PyTypeObject *type = semaphore ? Py_TYPE(semaphore) : NULL;
	return c && c->of_type == type ? lock_class_of(c->of_primitive) : NULL;
}
