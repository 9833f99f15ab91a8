// Drives decode.c from outside, built with the address and undefined-behaviour
// sanitizers: decode_test.go compiles and runs it. Every input lies in a heap
// block of exactly its size, so that a read of one byte too many is fatal.
//
//	decode_fuzz dump KIND FILE              what was understood, as text
//	decode_fuzz verdict KIND FILE…          accepted or rejected, a line each
//	decode_fuzz cut KIND FILE               every truncation; counts
//	decode_fuzz mutate KIND SEED COUNT FILE…  random damage; counts
//	decode_fuzz answer                      as dump, for one input after the other on
//	                                        standard input: kind (o, p, f, or n for
//	                                        numbers of descriptors), size (32 bits),
//	                                        bytes. Ends with it.
//
// KIND is ops, pack or paths. A broken promise of the decoder ends the program with abort.
#include "../cell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// As in init.c, which refuses a pack of more pointers before it decodes.
#define PACK_POINTERS_MAX (1u << 22)
#define INPUTS_MAX 64
#define GROWTH_MAX 64

struct input {
	uint8_t *data;
	size_t size;
};

static volatile uint64_t sink; // keeps the reads of look() in the program

#define PROMISE(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "broken promise: %s (line %d)\n", #condition, __LINE__); \
			abort(); \
		} \
	} while (0)

static struct input copy(const uint8_t *data, size_t size)
{
	struct input in = {malloc(size ? size : 1), size};
	PROMISE(in.data);
	if (size)
		memcpy(in.data, data, size);
	return in;
}

static struct input load(const char *path)
{
	FILE *f = fopen(path, "rb");
	static uint8_t buffer[1 << 20];
	if (!f) {
		perror(path);
		exit(2);
	}
	size_t n = fread(buffer, 1, sizeof buffer, f);
	fclose(f);
	PROMISE(n < sizeof buffer);
	return copy(buffer, n);
}

// look reads len bytes that must lie inside the input.
static void look(const struct input *in, const void *p, size_t len)
{
	const uint8_t *at = p;
	PROMISE(at >= in->data && at <= in->data + in->size && len <= (size_t)(in->data + in->size - at));
	for (size_t i = 0; i < len; i++)
		sink += at[i];
}

static void look_string(const struct input *in, const char *s)
{
	PROMISE(s);
	look(in, s, 1);
	look(in, s, strlen(s) + 1);
}

static void hex(const void *p, size_t len)
{
	printf(" \"");
	for (size_t i = 0; i < len; i++)
		printf("%02x", ((const uint8_t *)p)[i]);
	printf("\"");
}

// take_ops decodes a whole list. Returns 1 when it is accepted. ends, where
// given, is marked at each offset at which an operation ended.
static int take_ops(const struct input *in, int print, uint8_t *ends)
{
	struct cell_operation o;
	size_t offset = 0, before = 0;
	int more;
	while ((more = decode_operation(in->data, in->size, &offset, &o)) > 0) {
		PROMISE(offset > before && offset <= in->size);
		before = offset;
		if (ends)
			ends[offset] = 1;
		look_string(in, o.source);
		look_string(in, o.target);
		look(in, o.data, o.data_len + 1);
		PROMISE(o.data[o.data_len] == 0);
		if (print) {
			printf("op %u %u %llu", o.op, o.mode, (unsigned long long)o.flags);
			hex(o.source, strlen(o.source));
			hex(o.target, strlen(o.target));
			hex(o.data, o.data_len);
			printf("\n");
		}
	}
	PROMISE(more == 0 || more == -1);
	PROMISE(more < 0 || offset == in->size);
	return more == 0;
}

static void take_strings(const struct input *in, const char *name, char **list, uint32_t count, int print)
{
	for (uint32_t i = 0; i < count; i++) {
		look_string(in, list[i]);
		if (print) {
			printf("%s", name);
			hex(list[i], strlen(list[i]));
			printf("\n");
		}
	}
	PROMISE(list[count] == NULL);
}

static void take_path(const char *path)
{
	PROMISE(path[0] != 0 && path[0] != '/');
	for (const char *part = path;; part++) {
		size_t n = strcspn(part, "/");
		PROMISE(n > 0 && !(n == 1 && part[0] == '.') && !(n == 2 && part[0] == '.' && part[1] == '.'));
		part += n;
		if (!*part)
			return;
	}
}

static void take_files(const struct input *in, const struct pack *pack, int print)
{
	int links = 0;
	for (uint32_t i = 0; i < pack->head->files; i++) {
		const struct pack_file *f = &pack->files[i];
		look(in, f, sizeof *f);
		const char *path = (const char *)pack->base + f->path_off;
		look_string(in, path);
		PROMISE(strlen(path) + 1 == f->path_len);
		take_path(path);
		look(in, pack->base + f->data_off, f->data_len);
		PROMISE(f->type <= PACK_SYMLINK);
		PROMISE(!links || f->type == PACK_SYMLINK);
		links = f->type == PACK_SYMLINK;
		if (links)
			look_string(in, (const char *)pack->base + f->data_off);
		if (print) {
			printf("file %u %u", f->type, f->mode);
			hex(path, strlen(path));
			hex(pack->base + f->data_off, links ? f->data_len - 1 : f->data_len);
			printf("\n");
		}
	}
}

