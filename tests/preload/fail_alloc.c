/* SPDX-License-Identifier: Apache-2.0 */
/* tests/preload/fail_alloc.c - makes one allocation of the program fail; for LD_PRELOAD.
 *
 * Use     LD_PRELOAD=fail_alloc.so FAIL_ALLOC_LIST=FILE mip ...   fails nothing; FILE gets one line
 *             "number site library" per allocation, numbered from 1
 *         LD_PRELOAD=fail_alloc.so FAIL_ALLOC_AT=N mip ...        fails the Nth, and
 *             with FAIL_ALLOC_FOR=M the M - 1 after it; it says so on stderr
 * Counts  malloc, calloc, realloc, aligned_alloc and posix_memalign called by the program (libmip
 *         is linked into it) and by the C libraries that parse for it. Left out by the caller's
 *         address: HDF5 (it asserts and leaks without memory, in 1.10), oneDNN and libgomp
 *         (C++ and OpenMP runtimes end the process), libc's own.
 * Site    a hash of the call stack: the same line of code reached on another way is another site.
 *         Of a parser's own frames, as deep as its text, only the innermost is taken. */
#define _GNU_SOURCE // RTLD_NEXT, dl_iterate_phdr
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STACK_DEPTH = 24, MAX_OBJECTS = 16 };

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void *(*real_aligned_alloc)(size_t, size_t);
static int (*real_posix_memalign)(void **, size_t, size_t);

static FILE *list;
static long fail_at;
static long fail_for = 1;
static atomic_long n_seen;
static atomic_bool ready;
static _Thread_local int inside; // backtrace and fprintf may allocate

static long number_of(const char *name, long fallback) {
    const char *text = getenv(name);
    return text != NULL ? atol(text) : fallback;
}

static void find_real(void) {
    *(void **)&real_malloc = dlsym(RTLD_NEXT, "malloc");
    *(void **)&real_calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&real_realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&real_aligned_alloc = dlsym(RTLD_NEXT, "aligned_alloc");
    *(void **)&real_posix_memalign = dlsym(RTLD_NEXT, "posix_memalign");
}

/* An object whose calls are counted: where its code lies. dladdr would search its symbols. */
typedef struct counted {
    uintptr_t begin, end;
    uintptr_t base;
    char name[32];
} counted;

static counted objects[MAX_OBJECTS]; // [0] is the program
static int n_objects;

static int is_parser(const char *name) {
    static const char *const parsers[] = {"libcjson",    "libyaml", "libpcre2",
                                          "libutf8proc", "libspng", "libjpeg"};
    for (size_t i = 0; i < sizeof parsers / sizeof parsers[0]; i++) {
        if (strncmp(name, parsers[i], strlen(parsers[i])) == 0) {
            return 1;
        }
    }
    return 0;
}

/* The program comes first and has no name. */
static int object_take(struct dl_phdr_info *info, size_t size, void *user) {
    const char *slash = strrchr(info->dlpi_name, '/');
    const char *name = slash != NULL ? slash + 1 : info->dlpi_name;
    const int is_program = n_objects == 0;
    (void)size;
    (void)user;
    for (int i = 0; i < info->dlpi_phnum && n_objects < MAX_OBJECTS; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0 &&
            (is_program || is_parser(name))) {
            counted *c = &objects[n_objects++];
            c->base = info->dlpi_addr;
            c->begin = c->base + part->p_vaddr;
            c->end = c->begin + part->p_memsz;
            snprintf(c->name, sizeof c->name, "%s", is_program ? "program" : name);
        }
    }
    return 0;
}

static const counted *object_of(const void *address) {
    for (int i = 0; i < n_objects; i++) {
        if ((uintptr_t)address >= objects[i].begin && (uintptr_t)address < objects[i].end) {
            return &objects[i];
        }
    }
    return NULL;
}

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("FAIL_ALLOC_LIST");
    void *stack[2];
    find_real();
    dl_iterate_phdr(object_take, NULL);
    backtrace(stack, 2); // loads its library now, not in the middle of a count
    list = path != NULL ? fopen(path, "w") : NULL;
    fail_at = number_of("FAIL_ALLOC_AT", 0);
    fail_for = number_of("FAIL_ALLOC_FOR", 1);
    ready = list != NULL || fail_at > 0;
}

__attribute__((destructor)) static void finish(void) {
    ready = 0;
    if (list != NULL) {
        fclose(list);
    }
}

/* Called by must_fail, that by malloc: the frames left out. */
__attribute__((noinline)) static void write_line(long number, const char *object) {
    void *stack[STACK_DEPTH];
    const int n = backtrace(stack, STACK_DEPTH);
    uint64_t hash = UINT64_C(14695981039346656037);
    for (int i = 3; i < n; i++) {
        const counted *c = object_of(stack[i]);
        if (c != NULL && (i == 3 || c == &objects[0])) {
            hash = (hash ^ ((uintptr_t)stack[i] - c->base)) * UINT64_C(1099511628211);
        }
    }
    fprintf(list, "%ld %016llx %s\n", number, (unsigned long long)hash, object);
}

/* Whether the allocation asked for at `caller` is to fail. */
__attribute__((noinline)) static int must_fail(const void *caller) {
    const counted *object = ready && !inside ? object_of(caller) : NULL;
    if (object == NULL) {
        return 0;
    }
    const long number = ++n_seen;
    const int fails = fail_at > 0 && number >= fail_at && number < fail_at + fail_for;
    if (list != NULL) {
        inside = 1;
        write_line(number, object->name);
        inside = 0;
    }
    if (fails) {
        dprintf(STDERR_FILENO, "fail_alloc: allocation %ld\n", number);
        errno = ENOMEM;
    }
    return fails;
}

void *malloc(size_t size) {
    if (real_malloc == NULL) {
        find_real();
    }
    return must_fail(__builtin_return_address(0)) ? NULL : real_malloc(size);
}

/* dlsym itself asks for a few bytes here before there is anything to pass them on to. */
void *calloc(size_t n, size_t size) {
    static _Alignas(16) char first[4096];
    static size_t used;
    if (real_calloc == NULL) {
        void *at = first + used;
        used += (n * size + 15) / 16 * 16;
        return used <= sizeof first ? at : NULL;
    }
    return must_fail(__builtin_return_address(0)) ? NULL : real_calloc(n, size);
}

void *realloc(void *old, size_t size) {
    if (real_realloc == NULL) {
        find_real();
    }
    return must_fail(__builtin_return_address(0)) ? NULL : real_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    if (real_aligned_alloc == NULL) {
        find_real();
    }
    return must_fail(__builtin_return_address(0)) ? NULL : real_aligned_alloc(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    if (real_posix_memalign == NULL) {
        find_real();
    }
    return must_fail(__builtin_return_address(0)) ? ENOMEM
                                                  : real_posix_memalign(out, alignment, size);
}
