/* SPDX-License-Identifier: Apache-2.0 */
/* tests/preload/fail_alloc.c - makes one allocation of the program fail; for LD_PRELOAD.
 *
 * Use     LD_PRELOAD=fail_alloc.so FAIL_ALLOC_LIST=FILE mip ...   fails nothing; FILE gets one line
 *             "number site library" per allocation, numbered from 1
 *         LD_PRELOAD=fail_alloc.so FAIL_ALLOC_AT=N mip ...        fails the Nth, and
 *             with FAIL_ALLOC_FOR=M the M - 1 after it
 * Counts  malloc, calloc, realloc, aligned_alloc and posix_memalign called by the program (libmip
 *         is linked into it) and by the C libraries that parse for it. Left out by the caller's
 *         address: HDF5 (it asserts and leaks without memory, in 1.10), oneDNN and libgomp
 *         (C++ and OpenMP runtimes end the process), libc's own.
 * Site    a hash of the call stack: the same line of code reached on another way is another site.
 *         Of a parser's own frames, as deep as its text, only the innermost is taken. */
#define _GNU_SOURCE // RTLD_NEXT, dladdr
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STACK_DEPTH = 24 };

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
static _Thread_local int inside; // dladdr, backtrace and fprintf may allocate

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

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("FAIL_ALLOC_LIST");
    void *stack[2];
    find_real();
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

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static int is_program(const char *object) {
    return strstr(base_name(object), ".so") == NULL;
}

static int is_counted(const char *object) {
    static const char *const parsers[] = {"libcjson",    "libyaml", "libpcre2",
                                          "libutf8proc", "libspng", "libjpeg"};
    int counted = is_program(object);
    for (size_t i = 0; i < sizeof parsers / sizeof parsers[0]; i++) {
        counted = counted || strncmp(base_name(object), parsers[i], strlen(parsers[i])) == 0;
    }
    return counted;
}

/* Called by must_fail, that by malloc: the frames left out below. */
__attribute__((noinline)) static void write_line(long number, const char *object) {
    void *stack[STACK_DEPTH];
    const int n = backtrace(stack, STACK_DEPTH);
    uint64_t hash = UINT64_C(14695981039346656037);
    Dl_info info;
    for (int i = 3; i < n; i++) { // behind write_line, must_fail and malloc
        const int known = dladdr(stack[i], &info);
        if (i == 3 || (known && is_program(info.dli_fname))) {
            const char *base = known ? info.dli_fbase : NULL;
            hash = (hash ^ (uint64_t)((char *)stack[i] - base)) * UINT64_C(1099511628211);
        }
    }
    fprintf(list, "%ld %016llx %s\n", number, (unsigned long long)hash, base_name(object));
}

/* Whether the allocation asked for at `caller` is to fail. */
__attribute__((noinline)) static int must_fail(void *caller) {
    Dl_info info;
    int fails = 0;
    if (!ready || inside) {
        return 0;
    }
    inside = 1;
    if (dladdr(caller, &info) != 0 && is_counted(info.dli_fname)) {
        const long number = ++n_seen;
        fails = number >= fail_at && number < fail_at + fail_for && fail_at > 0;
        if (list != NULL) {
            write_line(number, info.dli_fname);
        }
    }
    inside = 0;
    errno = fails ? ENOMEM : errno;
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