static void print_head(const struct pack *pack)
{
	const struct pack_head *head = pack->head;
	printf("umask %u exec %lld\n", head->umask, (long long)head->exec_ns);
	for (size_t i = 0; i < CELL_RLIMITS; i++)
		if (head->rlimits[i].set)
			printf("rlimit %u %llu %llu\n", head->rlimits[i].resource, (unsigned long long)head->rlimits[i].soft,
			       (unsigned long long)head->rlimits[i].hard);
	printf("as %u %u in", head->uid, head->gid);
	hex(pack->dir, strlen(pack->dir));
	printf("\n");
}

// take_pack does what map_pack in init.c does. Returns 1 when it is accepted.
static int take_pack(const struct input *in, int print)
{
	struct pack pack;
	if (in->size < sizeof(struct pack_head))
		return 0;
	const struct pack_head *head = (const struct pack_head *)(const void *)in->data;
	size_t count = pack_pointers(head);
	if (count > PACK_POINTERS_MAX)
		return 0;
	char **pointers = malloc(count * sizeof *pointers); // exact: a pointer too many is fatal
	PROMISE(pointers);
	int result = decode_pack(in->data, in->size, pointers, count, &pack);
	PROMISE(result == 0 || result == -1);
	if (result == 0) {
		look_string(in, pack.dir);
		PROMISE(pack.dir[0] == '/');
		PROMISE(pack.head->args > 0 && pack.argv == pointers && pack.envp == pointers + pack.head->args + 1);
		if (print)
			print_head(&pack);
		take_strings(in, "arg", pack.argv, pack.head->args, print);
		take_strings(in, "env", pack.envp, pack.head->envs, print);
		take_files(in, &pack, print);
	}
	free(pointers);
	return result == 0;
}

// take_paths does what add_files in server.c does. ends is as for take_ops.
static int take_paths(const struct input *in, int print, uint8_t *ends)
{
	const char *paths[CELL_FDS_MAX];
	int count = decode_paths(in->data, in->size, paths, CELL_FDS_MAX);
	PROMISE(count >= -1 && count <= CELL_FDS_MAX);
	size_t total = 0;
	for (int i = 0; i < count; i++) {
		look_string(in, paths[i]);
		take_path(paths[i]);
		total += strlen(paths[i]) + 1;
		if (ends)
			ends[total] = 1;
		if (print) {
			printf("path");
			hex(paths[i], strlen(paths[i]));
			printf("\n");
		}
	}
	PROMISE(count < 0 || total == in->size);
	return count >= 0;
}

static int take(const char *kind, const struct input *in, int print)
{
	if (strcmp(kind, "paths") == 0)
		return take_paths(in, print, NULL);
	return strcmp(kind, "ops") == 0 ? take_ops(in, print, NULL) : take_pack(in, print);
}

// take_numbers reads bits and count as init gets them, and has room for no number more
// than a job may have.
static int take_numbers(const struct input *in, int print)
{
	struct {
		int64_t bits, count;
	} given;
	if (in->size != sizeof given)
		return 0;
	memcpy(&given, in->data, sizeof given);
	int *numbers = malloc(CELL_FURTHER * sizeof *numbers), count = (int)given.count;
	PROMISE(numbers);
	int result = decode_numbers(given.bits, count, numbers);
	PROMISE(result == 0 || result == -1);
	for (int i = 0; result == 0 && i < count; i++) {
		PROMISE(numbers[i] >= 3 && numbers[i] < 3 + CELL_FURTHER && (i == 0 || numbers[i] > numbers[i - 1]));
		if (print)
			printf("number %d\n", numbers[i]);
	}
	free(numbers);
	return result == 0;
}

// cut tries every beginning of a valid input. None is valid, but a list of
// operations or paths that ends between two of them.
static void cut(const char *kind, const struct input *whole)
{
	uint8_t *ends = calloc(whole->size + 1, 1);
	size_t accepted = 0;
	int ops = strcmp(kind, "ops") == 0, paths = strcmp(kind, "paths") == 0;
	PROMISE(ends);
	ends[0] = (uint8_t)(ops || paths); // an empty list is one
	PROMISE(ops ? take_ops(whole, 0, ends) : paths ? take_paths(whole, 0, ends) : take_pack(whole, 0));
	for (size_t n = 0; n < whole->size; n++) {
		struct input in = copy(whole->data, n);
		int valid = take(kind, &in, 0);
		PROMISE(valid == ends[n]);
		accepted += (size_t)valid;
		free(in.data);
	}
	printf("%zu rejected %zu accepted\n", whole->size - accepted, accepted);
	free(ends);
}

