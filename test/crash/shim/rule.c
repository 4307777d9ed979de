/**
 * A rule is a list of steps, separated by `;`. A step is `<op> <target> [has=<text>] [n=<count>] [kill=<when>]`: it is
 * over when a call of that kind on a matching target (a glob over its path, or `fd:<number>`), with that text in its
 * bytes, has been made `count` times. The last step says when the process is killed: `before`, `after`, or `half`
 * of a write.
 */
#define _GNU_SOURCE
#include "shim.h"
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct step {
  enum op op;
  char target[256];
  char has[128];
  unsigned long count;
  char kill[8];
};

static const char *const names[] = {"read", "write", "sync", "rename", "link", "unlink", "truncate", "open", "any"};
static struct step steps[8];
static int step_count, current;
static unsigned long seen;
static char note_path[1024];

static void refuse(const char *text) {
  fprintf(stderr, "shim: the rule cannot be read at: %s\n", text);
  _exit(97);
}

static void parse_step(char *text) {
  struct step *step = &steps[step_count++];
  char *save, *word = strtok_r(text, " ", &save);
  int op = 0;
  while (op <= OP_ANY && word && strcmp(names[op], word)) op++;
  char *target = strtok_r(NULL, " ", &save);
  if (!word || op > OP_ANY || !target) refuse(text);
  step->op = (enum op)op;
  step->count = 1;
  snprintf(step->target, sizeof step->target, "%s", target);
  while ((word = strtok_r(NULL, " ", &save))) {
    if (!strncmp(word, "has=", 4)) snprintf(step->has, sizeof step->has, "%s", word + 4);
    else if (!strncmp(word, "n=", 2)) step->count = strtoul(word + 2, NULL, 10);
    else if (!strncmp(word, "kill=", 5)) snprintf(step->kill, sizeof step->kill, "%s", word + 5);
    else refuse(word);
  }
}

void rule_load(const char *text, const char *note) {
  static char copy[1024];
  char *save;
  if (!text) return;
  snprintf(copy, sizeof copy, "%s", text);
  if (note) snprintf(note_path, sizeof note_path, "%s", note);
  for (char *one = strtok_r(copy, ";", &save); one; one = strtok_r(NULL, ";", &save)) {
    if (step_count == 8) refuse(one);
    parse_step(one);
  }
  if (step_count == 0 || !steps[step_count - 1].kill[0]) refuse(text);
}

int rule_is_on(void) { return step_count > 0; }

static int is_match(const struct step *step, const struct call *call) {
  if (step->op != OP_ANY && step->op != call->op) return 0;
  if (step->has[0] && (!call->data || !memmem(call->data, call->length, step->has, strlen(step->has)))) return 0;
  if (!strcmp(step->target, "*")) return 1;
  char name[4096];
  if (!strncmp(step->target, "fd:", 3)) return call->fd == atoi(step->target + 3);
  if (call->fd >= 0) name_of(call->fd, name, sizeof name);
  else snprintf(name, sizeof name, "%s", call->path);
  return fnmatch(step->target, name, 0) == 0;
}

/** Raw calls: the shim must not see its own. */
_Noreturn void rule_die(const struct call *call, const char *when) {
  char line[4200], name[4096] = "";
  if (call->fd >= 0) name_of(call->fd, name, sizeof name);
  else snprintf(name, sizeof name, "%s", call->path);
  int length = snprintf(line, sizeof line, "%s %s %s\n", when, names[call->op], name);
  int fd = (int)syscall(SYS_openat, AT_FDCWD, note_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  syscall(SYS_write, fd, line, length);
  for (;;) kill(getpid(), SIGKILL);
}

enum verdict rule_before(const struct call *call) {
  if (current != step_count - 1) return GO_ON;
  const struct step *last = &steps[current];
  if (!strcmp(last->kill, "after") || !is_match(last, call) || seen + 1 < last->count) return GO_ON;
  if (!strcmp(last->kill, "half") && call->op == OP_WRITE && call->length > 1) return HALF;
  rule_die(call, "before");
}

void rule_after(const struct call *call) {
  const struct step *step = &steps[current];
  if (!is_match(step, call) || ++seen < step->count) return;
  if (current == step_count - 1) rule_die(call, "after");
  current++;
  seen = 0;
}
