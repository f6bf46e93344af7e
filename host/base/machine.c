/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/machine.c - see machine.h.
 *
 * Tested  tests/unit/base/test_machine.c */
#include "base/machine.h"

#include <ctype.h>
#include <dirent.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

enum { LINE_BYTES = 8192 }; // the flags line of a processor is about 2,000

/* The first line of a file, without the line end; false if it cannot be read. */
static bool first_line(const char *path, char *out, size_t out_bytes) {
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        return false;
    }
    const bool ok = fgets(out, (int)out_bytes, f) != NULL;
    fclose(f);
    if (ok) {
        out[strcspn(out, "\n")] = '\0';
    }
    return ok;
}

/* What stands behind "key   :" in a file of /proc; false when absent. */
static bool proc_value(const char *path, const char *key, char *out, size_t out_bytes) {
    char line[LINE_BYTES];
    bool found = false;
    FILE *f = fopen(path, "r");
    while (f != NULL && !found && fgets(line, sizeof line, f) != NULL) {
        const size_t n = strlen(key);
        const char *rest = line + n;
        if (strncmp(line, key, n) != 0) {
            continue;
        }
        rest += strspn(rest, " \t");
        if (*rest != ':') {
            continue; // a longer key that begins the same
        }
        rest += 1 + strspn(rest + 1, " \t");
        snprintf(out, out_bytes, "%.*s", (int)strcspn(rest, "\n"), rest);
        found = true;
    }
    if (f != NULL) {
        fclose(f);
    }
    return found;
}

static bool has_word(const char *words, const char *word) {
    const size_t n = strlen(word);
    for (const char *at = strstr(words, word); at != NULL; at = strstr(at + n, word)) {
        const bool begins = at == words || at[-1] == ' ';
        if (begins && (at[n] == ' ' || at[n] == '\0')) {
            return true;
        }
    }
    return false;
}

static void read_cpu(machine *m) {
    char flags[LINE_BYTES];
    if (!proc_value("/proc/cpuinfo", "model name", m->cpu, sizeof m->cpu)) {
        m->cpu[0] = '\0';
    }
    if (proc_value("/proc/cpuinfo", "flags", flags, sizeof flags)) {
        m->avx2 = has_word(flags, "avx2");
        m->avx512 = has_word(flags, "avx512f");
        m->avx512_bf16 = has_word(flags, "avx512_bf16");
        m->amx = has_word(flags, "amx_tile");
    }
    m->n_cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
}

/* A line "key: n kB" of a file in bytes; 0 when absent. */
static int64_t kib_of(const char *path, const char *key) {
    char value[64];
    return proc_value(path, key, value, sizeof value) ? (int64_t)strtoll(value, NULL, 10) * 1024
                                                      : 0;
}

/* Without /proc the kernel still tells its memory, but not how much of the page cache could go. */
static void read_memory(machine *m) {
    struct sysinfo info;
    m->memory_bytes = kib_of("/proc/meminfo", "MemTotal");
    m->memory_free_bytes = kib_of("/proc/meminfo", "MemAvailable");
    if (m->memory_bytes == 0 && sysinfo(&info) == 0) {
        m->memory_bytes = (int64_t)info.totalram * (int64_t)info.mem_unit;
        m->memory_free_bytes = (int64_t)(info.freeram + info.bufferram) * (int64_t)info.mem_unit;
    }
}

/* Control groups, version 2: what a container may use. */
static void read_limits(machine *m) {
    char line[64];
    double quota = 0.0;
    double period = 0.0;
    if (first_line("/sys/fs/cgroup/cpu.max", line, sizeof line) &&
        sscanf(line, "%lf %lf", &quota, &period) == 2 && period > 0.0) {
        m->n_cores_limit = quota / period;
    }
    if (first_line("/sys/fs/cgroup/memory.max", line, sizeof line) &&
        isdigit((unsigned char)line[0])) {
        m->memory_limit_bytes = (int64_t)strtoll(line, NULL, 10);
    }
}

static bool bus_file_begins(const char *device, const char *file, const char *begin) {
    char path[512];
    char line[64];
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/%s", device, file);
    return first_line(path, line, sizeof line) && strncmp(line, begin, strlen(begin)) == 0;
}

static void read_nvidia(machine *m) {
    char line[LINE_BYTES];
    DIR *bus = opendir("/sys/bus/pci/devices");
    const struct dirent *entry = NULL;
    while (bus != NULL && (entry = readdir(bus)) != NULL) {
        /* Class 0x03: display controllers; the same card's audio function is not counted. */
        m->n_nvidia += bus_file_begins(entry->d_name, "vendor", "0x10de") &&
                       bus_file_begins(entry->d_name, "class", "0x03");
    }
    if (bus != NULL) {
        closedir(bus);
    }
    if (first_line("/proc/driver/nvidia/version", line, sizeof line)) {
        const char *at = strstr(line, "Kernel Module");
        at = at == NULL ? "found" : at + strlen("Kernel Module");
        at += strspn(at, " ");
        snprintf(m->nvidia_driver, sizeof m->nvidia_driver, "%.*s", (int)strcspn(at, " "), at);
    }
}

machine machine_get(void) {
    machine m = {0};
    read_cpu(&m);
    read_memory(&m);
    read_limits(&m);
    read_nvidia(&m);
    return m;
}

int64_t machine_resident_bytes(void) {
    return kib_of("/proc/self/status", "VmRSS");
}

int64_t machine_peak_resident_bytes(void) {
    struct rusage usage;
    const int64_t peak = kib_of("/proc/self/status", "VmHWM");
    if (peak > 0) {
        return peak;
    }
    getrusage(RUSAGE_SELF, &usage);
    return (int64_t)usage.ru_maxrss * 1024;
}

void machine_memory_trim(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

bool machine_peak_reset(void) {
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (f == NULL) {
        return false;
    }
    const bool written = fputs("5\n", f) >= 0; // 5 = the peak only, see proc(5)
    return fclose(f) == 0 && written;
}
