/* A disk that fails as it is told: preloaded (LD_PRELOAD) into a process that writes a journal or a history.

   FAULT_PLAN     CALL:PATH:NTH:TIMES:HOW[,…]  the NTH call (from 1) of that name on a file whose path ends with PATH, and the TIMES - 1
                  after it (0: all after it), fail with HOW: ENOSPC, EIO, short (half is written, and that is said) or torn (half is
                  written, then EIO). CALL: write, pwrite, pread, fsync (also fdatasync), ftruncate, rename, unlink.
   FAULT_WHO      only in processes whose command line contains this.
   FAULT_LOG      gets a line for each failed call.
   FAULT_DURABLE  a folder that holds what a power cut would leave: bytes get there by a successful fsync. After a failed
                  one the bytes it was for never do, as in kernels that mark pages clean then; writing them again helps.
                  Renames, removals and truncations are durable at once.
   FAULT_EAGER    what is written to files of this end is durable at once too: a kernel may write back whenever it likes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define FILES 64
#define FAULTS 8

typedef struct { char call[16], path[64], how[16]; long nth, times, seen; } fault_t;
typedef struct { char name[NAME_MAX + 1]; off_t *ranges; size_t count, room; } dirty_t;

static fault_t faults[FAULTS];
static int fault_count;
static dirty_t dirty[FILES];
static int dirty_count;
static const char *durable, *eager, *log_path;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_pread)(int, void *, size_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_rename)(const char *, const char *);
static int (*real_unlink)(const char *);

static void read_plan(const char *plan) {
    char *text = strdup(plan), *rest = NULL;
    for (char *part = strtok_r(text, ",", &rest); part; part = strtok_r(NULL, ",", &rest)) {
        fault_t *one = &faults[fault_count];
        if (fault_count < FAULTS && sscanf(part, "%15[^:]:%63[^:]:%ld:%ld:%15s", one->call, one->path, &one->nth, &one->times, one->how) == 5)
            fault_count++;
    }
    free(text);
}

static int is_meant(void) {
    const char *who = getenv("FAULT_WHO");
    if (!who) return 1;
    static char line[65536];
    int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? 0 : read(file, line, sizeof line - 1);
    if (file >= 0) close(file);
    for (ssize_t at = 0; at < size; at++) if (!line[at]) line[at] = ' ';
    return strstr(line, who) != NULL;
}

__attribute__((constructor)) static void start(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_pread = dlsym(RTLD_NEXT, "pread64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_rename = dlsym(RTLD_NEXT, "rename");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    if (!is_meant()) return;
    log_path = getenv("FAULT_LOG");
    durable = getenv("FAULT_DURABLE");
    eager = getenv("FAULT_EAGER");
    if (getenv("FAULT_PLAN")) read_plan(getenv("FAULT_PLAN"));
}

static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, PATH_MAX - 1);
    if (size < 1 || path[0] != '/') return 0;
    path[size] = 0;
    return 1;
}

static const char *name_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int ends_with(const char *path, const char *end) {
    size_t whole = strlen(path), part = strlen(end);
    return part <= whole && !strcmp(path + whole - part, end);
}

/* The fault that this call meets, if it does. Under the lock. */
static const char *fault_of(const char *call, const char *path) {
    for (int at = 0; at < fault_count; at++) {
        fault_t *one = &faults[at];
        if (strcmp(one->call, call) || !ends_with(path, one->path)) continue;
        one->seen++;
        if (one->seen < one->nth || (one->times && one->seen >= one->nth + one->times)) continue;
        if (log_path) {
            char line[PATH_MAX + 64];
            int size = snprintf(line, sizeof line, "%s %s %ld %s\n", call, name_of(path), one->seen, one->how);
            int file = open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
            if (file >= 0) { if (real_write(file, line, size) < 0) abort(); close(file); }
        }
        return one->how;
    }
    return NULL;
}

static int number_of(const char *how) { return strcmp(how, "ENOSPC") ? EIO : ENOSPC; }

/* -- what a power cut would leave ------------------------------------------------------------- */

static dirty_t *dirty_of(const char *name) {
    for (int at = 0; at < dirty_count; at++) if (!strcmp(dirty[at].name, name)) return &dirty[at];
    if (dirty_count == FILES) abort();
    strncpy(dirty[dirty_count].name, name, NAME_MAX);
    return &dirty[dirty_count++];
}

static int is_kept(const char *path) { return durable && strstr(path, "journal.") && !ends_with(path, "-shm"); }

static void synced(const char *path, int failed);

static void wrote(const char *path, off_t offset, size_t size) {
    if (!is_kept(path)) return;
    dirty_t *one = dirty_of(name_of(path));
    if (one->count + 2 > one->room) {
        one->room = one->room ? 2 * one->room : 64;
        one->ranges = realloc(one->ranges, one->room * sizeof *one->ranges);
    }
    one->ranges[one->count++] = offset;
    one->ranges[one->count++] = (off_t)size;
    if (eager && ends_with(path, eager)) synced(path, 0);
}

