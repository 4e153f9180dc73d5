/*
 * command_line.c - Python's own options skipped as Python does it.
 *
 *     python3 -X dev -Wd -Im pkg.mod --its option
 *             ^^^^^^ ^^^  |^                          X and W have a value, glued on or next
 *                         c and m end the options
 */
#include <config.h>

#include "upload/command_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- parsing --------------------------------------------------------------------------- */

static bool is_python(const char *word)
{
	const char *slash = strrchr(word, '/');
	return !strncasecmp(slash ? slash + 1 : word, "python", 6);
}

struct reader {
	const char *const *words;
	size_t n, at;
};

static const char *next_word(struct reader *reader)
{
	return reader->at < reader->n ? reader->words[reader->at++] : NULL;
}

/* One word of short options; true: it was the last one. */
static bool read_options(struct reader *reader, const char *letters, struct command_line *line)
{
	for (; *letters; letters++) {
		if (!strchr("cmWX", *letters))
			continue;
		const char *value = letters[1] ? letters + 1 : next_word(reader);
		if (*letters == 'c')
			line->code = value;
		if (*letters == 'm')
			line->module = value;
		return line->code || line->module;
	}
	return false;
}

/* True: the options are over. */
static bool read_word(struct reader *reader, const char *word, struct command_line *line)
{
	if (word[0] == '-' && word[1] == '-') {
		if (!strcmp(word, "--check-hash-based-pycs"))
			next_word(reader);
		return false;
	}
	if (word[0] == '-' && word[1])
		return read_options(reader, word + 1, line);
	line->script = word[0] == '-' ? NULL : word;	/* "-": from the standard input */
	return true;
}

void command_line_parse(struct command_line *line, const char *const *words, size_t n)
{
	struct reader reader = {words, n, n && is_python(words[0])};
	*line = (struct command_line){0};
	if (n && !reader.at)
		line->script = next_word(&reader);
	else
		for (const char *word; (word = next_word(&reader)) && !read_word(&reader, word, line);)
			;
	line->arguments = words + reader.at;
	line->n_arguments = n - reader.at;
}

bool command_line_is_spawned(const struct command_line *line)
{
	return line->code && !strncmp(line->code, "from multiprocessing.", 21);
}

/* ---- the kernel's ------------------------------------------------------------------------ */

static char *read_all(const char *path, size_t *size)
{
	char *text = NULL;
	FILE *file = fopen(path, "re");
	FILE *memory = file ? open_memstream(&text, size) : NULL;
	if (memory) {
		char block[1024];
		for (size_t n; (n = fread(block, 1, sizeof(block), file)) > 0;)
			fwrite(block, 1, n, memory);
		if (fclose(memory) != 0) {
			free(text);
			text = NULL;
		}
	}
	if (file)
		fclose(file);
	return text;
}

/* A table of the words, and behind it the words. */
static const char **make_table(const char *text, size_t size, size_t *n)
{
	*n = 0;
	for (size_t at = 0; at < size; at += strlen(text + at) + 1)	/* open_memstream ends its text by NUL */
		++*n;
	const char **words = malloc((*n + 1) * sizeof(*words) + size + 1);
	if (!words)
		return NULL;
	char *copy = memcpy((char *)(words + *n + 1), text, size + 1);
	for (size_t i = 0; i < *n; i++, copy += strlen(copy) + 1)
		words[i] = copy;
	words[*n] = NULL;
	return words;
}

const char **command_line_of_process(pid_t pid, size_t *n)
{
	char path[64];
	size_t size = 0;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	char *text = read_all(path, &size);
	const char **words = text ? make_table(text, size, n) : NULL;
	free(text);
	return words;
}
