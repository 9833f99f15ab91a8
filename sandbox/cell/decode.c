// Decoders of what the daemon sends. The daemon is trusted, but a decoder that
// checks is cheap, and a confused daemon then ends in an error, not in a cell
// with a hole. No system calls here: the fuzz harness links this file alone.
#include "cell.h"

#include <string.h>

// string_at returns the NUL-terminated string of exactly len bytes (with its NUL).
static const char *string_at(const uint8_t *base, size_t size, uint64_t offset, uint64_t len)
{
	if (len == 0 || offset > size || len > size - offset)
		return NULL;
	const char *s = (const char *)base + offset;
	return memchr(s, 0, len) == s + len - 1 ? s : NULL;
}

// decode_operation reads one operation at *offset and moves past it.
// Returns 1, or 0 at the end, or -1 when malformed.
int decode_operation(const uint8_t *message, size_t size, size_t *offset, struct cell_operation *out)
{
	struct cell_op_head head;
	if (*offset == size)
		return 0;
	if (*offset > size || size - *offset < sizeof head)
		return -1;
	memcpy(&head, message + *offset, sizeof head);
	uint64_t at = *offset + sizeof head;
	out->op = head.op;
	out->mode = head.mode;
	out->flags = head.flags;
	if (!(out->source = string_at(message, size, at, head.source_len)))
		return -1;
	at += head.source_len;
	if (!(out->target = string_at(message, size, at, head.target_len)))
		return -1;
	at += head.target_len;
	// Content of a file may hold NUL bytes: only its end is checked.
	if (head.data_len == 0 || at > size || head.data_len > size - at || message[at + head.data_len - 1] != 0)
		return -1;
	out->data = (const char *)message + at;
	out->data_len = head.data_len - 1;
	*offset = at + head.data_len;
	return 1;
}

// pack_pointers is the number of pointers decode_pack needs: argv and envp with their NULLs.
size_t pack_pointers(const struct pack_head *head)
{
	return (size_t)head->args + head->envs + 2;
}

static int decode_strings(const struct pack_head *head, uint8_t *base, char **pointers, struct pack *out)
{
	uint64_t at = head->strings_off, end = head->strings_off + head->strings_len;
	size_t slot = 0;
	out->argv = pointers;
	for (uint64_t i = 0; i < (uint64_t)head->args + head->envs; i++) {
		if (i == head->args) {
			pointers[slot++] = NULL;
			out->envp = pointers + slot;
		}
		if (at >= end)
			return -1;
		uint8_t *nul = memchr(base + at, 0, end - at);
		if (!nul)
			return -1;
		pointers[slot++] = (char *)base + at;
		at = (uint64_t)(nul - base) + 1;
	}
	if (head->envs == 0) {
		pointers[slot++] = NULL;
		out->envp = pointers + slot;
	}
	pointers[slot] = NULL;
	return at == end ? 0 : -1;
}

// clean_path says whether a path is relative and has no part that is empty, "."
// or "..": it names a place below the directory it starts from.
static int clean_path(const char *path)
{
	for (;;) {
		size_t n = strcspn(path, "/");
		if (n == 0 || (n == 1 && path[0] == '.') || (n == 2 && path[0] == '.' && path[1] == '.'))
			return 0;
		if (path[n] == 0)
			return 1;
		path += n + 1;
	}
}

// decode_paths finds the paths of a message, each of which ends in NUL and names a place
// below the directory it starts from. Returns their number, or -1 when malformed.
int decode_paths(const uint8_t *message, size_t size, const char **paths, int most)
{
	int count = 0;
	for (size_t at = 0; at < size; count++) {
		const uint8_t *nul = memchr(message + at, 0, size - at);
		if (!nul || count == most || !clean_path((const char *)message + at))
			return -1;
		paths[count] = (const char *)message + at;
		at = (size_t)(nul - message) + 1;
	}
	return count;
}

// Symbolic links come last, so that no file is ever placed through one.
static int decode_files(const struct pack_head *head, const uint8_t *base, size_t size, struct pack *out)
{
	uint64_t bytes = (uint64_t)head->files * sizeof(struct pack_file);
	if (head->files_off % 8 != 0 || head->files_off > size || bytes > size - head->files_off)
		return -1;
	out->files = (const struct pack_file *)(const void *)(base + head->files_off);
	for (uint32_t i = 0; i < head->files; i++) {
		const struct pack_file *f = &out->files[i];
		const char *path = string_at(base, size, f->path_off, f->path_len);
		if (!path || !clean_path(path) || f->type > PACK_SYMLINK)
			return -1;
		if (i > 0 && f->type != PACK_SYMLINK && out->files[i - 1].type == PACK_SYMLINK)
			return -1;
		if (f->data_off > size || f->data_len > size - f->data_off)
			return -1;
		if (f->type == PACK_SYMLINK && !string_at(base, size, f->data_off, f->data_len))
			return -1;
	}
	return 0;
}

// decode_numbers lists the numbers of a job's further descriptors, lowest first: bit 3 stands
// for descriptor 3, and so on. Returns 0, or -1 when they are not as many as came, or one
// of them is not to be had.
int decode_numbers(int64_t bits, int count, int *numbers)
{
	if (count < 0 || count > CELL_FURTHER || (uint64_t)bits & ~(((UINT64_C(1) << CELL_FURTHER) - 1) << 3))
		return -1;
	int found = 0;
	for (int i = 3; i < 3 + CELL_FURTHER; i++)
		if (((uint64_t)bits >> i & 1) && found++ < count)
			numbers[found - 1] = i;
	return found == count ? 0 : -1;
}

// decode_pack checks a whole pack and fills out. pointers must have room for
// pack_pointers() entries. Returns 0, or -1 when malformed.
int decode_pack(uint8_t *base, size_t size, char **pointers, size_t pointer_count, struct pack *out)
{
	if (size < sizeof(struct pack_head))
		return -1;
	struct pack_head *head = (struct pack_head *)(void *)base;
	if (head->version != CELL_VERSION || head->args == 0)
		return -1;
	if (head->strings_off > size || head->strings_len > size - head->strings_off)
		return -1;
	// Each string has at least its NUL, so more strings than bytes cannot be.
	if ((uint64_t)head->args + head->envs > head->strings_len || pack_pointers(head) > pointer_count)
		return -1;
	out->head = head;
	out->base = base;
	out->size = size;
	out->dir = string_at(base, size, head->dir_off, head->dir_len);
	if (!out->dir || out->dir[0] != '/')
		return -1;
	if (decode_strings(head, base, pointers, out) < 0)
		return -1;
	return decode_files(head, base, size, out);
}