static int image_of(const char *name) {
    char path[2 * PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", durable, name);
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static void synced(const char *path, int failed) {
    if (!is_kept(path)) return;
    dirty_t *one = dirty_of(name_of(path));
    int from = failed ? -1 : open(path, O_RDONLY | O_CLOEXEC), to = from < 0 ? -1 : image_of(one->name);
    for (size_t at = 0; to >= 0 && at < one->count; at += 2) {
        char *part = malloc(one->ranges[at + 1]);
        ssize_t size = real_pread(from, part, one->ranges[at + 1], one->ranges[at]);
        if (size > 0 && real_pwrite(to, part, size, one->ranges[at]) != size) abort();
        free(part);
    }
    struct stat status;
    if (to >= 0 && !fstat(from, &status) && real_ftruncate(to, status.st_size)) abort();
    if (from >= 0) close(from);
    if (to >= 0) close(to);
    one->count = 0;
}

/* -- the calls --------------------------------------------------------------------------------- */

/* Whether it was dealt with, the answer in RESULT. Under the lock. */
static int write_fails(const char *call, int fd, const char *path, const void *data, size_t size, off_t offset, ssize_t *result) {
    const char *how = fault_of(call, path);
    if (!how) return 0;
    int part = !strcmp(how, "short") || !strcmp(how, "torn");
    ssize_t written = 0;
    if (part && size > 1) {
        written = offset < 0 ? real_write(fd, data, size / 2) : real_pwrite(fd, data, size / 2, offset);
        if (written > 0 && offset >= 0) wrote(path, offset, written);
    }
    if (!strcmp(how, "short") && written > 0) { *result = written; return 1; }
    errno = number_of(how);
    *result = -1;
    return 1;
}

ssize_t write(int fd, const void *data, size_t size) {
    char path[PATH_MAX];
    if ((!fault_count && !durable) || !path_of(fd, path)) return real_write(fd, data, size);
    pthread_mutex_lock(&lock);
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t result;
    if (!write_fails("write", fd, path, data, size, -1, &result)) result = real_write(fd, data, size);
    if (result > 0 && offset >= 0) wrote(path, offset, result);
    pthread_mutex_unlock(&lock);
    return result;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset) {
    char path[PATH_MAX];
    if ((!fault_count && !durable) || !path_of(fd, path)) return real_pwrite(fd, data, size, offset);
    pthread_mutex_lock(&lock);
    ssize_t result;
    if (!write_fails("pwrite", fd, path, data, size, offset, &result)) {
        result = real_pwrite(fd, data, size, offset);
        if (result > 0) wrote(path, offset, result);
    }
    pthread_mutex_unlock(&lock);
    return result;
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return pwrite64(fd, data, size, offset); }

static int fails(const char *call, const char *path) {
    const char *how = fault_of(call, path);
    if (how) errno = number_of(how);
    return how != NULL;
}

ssize_t pread64(int fd, void *data, size_t size, off_t offset) {
    char path[PATH_MAX];
    if (!fault_count || !path_of(fd, path)) return real_pread(fd, data, size, offset);
    pthread_mutex_lock(&lock);
    int failed = fails("pread", path), number = errno;
    pthread_mutex_unlock(&lock);
    if (failed) { errno = number; return -1; }
    return real_pread(fd, data, size, offset);
}
ssize_t pread(int fd, void *data, size_t size, off_t offset) { return pread64(fd, data, size, offset); }

static int sync_it(int fd, int (*real)(int)) {
    char path[PATH_MAX];
    if ((!fault_count && !durable) || !path_of(fd, path)) return real(fd);
    pthread_mutex_lock(&lock);
    int failed = fails("fsync", path), number = errno;
    if (!failed && real(fd)) { failed = 1; number = errno; }
    synced(path, failed);
    pthread_mutex_unlock(&lock);
    errno = number;
    return failed ? -1 : 0;
}
int fsync(int fd) { return sync_it(fd, real_fsync); }
int fdatasync(int fd) { return sync_it(fd, real_fdatasync); }

int ftruncate64(int fd, off_t size) {
    char path[PATH_MAX];
    if ((!fault_count && !durable) || !path_of(fd, path)) return real_ftruncate(fd, size);
    pthread_mutex_lock(&lock);
    int result = fails("ftruncate", path) ? -1 : real_ftruncate(fd, size), number = errno;
    if (!result && is_kept(path)) {
        int image = image_of(name_of(path));
        struct stat status;
        if (image >= 0 && !fstat(image, &status) && status.st_size > size && real_ftruncate(image, size)) abort();
        if (image >= 0) close(image);
    }
    pthread_mutex_unlock(&lock);
    errno = number;
    return result;
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int rename(const char *from, const char *to) {
    if (!fault_count && !durable) return real_rename(from, to);
    pthread_mutex_lock(&lock);
    int result = fails("rename", to) ? -1 : real_rename(from, to), number = errno;
    if (!result && is_kept(to)) {
        char old[2 * PATH_MAX], fresh[2 * PATH_MAX];
        snprintf(old, sizeof old, "%s/%s", durable, name_of(from));
        snprintf(fresh, sizeof fresh, "%s/%s", durable, name_of(to));
        real_rename(old, fresh);
    }
    pthread_mutex_unlock(&lock);
    errno = number;
    return result;
}

int unlink(const char *path) {
    if (!fault_count && !durable) return real_unlink(path);
    pthread_mutex_lock(&lock);
    int result = fails("unlink", path) ? -1 : real_unlink(path), number = errno;
    if (!result && is_kept(path)) {
        char image[2 * PATH_MAX];
        snprintf(image, sizeof image, "%s/%s", durable, name_of(path));
        real_unlink(image);
        dirty_of(name_of(path))->count = 0;
    }
    pthread_mutex_unlock(&lock);
    errno = number;
    return result;
}
