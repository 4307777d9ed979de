#!/bin/sh
# Waits for the bell of one session, and wakes it. Claude Code runs this beside its turns (async, asyncRewake): exit 2
# starts a turn of an idle session, whose UserPromptSubmit hook then takes the mail; every other end is exit 0.
#
#   waiter.sh <pid of Claude> [start | prompt | note]
#
#   start: the MCP server, which makes the bell, may not run yet. prompt: a turn begins. note: the client notifies its user;
#   this waits for nothing, but marks a dialog that does.
#
# A ring is news, and is used up when it is read: what waits and cannot be had, as from a hub that is down, wakes nobody
# a second time. POSIX sh (dash, bash, busybox ash); while it waits it is this one process, blocked in `read`.

# The shell's own errors end it with 2 in some shells: only what this script decided may wake.
status=0
trap 'exit 0' EXIT

# What the shell itself says of an error is for nobody; a wake's one line goes to the true stderr.
command exec 9>&2 2>/dev/null || exit 0

case $1 in '' | *[!0-9]*) exit 0 ;; esac

# Whether a person sits before the client. Only `cli` in the variable proves it; any other value may be inherited from an
# outer session. Then the client itself shows it: its output is a terminal, and it was started in no print mode. That an
# argument has several lines must not matter.
is_interactive() {
  case ${CLAUDE_CODE_ENTRYPOINT:-cli} in cli) return 0 ;; esac
  [ -c "/proc/$1/fd/1" ] && [ -t 3 ] 3<"/proc/$1/fd/1" || return 1
  tr '\n\0' ' \n' <"/proc/$1/cmdline" | {
    read -r _
    while read -r word; do
      case $word in -[!-]*p* | -p* | --print | --input-format* | --output-format*) exit 1 ;; esac
    done
  }
}

# In headless runs and inside other programs, a hook that stays would delay the end, and its wake starts no turn.
is_interactive "$1" 2>/dev/null || exit 0
claude=$1
# The number of the pid namespace, as in all names of a session's files: a container that shares the home has the same pids.
n=
{ read -r _; read -r _; read -r _; read -r _ n; } 3</proc/self/ns/pid </proc/self/fdinfo/3
own=$HOME/.claude-peers/sessions/$1${n:+-$n}
umask 077

if [ "$2" = note ]; then
  read -r input
  # In the text of a message, the quotation marks would have a backslash.
  case $input in
    *'"notification_type":"permission_prompt"'* | *'"notification_type":"elicitation_dialog"'*)
      [ ! -e "$own.json" ] || : >"$own.asks"
      ;;
  esac
  exit 0
fi

trap 'leave; exit "$status"' EXIT
trap 'exit 0' HUP INT TERM

leave() {
  if is_mine; then rm -f "$own.waiter"; fi
}

is_mine() {
  holder=
  read -r holder <"$own.waiter"
  [ "$holder" = $$ ]
}

# Reads who holds a file: nobody if it is not there. What is empty is looked at again a second later: only a holder that
# was killed while it made it leaves it so.
read_holder() {
  holder=
  read -r holder <"$1"
  [ -z "$holder" ] && [ -e "$1" ] || return 0
  sleep 1
  read -r holder <"$1"
  [ -n "$holder" ] || [ ! -e "$1" ] || holder=none
}

# Whether the holder of the seat lives and is a waiter of this session: its number may be another process's by now.
is_taken() {
  read_holder "$own.waiter"
  case $holder in '' | *[!0-9]* | $$) return 1 ;; esac
  kill -0 "$holder" || return 1
  # In a container without a /proc of its own, that shows other processes.
  me=
  [ ! -r /proc/self/stat ] || read -r me _ </proc/self/stat
  [ "${me:-$$}" = $$ ] || return 0
  line=
  if [ -r "/proc/$holder/cmdline" ]; then
    # The zeros between its words are lost.
    read -r line <"/proc/$holder/cmdline"
  else
    line=$(ps -o args= -p "$holder")
  fi
  case $line in
    *waiter.sh"$claude" | *waiter.sh"$claude"start | *waiter.sh"$claude"prompt) return 0 ;;
    *waiter.sh" $claude" | *waiter.sh" $claude start" | *waiter.sh" $claude prompt") return 0 ;;
  esac
  return 1
}

# Makes a file that holds the own number, unless there is one (noclobber). No link, as some homes have none (FAT, Android,
# some network drives); so a kill within may leave the file empty.
claim() {
  set -C
  echo $$ >"$1"
  taken=$?
  set +C
  return $taken
}

# Removes the seat of a holder that is gone. Only who has the claim on that holder's may, and looks again under it: else,
# of several that find it, the last would remove the seat that the first has taken.
clear_seat() {
  gone=$holder
  # It has just been left: who removed it now would remove the next one's.
  [ -n "$gone" ] || return 0
  if claim "$own.waiter.$gone.tmp"; then
    read_holder "$own.waiter"
    [ "$holder" != "$gone" ] || rm -f "$own.waiter"
    rm -f "$own.waiter.$gone.tmp"
  else
    read_holder "$own.waiter.$gone.tmp"
    [ "$holder" != none ] && kill -0 "$holder" || rm -f "$own.waiter.$gone.tmp"
  fi
}

wake_if_due() {
  # The ring was for the one who has the seat.
  is_mine || { [ ! -p "$own.bell" ] || echo >"$own.bell"; exit 0; }
  mail=
  read -r mail <"$own.mail"
  [ "$mail" = wake ] && [ ! -e "$own.busy" ] || return 0
  # The woken turn begins here: the next waiter stands before its prompt's hook has marked it, and must not wake again.
  # Without `command`, a mark that a full disk does not take would end this shell before it wakes.
  command : >"$own.busy"
  echo 'claude-peers: mail from other sessions has arrived. It is in the context of this turn, if not of the turn before. This line is not from the user.' >&9
  status=2
  exit 2
}

# Before the hook of the prompt does, which takes longer to start: a ring from before it is no news any more. The hook's own
# mark stays: it may name the transcript, and a later time would make an end that was written meanwhile one of the turn before.
[ "$2" != prompt ] || [ ! -e "$own.json" ] || [ -e "$own.busy" ] || command : >"$own.busy"

waited=0
while [ "$2" = start ] && [ ! -p "$own.bell" ] && [ "$waited" -lt 10 ]; do
  kill -0 "$claude" || exit 0
  sleep 1
  waited=$((waited + 1))
done
[ -p "$own.bell" ] || exit 0

tries=0
# What another took for left over while it was made is not held.
until claim "$own.waiter" && is_mine; do
  is_taken && exit 0
  tries=$((tries + 1))
  [ "$tries" -le 5 ] || exit 0
  clear_seat
done

# End of file: the MCP server has ended, however that was. For some seconds another is looked for, as `/mcp` starts one
# in a session that stays idle.
misses=0
while [ "$misses" -le 4 ] && kill -0 "$claude"; do
  if [ -p "$own.bell" ]; then
    # To open a FIFO for reading alone waits for a writer, for ever when there is none; opened both ways first, it does
    # not.
    command exec 3<>"$own.bell" || exit 0
    command exec 4<"$own.bell" || exit 0
    exec 3>&-
    # An open that came too late has made a file of its own.
    [ -p "$own.bell" ] || { rm -f "$own.bell"; exit 0; }
    while read -r _ <&4; do
      misses=0
      wake_if_due
    done
    exec 4<&-
  fi
  misses=$((misses + 1))
  [ "$misses" -gt 4 ] || sleep 1
done
exit 0
