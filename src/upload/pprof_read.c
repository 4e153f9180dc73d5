/*
 * pprof_read.c - inflate, unpack, check, and lay out.
 *
 *     bytes --zlib--> message --protobuf-c--> Pprof__Profile --check--> struct pprof_file
 *
 * All of it lives in one arena with a limit, which also serves as protobuf-c's allocator:
 * a file of two-byte messages that would unpack to gigabytes meets the limit, and so does
 * one location of a million lines that a million samples name.  Texts are not copied.
 */
#include <config.h>

#include "upload/pprof_read.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "runtime/arena.h"
#include "runtime/error.h"
#include "runtime/utf8.h"
#include "upload/profile.pb-c.h"

/* One location's frames, found by its id. */
struct place {
	uint64_t id;
	const struct pprof_file_frame *frames;
	size_t n_frames;
};

struct reader {
	struct pprof_file file;		/* first: what the caller sees */
	struct arena arena;
	Pprof__Profile *profile;
	Pprof__Function **functions;	/* by id */
	struct place *places;		/* by id */
	char *message;			/* of PPROF_MESSAGE_BYTES, the caller's */
};

__attribute__((format(printf, 3, 4)))
static int fail(struct reader *reader, int error, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(reader->message, PPROF_MESSAGE_BYTES, format, arguments);
	va_end(arguments);
	return error;
}

static int fail_memory(struct reader *reader)
{
	int error = arena_error(&reader->arena);
	return fail(reader, error, error == ERR_LIMIT ? "the profile needs more than the %zu bytes it may use"
						      : "out of memory (%zu bytes were allowed)",
		    reader->arena.limit_bytes);
}

/* n things of size bytes; NULL after fail_memory's fashion.  n comes from the file. */
static void *allocate(struct reader *reader, size_t n, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(n, size, &bytes))
		bytes = SIZE_MAX;
	return arena_alloc(&reader->arena, bytes);
}

/* ---- inflating ------------------------------------------------------------------------- */

enum { GZIP_BYTES_MIN = 18 };		/* its header and trailer */

struct bytes {
	const uint8_t *data;
	size_t size;
};

/* Inflate into room bytes.  Gives Z_STREAM_END, or what zlib says. */
static int inflate_into(const struct bytes *from, uint8_t *to, size_t room, size_t *size, size_t *unread)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)from->data};
	int status = inflateInit2(&z, 15 + 16);		/* gzip alone */
	size_t left = from->size;
	*size = 0;
	while (status == Z_OK) {
		uInt in = z.avail_in = left < UINT_MAX ? (uInt)left : UINT_MAX;
		uInt out = z.avail_out = room - *size < UINT_MAX ? (uInt)(room - *size) : UINT_MAX;
		z.next_out = to + *size;
		status = inflate(&z, Z_NO_FLUSH);
		left -= in - z.avail_in;
		*size += out - z.avail_out;
	}
	*unread = left;
	inflateEnd(&z);
	return status;
}

/* gzip's last four bytes tell the size; a liar meets either the limit or zlib's own check. */
static size_t size_told(const struct bytes *from)
{
	const uint8_t *end = from->data + from->size;
	return (size_t)end[-4] | (size_t)end[-3] << 8 | (size_t)end[-2] << 16 | (size_t)end[-1] << 24;
}

static int inflate_all(struct reader *reader, const struct bytes *from, struct bytes *to)
{
	if (from->size < GZIP_BYTES_MIN)
		return fail(reader, ERR_INVALID, "the gzip stream is cut short");
	size_t room = size_told(from), unread;
	uint8_t *plain = arena_alloc(&reader->arena, room + 1);		/* 1: to see that there is no more */
	if (!plain)
		return fail_memory(reader);
	int status = inflate_into(from, plain, room + 1, &to->size, &unread);
	to->data = plain;
	if (status == Z_MEM_ERROR)
		return fail(reader, ERR_NOMEM, "out of memory");
	if (status == Z_BUF_ERROR && !unread && to->size <= room)
		return fail(reader, ERR_INVALID, "the gzip stream is cut short");
	if (status != Z_STREAM_END)
		return fail(reader, ERR_INVALID, "the gzip stream is damaged");
	if (unread)
		return fail(reader, ERR_INVALID, "%zu bytes follow the gzip stream", unread);
	return OK;
}

static bool begins_with(const struct bytes *bytes, const char *magic, size_t size)
{
	return bytes->size >= size && memcmp(bytes->data, magic, size) == 0;
}

