/**
 * Loaded in front of libc (LD_PRELOAD) into the one program whose command line holds $SHIM_PROGRAM. It kills that process
 * at exactly the system call that $SHIM_RULE names (rule.c), writes down what the process does to a directory
 * (record.c), and sets its wall clock ahead by the milliseconds in the file $SHIM_CLOCK. So the product needs no crash
 * points of its own, and is killed where a machine would: between two calls, or within one.
 */
#define _GNU_SOURCE
#include "shim.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) \
  static __typeof__(name) *real; \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/** Recursive: the handlers of signals write, too, in the middle of any call. */
static pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static int active;
static volatile const int64_t *ahead_ms;

void name_of(int fd, char *name, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, name, size - 1);
  name[length > 0 ? length : 0] = 0;
}

static int is_wanted(const char *program) {
  char line[8192];
  int fd = open("/proc/self/cmdline", O_RDONLY);
  ssize_t length = read(fd, line, sizeof line);
  close(fd);
  return length > 0 && memmem(line, (size_t)length, program, strlen(program));
}

static void lock(void) { pthread_mutex_lock(&mutex); }
static void unlock(void) { pthread_mutex_unlock(&mutex); }
/** A child has one thread, and a lock that another one held would stay locked in it. */
static void renew(void) { mutex = (pthread_mutex_t)PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP; }

__attribute__((constructor)) static void load(void) {
  const char *program = getenv("SHIM_PROGRAM");
  if (!program || !is_wanted(program)) return;
  const char *clock = getenv("SHIM_CLOCK");
  int fd = clock ? open(clock, O_RDONLY) : -1;
  if (fd >= 0) {
    void *page = mmap(NULL, sizeof *ahead_ms, PROT_READ, MAP_SHARED, fd, 0);
    if (page != MAP_FAILED) ahead_ms = page;
    close(fd);
  }
  rule_load(getenv("SHIM_RULE"), getenv("SHIM_NOTE"));
  record_load(getenv("SHIM_DIRECTORY"), getenv("SHIM_LOG"));
  active = rule_is_on() || record_is_on();
  pthread_atfork(lock, unlock, renew);
}

static enum verdict enter(const struct call *call) {
  if (!active) return GO_ON;
  lock();
  return rule_is_on() ? rule_before(call) : GO_ON;
}

static void leave(const struct call *call, long result) {
  if (!active) return;
  int kept = errno;
  if (result >= 0 && rule_is_on()) rule_after(call);
  unlock();
  errno = kept;
}

#define IS_RECORDED (active && record_is_on() && result >= 0)

/** Reads may block: only what they brought is looked at. */
static ssize_t has_read(int fd, const void *data, ssize_t result) {
  if (!active || !rule_is_on() || result <= 0) return result;
  struct call call = {OP_READ, fd, NULL, data, (size_t)result};
  lock();
  leave(&call, result);
  return result;
}

ssize_t read(int fd, void *data, size_t length) {
  REAL(read);
  return has_read(fd, data, real(fd, data, length));
}

ssize_t recv(int fd, void *data, size_t length, int flags) {
  REAL(recv);
  return has_read(fd, data, real(fd, data, length, flags));
}

ssize_t write(int fd, const void *data, size_t length) {
  REAL(write);
  struct call call = {OP_WRITE, fd, NULL, data, length};
  if (enter(&call) == HALF) real(fd, data, length / 2), rule_die(&call, "half");
  if (active && record_is_on()) record_answer(fd, data, length);
  ssize_t result = real(fd, data, length);
  if (IS_RECORDED) record_data(fd, lseek(fd, 0, SEEK_CUR) - result, data, (size_t)result);
  leave(&call, result);
  return result;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
  REAL(pwrite64);
  struct call call = {OP_WRITE, fd, NULL, data, length};
  if (enter(&call) == HALF) real(fd, data, length / 2, offset), rule_die(&call, "half");
  ssize_t result = real(fd, data, length, offset);
  if (IS_RECORDED) record_data(fd, offset, data, (size_t)result);
  leave(&call, result);
  return result;
}

/** Several buffers count as one write. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  if (!active) return real(fd, parts, count);
  size_t length = 0;
  for (int at = 0; at < count; at++) length += parts[at].iov_len;
  char *all = malloc(length + 1), *end = all;
  for (int at = 0; at < count; at++) end = mempcpy(end, parts[at].iov_base, parts[at].iov_len);
  ssize_t result = write(fd, all, length);
  int kept = errno;
  free(all);
  errno = kept;
  return result;
}

static long with_fd(enum op op, int fd, int (*real)(int)) {
  struct call call = {op, fd, NULL, NULL, 0};
  enter(&call);
  long result = real(fd);
  if (IS_RECORDED) record_sync(fd);
  leave(&call, result);
  return result;
}

int fsync(int fd) {
  REAL(fsync);
  return (int)with_fd(OP_SYNC, fd, real);
}

int fdatasync(int fd) {
  REAL(fdatasync);
  return (int)with_fd(OP_SYNC, fd, real);
}

int ftruncate64(int fd, off64_t length) {
  REAL(ftruncate64);
  struct call call = {OP_TRUNCATE, fd, NULL, NULL, 0};
  enter(&call);
  int result = real(fd, length);
  if (IS_RECORDED) record_size(fd, length);
  leave(&call, result);
  return result;
}

int rename(const char *from, const char *to) {
  REAL(rename);
  struct call call = {OP_RENAME, -1, to, NULL, 0};
  enter(&call);
  int result = real(from, to);
  if (IS_RECORDED) record_names('R', from, to);
  leave(&call, result);
  return result;
}

int link(const char *from, const char *to) {
  REAL(link);
  struct call call = {OP_LINK, -1, to, NULL, 0};
  enter(&call);
  int result = real(from, to);
  if (IS_RECORDED) record_names('L', from, to);
  leave(&call, result);
  return result;
}

int unlink(const char *path) {
  REAL(unlink);
  struct call call = {OP_UNLINK, -1, path, NULL, 0};
  enter(&call);
  int result = real(path);
  if (IS_RECORDED) record_names('U', path, "");
  leave(&call, result);
  return result;
}

static int opened(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
  if (!active) return real(path, flags, mode);
  int is_new = (flags & O_CREAT) && access(path, F_OK) != 0;
  struct call call = {OP_OPEN, -1, path, NULL, 0};
  enter(&call);
  int result = real(path, flags, mode);
  if (IS_RECORDED && is_new) record_created(result, path);
  if (IS_RECORDED && (flags & O_TRUNC)) record_size(result, 0);
  leave(&call, result);
  return result;
}

static mode_t mode_of(int flags, va_list list) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; }

int open(const char *path, int flags, ...) {
  REAL(open);
  va_list list;
  va_start(list, flags);
  mode_t mode = mode_of(flags, list);
  va_end(list);
  return opened(real, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  REAL(open64);
  va_list list;
  va_start(list, flags);
  mode_t mode = mode_of(flags, list);
  va_end(list);
  return opened(real, path, flags, mode);
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  static int (*real)(struct timeval *, void *);
  if (!real) real = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
  int result = real(now, zone);
  if (ahead_ms) now->tv_sec += *ahead_ms / 1000;
  return result;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  REAL(clock_gettime);
  int result = real(clock, now);
  if (ahead_ms && clock == CLOCK_REALTIME) now->tv_sec += *ahead_ms / 1000;
  return result;
}
