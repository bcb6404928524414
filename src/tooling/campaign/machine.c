/*
 * machine.c: what stands in for one machine of a campaign (docs/campaign.md): its power switch and
 * its watchdog.
 *
 *   machine SOCKET LIMIT_MS BOOT_ID_FILE
 *
 * It runs with real-time priority, where it may, and has one child: process 1 of a process namespace
 * of its own. Killing that child ends every process of the machine at once, as a reset does. The
 * kernel's boot id is the given file, bound over it.
 *
 * On standard input, a line each: on; off; or, by tabs, NAME, a file for its output, a program and
 * its arguments, to be run in the machine. On standard output what happens, in JSON.
 *
 * The watchdog is a stream socket. As with the kernel's devices opening it starts it and counts as
 * feeding, 'V' stops it, and a feeder that is gone without it has fed once more. All times are
 * CLOCK_MONOTONIC, which all machines share.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { line_max = 4096, words_max = 32, running_max = 8, priority = 50 };
static const int64_t ns_per_ms = 1000000;

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void fail(const char *what) {
  fprintf(stderr, "machine: %s: %s\n", what, strerror(errno));
  _exit(70);
}

static void end_with_parent(void) { prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); }

/* One line of news, in one write. */
static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (length > 0 && write(STDOUT_FILENO, line, (size_t)length) < 0) _exit(70);
}

/* ---- inside a machine: process 1 ---- */

static int words_of(char *line, char **words) {
  int count = 0;
  for (char *word = strtok(line, "\t"); word && count < words_max - 1; word = strtok(NULL, "\t"))
    words[count++] = word;
  words[count] = NULL;
  return count;
}

/* A line: NAME, the file for its output, the program and its arguments; by tabs. */
static pid_t spawn(char **words) {
  pid_t child = fork();
  if (child != 0) return child;
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  int out = open(words[1], O_WRONLY | O_CREAT | O_APPEND, 0600);
  int in = open("/dev/null", O_RDONLY);
  if (out < 0 || in < 0) _exit(70);
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  close_range(3, ~0U, 0);
  setsid();
  execv(words[2], words + 2);
  _exit(71);
}

static void reap(pid_t *pids, char names[][32]) {
  int status;
  for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
    for (int i = 0; i < running_max; i++) {
      if (pids[i] != pid) continue;
      pids[i] = 0;
      tell("{\"ev\":\"ended\",\"name\":\"%s\",\"status\":%d}\n", names[i],
           WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
  }
}

static void bear(char *line, pid_t *pids, char names[][32]) {
  char *words[words_max];
  if (words_of(line, words) < 3) return;
  for (int i = 0; i < running_max; i++) {
    if (pids[i] != 0) continue;
    snprintf(names[i], sizeof names[i], "%s", words[0]);
    pids[i] = spawn(words);
    tell("{\"ev\":\"began\",\"name\":\"%s\",\"inner\":%d}\n", words[0], (int)pids[i]);
    return;
  }
}

/* Lines that came whole are taken out of the buffer. */
static int each_line(int file, char *held, size_t *length, void (*take)(char *, void *), void *with) {
  ssize_t got = read(file, held + *length, line_max - 1 - *length);
  if (got <= 0) return -1;
  *length += (size_t)got;
  held[*length] = 0;
  for (char *end = strchr(held, '\n'); end; end = strchr(held, '\n')) {
    *end = 0;
    take(held, with);
    *length -= (size_t)(end + 1 - held);
    memmove(held, end + 1, *length + 1);
  }
  return *length >= line_max - 1 ? -1 : 0;
}

struct family {
  pid_t pids[running_max];
  char names[running_max][32];
};

static void bear_one(char *line, void *with) {
  struct family *family = with;
  bear(line, family->pids, family->names);
}

static void process_one(const char *boot_id, int commands) {
  end_with_parent();
  if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) fail("mount private");
  if (mount("proc", "/proc", "proc", 0, NULL) != 0) fail("mount /proc");
  if (mount(boot_id, "/proc/sys/kernel/random/boot_id", NULL, MS_BIND, NULL) != 0) fail("boot id");
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, NULL);
  int signals = signalfd(-1, &children, SFD_CLOEXEC);
  static struct family family;
  static char held[line_max];
  size_t length = 0;
  struct pollfd waits[] = {{.fd = commands, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
  for (;;) {
    if (poll(waits, 2, -1) < 0 && errno != EINTR) fail("poll");
    if (waits[1].revents != 0) {
      struct signalfd_siginfo unused;
      if (read(signals, &unused, sizeof unused) > 0) reap(family.pids, family.names);
    }
    if (waits[0].revents != 0 && each_line(commands, held, &length, bear_one, &family) != 0) _exit(0);
  }
}

/* ---- a machine: power switch and watchdog ---- */

struct machine {
  const char *boot_id;
  pid_t first;   /* process 1, 0 while the machine is off */
  int commands;  /* to it */
  int feeder;    /* the newest connection, -1 for none */
  int is_armed;
  int64_t fed_ns;
  int64_t limit_ns;
  uint64_t fed;
};

static void power_on(struct machine *machine) {
  if (machine->first != 0) return;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) fail("pipe");
  pid_t child = (pid_t)syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);
  if (child < 0) fail("a process namespace (root is needed)");
  if (child == 0) {
    close(ends[1]);
    (void)setpriority(PRIO_PROCESS, 0, 0);
    process_one(machine->boot_id, ends[0]);
  }
  close(ends[0]);
  machine->first = child;
  machine->commands = ends[1];
  tell("{\"ev\":\"on\",\"pid\":%d}\n", (int)child);
}