static int plain_bytes(struct reader *reader, const struct bytes *from, struct bytes *to)
{
	if (begins_with(from, "\x1f\x8b", 2))
		return inflate_all(reader, from, to);
	if (begins_with(from, "\x28\xb5\x2f\xfd", 4))
		return fail(reader, ERR_INVALID, "the profile is compressed with zstd; run `zstd -d` on it first");
	*to = *from;
	return OK;
}

/* ---- unpacking ------------------------------------------------------------------------- */

static void *allocate_for_protobuf(void *context, size_t size)
{
	return allocate(context, 1, size);
}

static void free_for_protobuf(void *context, void *block)
{
	(void)context, (void)block;	/* with the arena, all at once */
}

static int unpack(struct reader *reader, const struct bytes *plain)
{
	ProtobufCAllocator allocator = {allocate_for_protobuf, free_for_protobuf, reader};
	if (!plain->size)
		return fail(reader, ERR_INVALID, "the profile is empty");
	reader->arena.refused_by_limit = false;
	reader->profile = pprof__profile__unpack(&allocator, plain->size, plain->data);
	if (reader->profile)
		return OK;
	if (reader->arena.refused_by_limit)
		return fail_memory(reader);
	return fail(reader, ERR_INVALID, "this is no pprof profile, or it is cut short");
}

/* ---- checking -------------------------------------------------------------------------- */

static int check_strings(struct reader *reader)
{
	const Pprof__Profile *p = reader->profile;
	if (!p->n_string_table || *p->string_table[0])
		return fail(reader, ERR_INVALID, "the string table does not begin with \"\"");
	for (size_t i = 0; i < p->n_string_table; i++)
		if (!utf8_valid(p->string_table[i], strlen(p->string_table[i])))
			return fail(reader, ERR_INVALID, "string %zu is not UTF-8", i);
	return OK;
}

static int string_at(struct reader *reader, int64_t index, const char **string)
{
	const Pprof__Profile *p = reader->profile;
	if (index < 0 || (uint64_t)index >= p->n_string_table)
		return fail(reader, ERR_INVALID, "string %lld of %zu is named", (long long)index, p->n_string_table);
	*string = p->string_table[index];
	return OK;
}

static int read_type(struct reader *reader, const Pprof__ValueType *from, struct pprof_file_type *to)
{
	int error = string_at(reader, from->type, &to->name);
	return error ? error : string_at(reader, from->unit, &to->unit);
}

static int read_types(struct reader *reader)
{
	const Pprof__Profile *p = reader->profile;
	struct pprof_file_type *types = allocate(reader, p->n_sample_type, sizeof(*types));
	if (!types)
		return fail_memory(reader);
	for (size_t i = 0; i < p->n_sample_type; i++) {
		int error = read_type(reader, p->sample_type[i], &types[i]);
		if (error)
			return error;
	}
	reader->file.types = types;
	reader->file.n_types = p->n_sample_type;
	return OK;
}

static int by_function_id(const void *a, const void *b)
{
	uint64_t x = (*(Pprof__Function *const *)a)->id, y = (*(Pprof__Function *const *)b)->id;
	return (x > y) - (x < y);
}

static int sort_functions(struct reader *reader)
{
	Pprof__Profile *p = reader->profile;
	reader->functions = p->function;
	if (p->n_function)
		qsort(p->function, p->n_function, sizeof(*p->function), by_function_id);
	for (size_t i = 0; i < p->n_function; i++)
		if (!p->function[i]->id || (i && p->function[i]->id == p->function[i - 1]->id))
			return fail(reader, ERR_INVALID, "function id %llu is zero or given twice",
				    (unsigned long long)p->function[i]->id);
	return OK;
}

static const Pprof__Function *function_of(const struct reader *reader, uint64_t id)
{
	const Pprof__Profile *p = reader->profile;
	Pprof__Function wanted = {.id = id}, *key = &wanted;
	Pprof__Function **found = p->n_function ? bsearch(&key, reader->functions, p->n_function,
							  sizeof(*found), by_function_id) : NULL;
	return found ? *found : NULL;
}

static int read_frame(struct reader *reader, const Pprof__Line *line, struct pprof_file_frame *frame)
{
	*frame = (struct pprof_file_frame){"", "", line->line, 0};
	if (!line->function_id)
		return OK;		/* a line without a function is allowed: an address alone */
	const Pprof__Function *function = function_of(reader, line->function_id);
	if (!function)
		return fail(reader, ERR_INVALID, "function id %llu is named, but not there",
			    (unsigned long long)line->function_id);
	frame->start_line = function->start_line;
	int error = string_at(reader, function->name, &frame->function);
	return error ? error : string_at(reader, function->filename, &frame->filename);
}

