/*
 * One timer for all deadlines: a timerfd set to the earliest of them.
 *
 * Setting a timerfd is one cheap system call, far cheaper than waking the event loop for a deadline
 * that was met. So it is set when an earlier deadline comes in and disarmed when nothing is in
 * flight any more; in ordinary operation it never fires. While other requests remain it is left
 * alone, even if the request it was set for has ended: it may fire once too early, never too late.
 *
 * Invariant: while a request is in flight, timer_ns is set and not later than its deadline.
 */
#include "internal.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static void timer_set(struct mirrorbeat_io *io, uint64_t at_ns) {
  struct itimerspec setting = {0};
  setting.it_value.tv_sec = (time_t)(at_ns / NANOSECONDS_PER_SECOND);
  setting.it_value.tv_nsec = (long)(at_ns % NANOSECONDS_PER_SECOND);
  (void)timerfd_settime(io->timer, TFD_TIMER_ABSTIME, &setting, NULL);
  io->timer_ns = at_ns;
}

int deadline_start(struct mirrorbeat_io *io) {
  io->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  return io->timer < 0 ? -errno : 0;
}

void deadline_stop(struct mirrorbeat_io *io) {
  if (io->timer >= 0) (void)close(io->timer);
  io->timer = -1;
}

void deadline_include(struct mirrorbeat_io *io, uint64_t deadline_ns) {
  if (io->timer_ns == 0 || deadline_ns < io->timer_ns) timer_set(io, deadline_ns);
}

/* After a reap: `earliest_ns` is the earliest deadline still running, 0 if there is none. */
void deadline_settle(struct mirrorbeat_io *io, uint64_t earliest_ns, uint64_t now_ns) {
  if (io->timer_ns == 0) return;
  bool fired = io->timer_ns <= now_ns;
  if (earliest_ns == 0 || fired) timer_set(io, earliest_ns);
}