/* All of its processes are gone when this returns: the kernel kills a namespace before its first. */
static void power_off(struct machine *machine, const char *by, int64_t late_ns) {
  if (machine->first == 0) return;
  int64_t began = now_ns();
  kill(machine->first, SIGKILL);
  close(machine->commands);
  while (waitpid(machine->first, NULL, 0) < 0 && errno == EINTR) continue;
  int64_t ended = now_ns();
  machine->first = 0;
  machine->is_armed = 0;
  if (machine->feeder >= 0) close(machine->feeder);
  machine->feeder = -1;
  tell("{\"ev\":\"off\",\"by\":\"%s\",\"atMs\":%.3f,\"lateMs\":%.3f,\"tookMs\":%.3f}\n", by,
       (double)ended / 1e6, (double)late_ns / 1e6, (double)(ended - began) / 1e6);
}

static void obey(char *line, void *with) {
  struct machine *machine = with;
  if (strcmp(line, "on") == 0) return power_on(machine);
  if (strcmp(line, "off") == 0) return power_off(machine, "command", 0);
  if (machine->first == 0) return;
  size_t length = strlen(line);
  line[length] = '\n';
  if (write(machine->commands, line, length + 1) < 0) tell("{\"ev\":\"deaf\"}\n");
  line[length] = 0;
}

static void fed(struct machine *machine) {
  machine->fed_ns = now_ns();
  machine->fed += 1;
}

/* The newest feeder's letters; its end without 'V' feeds once more. */
static void heed_feeder(struct machine *machine) {
  char letters[64];
  ssize_t got = read(machine->feeder, letters, sizeof letters);
  if (got > 0 && !memchr(letters, 'V', (size_t)got)) return fed(machine);
  if (got > 0) {
    machine->is_armed = 0;
    tell("{\"ev\":\"disarmed\",\"atMs\":%.3f}\n", (double)now_ns() / 1e6);
    return;
  }
  if (machine->is_armed) fed(machine);
  close(machine->feeder);
  machine->feeder = -1;
}

static void take_feeder(struct machine *machine, int listener) {
  int next = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (next < 0) return;
  if (machine->feeder >= 0) close(machine->feeder);
  machine->feeder = next;
  machine->is_armed = 1;
  fed(machine);
  tell("{\"ev\":\"armed\",\"atMs\":%.3f}\n", (double)now_ns() / 1e6);
}

static int listen_at(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return errno = ENAMETOOLONG, -1;
  memcpy(address.sun_path, path, strlen(path));
  unlink(path);
  int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (file < 0 || bind(file, (struct sockaddr *)&address, sizeof address) != 0) return -1;
  return listen(file, running_max) == 0 ? file : -1;
}

/* Late or starved itself it would be the judge's error, so it goes before everything else. */
static void go_first(void) {
  struct sched_param how = {.sched_priority = priority};
  int is_first = sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &how) == 0;
  if (!is_first) is_first = setpriority(PRIO_PROCESS, 0, -20) == 0;
  (void)mlockall(MCL_CURRENT | MCL_FUTURE);
  tell("{\"ev\":\"ready\",\"first\":%s}\n", is_first ? "true" : "false");
}

static int run_machine(const char *socket_path, int64_t limit_ms, const char *boot_id) {
  end_with_parent();
  struct machine machine = {.boot_id = boot_id, .feeder = -1, .limit_ns = limit_ms * ns_per_ms};
  int listener = listen_at(socket_path);
  if (listener < 0) fail(socket_path);
  go_first();
  static char held[line_max];
  size_t length = 0;
  for (;;) {
    struct pollfd waits[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                             {.fd = listener, .events = POLLIN},
                             {.fd = machine.feeder, .events = POLLIN}};
    int64_t left_ns = machine.fed_ns + machine.limit_ns - now_ns();
    struct timespec wait = {.tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000};
    if (left_ns < 0) wait = (struct timespec){0};
    if (ppoll(waits, 3, machine.is_armed ? &wait : NULL, NULL) < 0 && errno != EINTR) fail("ppoll");
    if (machine.feeder >= 0 && waits[2].revents != 0) heed_feeder(&machine);
    if (waits[1].revents != 0) take_feeder(&machine, listener);
    int64_t late_ns = now_ns() - (machine.fed_ns + machine.limit_ns);
    if (machine.is_armed && late_ns >= 0) power_off(&machine, "watchdog", late_ns);
    if (waits[0].revents != 0 && each_line(STDIN_FILENO, held, &length, obey, &machine) != 0) {
      power_off(&machine, "end", 0);
      return 0;
    }
  }
}

int main(int count, char **words) {
  if (count == 4) return run_machine(words[1], atol(words[2]), words[3]);
  fprintf(stderr, "usage: machine SOCKET LIMIT_MS BOOT_ID_FILE\n");
  return 64;
}
