/*
 * service.c: the service of a campaign, and what starts and stops it (docs/campaign.md).
 *
 *   service start FOLDER LOG SITE EVERY_MS          the takeover hook: ends once it writes
 *   service boot FOLDER LOG SITE EVERY_MS SOCKET    the boot script's last step, after `gate --wait`
 *   service stop FOLDER                             the stop hook: ends once it is gone
 *   service tied PROGRAM ARGS...                    becomes a program that ends with its parent
 *
 * The service writes a record into one log for both sites every few milliseconds: that is all the
 * judge looks at. It is no child of the agent, and nothing but the stop hook or a reset ends it.
 *
 * Starting and stopping exclude one another (control.lock). Without that a start which was let in
 * by the gate, and then stalled, could begin after the stop hook had found nothing to stop. For the
 * same reason a start from a hook ends with its agent, and one from the boot script asks the gate
 * again while it holds the lock. service.lock is held by the service itself from before its birth.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { exit_failed = 70, exit_closed = 75, answer_max = 8192 };

/* As src/tooling/campaign/judge.mjs reads it; in the machine's byte order. */
struct record {
  int64_t before_ns;         /* CLOCK_MONOTONIC right before this write */
  int64_t previous_after_ns; /* and right after the one before; 0 at the first */
  uint32_t instance;         /* random: this run of the service */
  uint32_t serial;
  uint32_t site;
  uint32_t zero;
};
_Static_assert(sizeof(struct record) == 32, "as judge.mjs knows it");

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void sleep_ms(long ms) {
  struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
  while (nanosleep(&left, &left) != 0) continue;
}

static int fail(const char *what) {
  fprintf(stderr, "service: %s: %s\n", what, strerror(errno));
  return exit_failed;
}

static int open_in(const char *folder, const char *name) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static int control = -1;

/* Whoever starts or stops, one at a time. The lock ends with this process. */
static int take_control(const char *folder) {
  control = open_in(folder, "control.lock");
  if (control < 0) return -1;
  while (flock(control, LOCK_EX) != 0)
    if (errno != EINTR) return -1;
  return 0;
}

static void serve(int lock, int log, uint32_t site, long every_ms, int born) {
  struct record record = {.site = site};
  char text[32];
  int length = snprintf(text, sizeof text, "%d\n", (int)getpid());
  if (pwrite(lock, text, (size_t)length, 0) != length) _exit(exit_failed);
  if (getrandom(&record.instance, sizeof record.instance, 0) < 0) _exit(exit_failed);
  for (;; record.serial++) {
    record.before_ns = now_ns();
    if (write(log, &record, sizeof record) != (ssize_t)sizeof record) _exit(exit_failed);
    record.previous_after_ns = now_ns();
    if (record.serial == 0 && (write(born, "+", 1) < 0 || close(born) != 0)) _exit(exit_failed);
    sleep_ms(every_ms);
  }
}

/* Ends when the service has written, or runs already. The caller holds the control lock. */
static int start(const char *folder, const char *log_path, uint32_t site, long every_ms) {
  int lock = open_in(folder, "service.lock");
  if (lock < 0) return fail("service.lock");
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) return errno == EWOULDBLOCK ? 0 : fail("flock");
  int log = open(log_path, O_WRONLY | O_APPEND | O_CLOEXEC);
  int born[2];
  if (log < 0 || ftruncate(lock, 0) != 0 || pipe(born) != 0) return fail(log_path);
  pid_t child = fork();
  if (child < 0) return fail("fork");
  if (child == 0) {
    setsid();
    int none = open("/dev/null", O_RDWR);
    for (int file = 0; file < 3; file++) dup2(none, file);
    close(born[0]);
    close(control); /* else it would be held as long as the service runs */
    serve(lock, log, site, every_ms, born[1]);
  }
  close(born[1]);
  char letter;
  return read(born[0], &letter, 1) == 1 ? 0 : fail("it did not begin");
}

/* Ends when no service runs. The caller holds the control lock. */
static int stop(const char *folder) {
  int lock = open_in(folder, "service.lock");
  if (lock < 0) return fail("service.lock");
  while (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    char text[32] = {0};
    pid_t pid = pread(lock, text, sizeof text - 1, 0) > 0 ? (pid_t)atoi(text) : 0;
    if (pid > 1) kill(pid, SIGKILL);
    sleep_ms(1);
  }
  return ftruncate(lock, 0) == 0 ? 0 : fail("service.lock");
}

/* Whether the agent says at this moment that the gate is open. */
static int gate_is_open(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  static const char question[] = "{\"op\":\"gate\"}\n";
  static char answer[answer_max];
  struct timeval limit = {.tv_sec = 2};
  if (strlen(path) >= sizeof address.sun_path) return 0;
  memcpy(address.sun_path, path, strlen(path));
  int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (file < 0) return 0;
  setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (connect(file, (struct sockaddr *)&address, sizeof address) != 0) return 0;
  if (write(file, question, sizeof question - 1) < 0) return 0;
  size_t length = 0;
  while (length < sizeof answer - 1 && !memchr(answer, '\n', length)) {
    ssize_t got = read(file, answer + length, sizeof answer - 1 - length);
    if (got <= 0) return 0;
    length += (size_t)got;
  }
  return strstr(answer, "\"ok\":true") != NULL && strstr(answer, "\"open\":true") != NULL;
}

static int become(char **command) {
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  execvp(command[0], command);
  return fail(command[0]);
}

int main(int count, char **words) {
  if (count >= 3 && strcmp(words[1], "tied") == 0) return become(words + 2);
  int is_stop = count >= 3 && strcmp(words[1], "stop") == 0;
  int is_boot = count == 7 && strcmp(words[1], "boot") == 0;
  int is_hook = count >= 6 && strcmp(words[1], "start") == 0;
  if (!is_stop && !is_boot && !is_hook) {
    fprintf(stderr, "service: start|stop|boot|tied\n");
    return 64;
  }
  if (is_hook) {
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() == 1) return exit_failed; /* the agent is gone already */
  }
  if (take_control(words[2]) < 0) return fail("control.lock");
  if (is_stop) return stop(words[2]);
  if (is_boot && !gate_is_open(words[6])) return exit_closed;
  return start(words[2], words[3], (uint32_t)atoi(words[4]), atol(words[5]));
}