// xorshift64*: the same damage on every machine for the same seed.
static uint64_t state;

static uint64_t any(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 2685821657736338717u;
}

static size_t below(size_t n) { return n ? (size_t)(any() >> 11) % n : 0; }

// Numbers at which lengths and offsets go wrong.
static uint64_t nasty(size_t size)
{
	const uint64_t values[] = {0, 1, 2, 7, 8, size, size - 1, size + 1, size / 2, (size & ~(size_t)7) - 8, UINT64_MAX,
	                           UINT64_MAX - 1, UINT64_MAX - size, UINT64_MAX - size + 1, UINT64_MAX & ~7ull, INT64_MAX,
	                           INT64_MAX - 7, UINT32_MAX, UINT32_MAX - 1, INT32_MAX, 1ull << 31, 1ull << 32, 1ull << 63,
	                           UINT64_MAX / 40, UINT64_MAX / 40 + 1, PACK_POINTERS_MAX, PACK_POINTERS_MAX - 2, below(size + 1), any()};
	return values[below(sizeof values / sizeof values[0])];
}

static void damage(struct input *in)
{
	// Heads and tables are at the front, and are where the numbers are.
	size_t reach = any() & 1 && in->size > 512 ? 512 : in->size;
	uint64_t value = nasty(in->size);
	switch (below(6)) {
	case 0:
		if (in->size)
			in->data[below(reach)] ^= (uint8_t)(1u << below(8));
		break;
	case 1:
		if (in->size)
			in->data[below(reach)] = (uint8_t)any();
		break;
	case 2:
		if (in->size >= 4)
			memcpy(in->data + (below(reach - 3) & ~(size_t)3), &value, 4);
		break;
	case 3:
		if (in->size >= 8)
			memcpy(in->data + (below(reach - 7) & ~(size_t)7), &value, 8);
		break;
	case 4:
		in->size = below(8) ? in->size - below(in->size < 16 ? in->size : 16) : below(in->size);
		break;
	default:
		for (size_t n = below(GROWTH_MAX / 4); n-- > 0;)
			in->data[in->size++] = (uint8_t)(any() & (any() & 1 ? 0 : 255));
	}
}

static void mutate(const char *kind, uint64_t seed, long count, const struct input *inputs, size_t input_count)
{
	static uint8_t buffer[(1 << 20) + GROWTH_MAX];
	long accepted = 0;
	state = seed;
	for (long i = 0; i < count; i++) {
		const struct input *from = &inputs[below(input_count)];
		struct input draft = {buffer, from->size};
		memcpy(buffer, from->data, from->size);
		for (size_t n = 1 + below(4); n-- > 0;)
			damage(&draft);
		struct input in = copy(draft.data, draft.size);
		accepted += take(kind, &in, 0);
		free(in.data);
	}
	printf("%ld rejected %ld accepted\n", count - accepted, accepted);
}

// answer serves the fuzzer in decode_fuzz_test.go: a process for each input would
// be most of the work.
static int answer(void)
{
	uint8_t kind;
	uint32_t size;
	while (fread(&kind, 1, 1, stdin) == 1 && fread(&size, sizeof size, 1, stdin) == 1) {
		struct input in = {malloc(size ? size : 1), size};
		PROMISE(in.data && fread(in.data, 1, size, stdin) == size);
		int valid = kind == 'n' ? take_numbers(&in, 1) : take(kind == 'o' ? "ops" : kind == 'f' ? "paths" : "pack", &in, 1);
		printf("%s\n", valid ? "accepted" : "rejected");
		fflush(stdout);
		free(in.data);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct input inputs[INPUTS_MAX];
	size_t count = 0;
	if (argc == 2 && strcmp(argv[1], "answer") == 0)
		return answer();
	if (argc < 4)
		return 2;
	const char *what = argv[1], *kind = argv[2];
	int first = strcmp(what, "mutate") == 0 ? 5 : 3;
	if ((strcmp(kind, "ops") != 0 && strcmp(kind, "pack") != 0 && strcmp(kind, "paths") != 0) || argc - first > INPUTS_MAX || argc <= first)
		return 2;
	for (int i = first; i < argc; i++)
		inputs[count++] = load(argv[i]);
	if (strcmp(what, "dump") == 0)
		printf("%s\n", take(kind, &inputs[0], 1) ? "accepted" : "rejected");
	else if (strcmp(what, "cut") == 0)
		cut(kind, &inputs[0]);
	else if (strcmp(what, "mutate") == 0)
		mutate(kind, strtoull(argv[3], NULL, 10), atol(argv[4]), inputs, count);
	else
		for (size_t i = 0; i < count; i++)
			printf("%s\n", take(kind, &inputs[i], 0) ? "accepted" : "rejected");
	for (size_t i = 0; i < count; i++)
		free(inputs[i].data);
	return 0;
}
