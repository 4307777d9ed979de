/** What the parts of the shim share: see shim.c for what it does. */
#ifndef SHIM_H
#define SHIM_H
#include <stddef.h>
#include <sys/types.h>

enum op { OP_READ, OP_WRITE, OP_SYNC, OP_RENAME, OP_LINK, OP_UNLINK, OP_TRUNCATE, OP_OPEN, OP_ANY };
enum verdict { GO_ON, HALF };

/** One call that is about to be made, or was: on a descriptor (`fd` >= 0) or on a path. */
struct call {
  enum op op;
  int fd;
  const char *path;
  const void *data;
  size_t length;
};

/** rule.c: reads the rule; `before` may end the process or ask for half of a write, `after` may end the process. */
void rule_load(const char *text, const char *note);
int rule_is_on(void);
enum verdict rule_before(const struct call *call);
void rule_after(const struct call *call);
_Noreturn void rule_die(const struct call *call, const char *when);

/** record.c: appends what changed the recorded directory, and what went out on a socket, to the log. */
void record_load(const char *directory, const char *log);
int record_is_on(void);
void record_data(int fd, off_t offset, const void *data, size_t length);
void record_size(int fd, off_t length);
void record_sync(int fd);
void record_created(int fd, const char *path);
void record_names(char kind, const char *from, const char *to);
void record_answer(int fd, const void *data, size_t length);

/** The name behind a descriptor, as /proc tells it; empty when there is none. */
void name_of(int fd, char *name, size_t size);
#endif