static int read_place(struct reader *reader, const Pprof__Location *location, struct place *place)
{
	struct pprof_file_frame *frames = allocate(reader, location->n_line, sizeof(*frames));
	if (!frames)
		return fail_memory(reader);
	for (size_t i = 0; i < location->n_line; i++) {
		int error = read_frame(reader, location->line[i], &frames[i]);
		if (error)
			return error;
	}
	*place = (struct place){location->id, frames, location->n_line};
	return OK;
}

static int by_place_id(const void *a, const void *b)
{
	uint64_t x = ((const struct place *)a)->id, y = ((const struct place *)b)->id;
	return (x > y) - (x < y);
}

static int read_places(struct reader *reader)
{
	const Pprof__Profile *p = reader->profile;
	reader->places = allocate(reader, p->n_location, sizeof(*reader->places));
	if (!reader->places)
		return fail_memory(reader);
	for (size_t i = 0; i < p->n_location; i++) {
		int error = read_place(reader, p->location[i], &reader->places[i]);
		if (error)
			return error;
	}
	qsort(reader->places, p->n_location, sizeof(*reader->places), by_place_id);
	for (size_t i = 0; i < p->n_location; i++)
		if (!reader->places[i].id || (i && reader->places[i].id == reader->places[i - 1].id))
			return fail(reader, ERR_INVALID, "location id %llu is zero or given twice",
				    (unsigned long long)reader->places[i].id);
	return OK;
}

/* The place of that id; one of id 0 if there is none. */
static const struct place *place_of(const struct reader *reader, uint64_t id)
{
	static const struct place nowhere;
	struct place wanted = {.id = id};
	const struct place *found = bsearch(&wanted, reader->places, reader->profile->n_location, sizeof(wanted),
					    by_place_id);
	return found ? found : &nowhere;
}

static int count_frames(struct reader *reader, const Pprof__Sample *from, size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < from->n_location_id; i++) {
		const struct place *place = place_of(reader, from->location_id[i]);
		if (!place->id)
			return fail(reader, ERR_INVALID, "location id %llu is named, but not there",
				    (unsigned long long)from->location_id[i]);
		*n += place->n_frames;
	}
	return OK;
}

static int read_frames(struct reader *reader, const Pprof__Sample *from, struct pprof_file_sample *to)
{
	int error = count_frames(reader, from, &to->n_frames);
	if (error)
		return error;
	to->frames = allocate(reader, to->n_frames, sizeof(*to->frames));
	if (!to->frames)
		return fail_memory(reader);
	for (size_t i = 0, n = 0; i < from->n_location_id; i++) {
		const struct place *place = place_of(reader, from->location_id[i]);
		for (size_t f = 0; f < place->n_frames; f++)
			to->frames[n++] = &place->frames[f];
	}
	return OK;
}

static int read_label(struct reader *reader, const Pprof__Label *from, struct pprof_file_label *to)
{
	*to = (struct pprof_file_label){.number = from->num};
	int error = string_at(reader, from->key, &to->key);
	if (!error)
		error = string_at(reader, from->num_unit, &to->unit);
	if (!error && from->str)
		error = string_at(reader, from->str, &to->string);
	return error;
}

static int read_labels(struct reader *reader, const Pprof__Sample *from, struct pprof_file_sample *to)
{
	struct pprof_file_label *labels = allocate(reader, from->n_label, sizeof(*labels));
	if (!labels)
		return fail_memory(reader);
	for (size_t i = 0; i < from->n_label; i++) {
		int error = read_label(reader, from->label[i], &labels[i]);
		if (error)
			return error;
	}
	to->labels = labels;
	to->n_labels = from->n_label;
	return OK;
}

static int read_sample(struct reader *reader, const Pprof__Sample *from, struct pprof_file_sample *to)
{
	if (from->n_value != reader->file.n_types)
		return fail(reader, ERR_INVALID, "a sample has %zu values for %zu sample types", from->n_value,
			    reader->file.n_types);
	to->values = from->value;
	int error = read_frames(reader, from, to);
	return error ? error : read_labels(reader, from, to);
}

static int read_samples(struct reader *reader)
{
	const Pprof__Profile *p = reader->profile;
	struct pprof_file_sample *samples = allocate(reader, p->n_sample, sizeof(*samples));
	if (!samples)
		return fail_memory(reader);
	for (size_t i = 0; i < p->n_sample; i++) {
		int error = read_sample(reader, p->sample[i], &samples[i]);
		if (error)
			return error;
	}
	reader->file.samples = samples;
	reader->file.n_samples = p->n_sample;
	return OK;
}

