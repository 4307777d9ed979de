/**
 * The log: for each event, the kind, the inode, an offset and three lengths, then two names and the bytes. Files go by
 * their inode, because names change. It is written by raw calls, in the order of the calls that it tells of.
 */
#define _GNU_SOURCE
#include "shim.h"
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct head {
  uint64_t kind, inode, offset, from, to, bytes;
};

static char directory[1024];
static int log_fd = -1;

void record_load(const char *wanted, const char *log) {
  if (!wanted || !log) return;
  snprintf(directory, sizeof directory, "%s", wanted);
  int fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  // Out of the way of the numbers that the program expects.
  log_fd = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 900);
  syscall(SYS_close, fd);
}

int record_is_on(void) { return log_fd >= 0; }

static int is_inside(const char *path) { return strncmp(path, directory, strlen(directory)) == 0; }

static void append(char kind, uint64_t inode, uint64_t offset, const char *from, const char *to, const void *data,
                   size_t length) {
  struct head head = {(uint64_t)kind, inode, offset, strlen(from), strlen(to), length};
  struct iovec parts[] = {{&head, sizeof head}, {(void *)from, head.from}, {(void *)to, head.to}, {(void *)data, length}};
  syscall(SYS_writev, log_fd, parts, 4);
}

static void append_of(char kind, int fd, uint64_t offset, const void *data, size_t length) {
  char name[4096];
  struct stat status;
  name_of(fd, name, sizeof name);
  if (!is_inside(name) || fstat(fd, &status)) return;
  append(kind, status.st_ino, offset, name, "", data, length);
}

void record_data(int fd, off_t offset, const void *data, size_t length) { append_of('W', fd, offset, data, length); }
void record_size(int fd, off_t length) { append_of('T', fd, length, "", 0); }
void record_sync(int fd) { append_of('Y', fd, 0, "", 0); }
void record_created(int fd, const char *path) {
  (void)path;
  append_of('C', fd, 0, "", 0);
}

void record_names(char kind, const char *from, const char *to) {
  if (is_inside(from)) append(kind, 0, 0, from, to, "", 0);
}

void record_answer(int fd, const void *data, size_t length) {
  char name[4096];
  name_of(fd, name, sizeof name);
  if (!strncmp(name, "socket:", 7)) append('S', 0, 0, "", "", data, length);
}