/* What the file says besides samples: pprof's comments, then our notes. */
static int read_comments(struct reader *reader)
{
	const Pprof__Profile *p = reader->profile;
	size_t n = p->n_comment + p->n_sneck_note;
	const char **comments = allocate(reader, n, sizeof(*comments));
	if (!comments)
		return fail_memory(reader);
	for (size_t i = 0; i < p->n_comment; i++) {
		int error = string_at(reader, p->comment[i], &comments[i]);
		if (error)
			return error;
	}
	for (size_t i = 0; i < p->n_sneck_note; i++)
		comments[p->n_comment + i] = p->sneck_note[i];
	reader->file.comments = comments;
	reader->file.n_comments = n;
	return OK;
}

/* As pprof itself chooses: the named type, else the last. */
static int read_default_type(struct reader *reader)
{
	struct pprof_file *file = &reader->file;
	const char *name = "";
	int error = string_at(reader, reader->profile->default_sample_type, &name);
	if (error)
		return error;
	file->default_type = file->n_types ? file->n_types - 1 : 0;
	for (size_t i = 0; i < file->n_types; i++)
		if (strcmp(file->types[i].name, name) == 0)
			file->default_type = i;
	return OK;
}

static int read_scalars(struct reader *reader)
{
	const Pprof__Profile *p = reader->profile;
	reader->file.time_ns = p->time_nanos;
	reader->file.duration_ns = p->duration_nanos;
	reader->file.period = p->period;
	reader->file.period_type = (struct pprof_file_type){"", ""};
	int error = p->period_type ? read_type(reader, p->period_type, &reader->file.period_type) : OK;
	return error ? error : read_default_type(reader);
}

static int read_all(struct reader *reader, const struct bytes *from)
{
	static int (*const steps[])(struct reader *) = {
		check_strings, read_types, sort_functions, read_places, read_samples, read_comments, read_scalars,
	};
	struct bytes plain = {0};
	int error = plain_bytes(reader, from, &plain);
	if (!error)
		error = unpack(reader, &plain);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps) && !error; i++)
		error = steps[i](reader);
	return error;
}

/* ---- the way in ------------------------------------------------------------------------ */

int pprof_read(const void *data, size_t size, size_t memory_max, struct pprof_file **file, char *message)
{
	*file = NULL;
	*message = '\0';
	struct reader *reader = calloc(1, sizeof(*reader));
	if (!reader) {
		snprintf(message, PPROF_MESSAGE_BYTES, "out of memory");
		return ERR_NOMEM;
	}
	arena_init(&reader->arena, NULL, 0, memory_max);
	reader->message = message;
	int error = read_all(reader, &(struct bytes){data, size});
	reader->message = NULL;
	if (error)
		pprof_file_free(&reader->file);
	else
		*file = &reader->file;
	return error;
}

void pprof_file_free(struct pprof_file *file)
{
	if (!file)
		return;
	struct reader *reader = (struct reader *)file;
	arena_release(&reader->arena);
	free(reader);
}

/* All of a file, in memory of the caller's to free.  Gives errno. */
static int read_whole(int fd, size_t size_max, uint8_t **data, size_t *size)
{
	struct stat status;
	*data = NULL;
	*size = 0;
	if (fstat(fd, &status) != 0)
		return errno;
	if (!S_ISREG(status.st_mode))
		return S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
	if ((uint64_t)status.st_size > size_max)
		return EFBIG;
	*data = malloc((size_t)status.st_size + 1);
	if (!*data)
		return ENOMEM;
	while (*size < (size_t)status.st_size) {
		ssize_t n = read(fd, *data + *size, (size_t)status.st_size - *size);
		if (n < 0 && errno != EINTR)
			return errno;
		if (n == 0)
			break;
		*size += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int pprof_read_path(const char *path, size_t memory_max, struct pprof_file **file, char *message)
{
	uint8_t *data = NULL;
	size_t size = 0;
	*file = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);		/* not to wait for a FIFO's writer */
	int failed = fd < 0 ? errno : read_whole(fd, memory_max, &data, &size);
	if (fd >= 0)
		close(fd);
	int error = ERR_IO;
	errno = failed;
	if (failed)
		snprintf(message, PPROF_MESSAGE_BYTES, "cannot read %.180s: %m", path);
	else
		error = pprof_read(data, size, memory_max, file, message);
	free(data);
	return error;
}
