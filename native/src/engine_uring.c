/*
 * The io_uring engine: no thread of ours, one system call for a request.
 *
 * Each request is two entries, the second hard-linked to the first: the transfer, then the write of
 * a byte into the pipe, which the kernel makes when the transfer ends, however it ends. The timer is
 * a third kind: a poll of the timerfd, linked to such a byte. So the event loop sleeps in its usual
 * poll, and nothing of ours runs until there is news.
 *
 * What may sleep in the kernel (open, close, attributes) is marked for the kernel's own workers, so
 * that this thread never does it: without the mark an open that finds its name cached is made at
 * once, and a device driver may wait in it.
 *
 * Bounds. Each submission enters the kernel at once, so the submission ring never holds more than
 * one. Completions are taken at every submission and every reap; should the ring overflow
 * nevertheless, the kernel keeps the rest (a required feature) and is asked for it.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <poll.h>
#include <unistd.h>

#define SUBMISSIONS 8u
#define COMPLETIONS 1024u
#define ATTEMPTS 8

/* What an entry was, beside the number of its request. */
#define TAG_REQUEST 0x10000u
#define TAG_ANNOUNCEMENT 0x20000u
#define TAG_TIMER 0x40000u
#define TAG_INDEX 0xffffu

struct uring {
  int file;
  uint8_t *rings;
  size_t rings_bytes;
  struct io_uring_sqe *entries;
  size_t entries_bytes;
  const struct io_uring_cqe *completions;
  unsigned *submission_tail, *submission_flags, *submission_array;
  unsigned *completion_head, *completion_tail;
  unsigned submission_mask, completion_mask;
  unsigned tail;      /* ours; published when a submission is complete */
  bool timer_watched; /* a poll of the timer is in flight */
};

/* ---- the rings --------------------------------------------------------------------------- */

static struct io_uring_sqe *next_entry(struct uring *ring, uint8_t operation, int file,
                                       uint64_t tag) {
  unsigned slot = ring->tail++ & ring->submission_mask;
  struct io_uring_sqe *entry = &ring->entries[slot];
  memset(entry, 0, sizeof *entry);
  ring->submission_array[slot] = slot;
  entry->opcode = operation;
  entry->fd = file;
  entry->user_data = tag;
  return entry;
}

static void add_announcement(struct mirrorbeat_io *io, uint64_t index) {
  struct uring *ring = io->engine_state;
  struct io_uring_sqe *entry =
      next_entry(ring, IORING_OP_WRITE, io->announcement, TAG_ANNOUNCEMENT | index);
  entry->addr = (uintptr_t)&announcement_byte;
  entry->len = sizeof announcement_byte;
  entry->off = UINT64_MAX; /* a pipe has no position */
}

static int enter(struct uring *ring, unsigned count, unsigned flags) {
  long result;
  do {
    result = syscall(SYS_io_uring_enter, ring->file, count, 0, flags, NULL, 0);
  } while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : (int)result;
}

static void take_completion(struct mirrorbeat_io *io, const struct io_uring_cqe *completion) {
  struct uring *ring = io->engine_state;
  uint64_t tag = completion->user_data;
  if ((tag & TAG_REQUEST) != 0) {
    request_complete(io, (uint32_t)(tag & TAG_INDEX), completion->res);
  } else if ((tag & TAG_TIMER) != 0) {
    ring->timer_watched = false;
  } else if (completion->res != (int)sizeof announcement_byte) {
    /* Refused with its request, or cancelled: the word is still owed. */
    announce(io->announcement);
  }
}

static void take_completions(struct mirrorbeat_io *io) {
  struct uring *ring = io->engine_state;
  unsigned head = *ring->completion_head;
  unsigned tail = __atomic_load_n(ring->completion_tail, __ATOMIC_ACQUIRE);
  for (; head != tail; head++)
    take_completion(io, &ring->completions[head & ring->completion_mask]);
  __atomic_store_n(ring->completion_head, head, __ATOMIC_RELEASE);
}

static void uring_collect(struct mirrorbeat_io *io) {
  struct uring *ring = io->engine_state;
  take_completions(io);
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    unsigned flags = __atomic_load_n(ring->submission_flags, __ATOMIC_ACQUIRE);
    if ((flags & IORING_SQ_CQ_OVERFLOW) == 0) return;
    (void)enter(ring, 0, IORING_ENTER_GETEVENTS);
    take_completions(io);
  }
}

/*
 * Publishes what next_entry() prepared and enters the kernel. What the kernel did not take is taken
 * back, so nothing is left to be submitted later by surprise. Returns how many entries it took, or
 * -errno if none.
 */
static int publish(struct mirrorbeat_io *io) {
  struct uring *ring = io->engine_state;
  unsigned start = *ring->submission_tail, count = ring->tail - start, taken = 0;
  int result = 0;
  __atomic_store_n(ring->submission_tail, ring->tail, __ATOMIC_RELEASE);
  for (int attempt = 0; attempt < ATTEMPTS && taken < count; attempt++) {
    result = enter(ring, count - taken, 0);
    if (result > 0) taken += (unsigned)result;
    if (result == -EAGAIN || result == -EBUSY) uring_collect(io);
    else if (result <= 0) break;
  }
  ring->tail = start + taken;
  __atomic_store_n(ring->submission_tail, ring->tail, __ATOMIC_RELEASE);
  if (taken > 0) return (int)taken;
  return result < 0 ? result : -EAGAIN;
}

/* ---- requests ---------------------------------------------------------------------------- */

static void prepare(struct mirrorbeat_io *io, uint32_t index) {
  const struct mirrorbeat_request *record = &io->records[index];
  struct device *device = &io->devices[record->device];
  struct uring *ring = io->engine_state;
  struct io_uring_sqe *entry = next_entry(ring, IORING_OP_NOP, device->file, TAG_REQUEST | index);
  entry->flags = IOSQE_IO_HARDLINK;
  switch (record->operation) {
    case MIRRORBEAT_READ:
    case MIRRORBEAT_WRITE:
      entry->opcode = record->operation == MIRRORBEAT_READ ? IORING_OP_READ : IORING_OP_WRITE;
      entry->off = record->offset;
      entry->addr = (uintptr_t)(io->area + record->memory);
      entry->len = record->length;
      return;
    case MIRRORBEAT_OPEN:
      entry->opcode = IORING_OP_OPENAT;
      entry->fd = AT_FDCWD;
      entry->addr = (uintptr_t)area_path(io, record->memory);
      entry->open_flags = (uint32_t)open_flags(record->flags);
      break;
    case MIRRORBEAT_STAT:
      entry->opcode = IORING_OP_STATX;
      entry->addr = (uintptr_t) "";
      entry->len = STATX_BASIC_STATS;
      entry->off = (uintptr_t)&device->attributes;
      entry->statx_flags = AT_EMPTY_PATH;
      break;
    case MIRRORBEAT_CLOSE:
      entry->opcode = IORING_OP_CLOSE;
      break;
  }
  entry->flags |= IOSQE_ASYNC;
}

static void uring_watch_timer(struct mirrorbeat_io *io) {
  struct uring *ring = io->engine_state;
  if (ring->timer_watched) return;
  struct io_uring_sqe *entry = next_entry(ring, IORING_OP_POLL_ADD, io->timer, TAG_TIMER);
  entry->flags = IOSQE_IO_LINK; /* not hard: a poll cancelled at the end should say nothing */
  entry->poll32_events = POLLIN;
  add_announcement(io, 0);
  ring->timer_watched = publish(io) == 2;
}

static int uring_submit(struct mirrorbeat_io *io, uint32_t index) {
  uring_watch_timer(io); /* watched already, unless the kernel was out of memory at the last reap */
  prepare(io, index);
  add_announcement(io, index);
  int taken = publish(io);
  if (taken < 0) return taken;
  /*
   * If the kernel took the request without its announcement, the request is under way all the same;
   * its end is found at the next reap, at the latest when its deadline wakes the loop.
   */
  take_completions(io);
  return 0;
}

/* ---- life -------------------------------------------------------------------------------- */

static bool has_operations(int file) {
  static const uint8_t needed[] = {IORING_OP_NOP,    IORING_OP_POLL_ADD, IORING_OP_OPENAT,
                                   IORING_OP_CLOSE,  IORING_OP_STATX,    IORING_OP_READ,
                                   IORING_OP_WRITE};
  enum { OPERATIONS = 256 };
  struct io_uring_probe *probe =
      calloc(1, sizeof *probe + OPERATIONS * sizeof(struct io_uring_probe_op));
  if (probe == NULL) return false;
  bool all = syscall(SYS_io_uring_register, file, IORING_REGISTER_PROBE, probe, OPERATIONS) == 0;
  for (size_t i = 0; all && i < sizeof needed; i++)
    all = needed[i] <= probe->last_op &&
          (probe->ops[needed[i]].flags & IO_URING_OP_SUPPORTED) != 0;
  free(probe);
  return all;
}

static bool map_rings(struct uring *ring, const struct io_uring_params *parameters) {
  size_t submissions = parameters->sq_off.array + parameters->sq_entries * sizeof(unsigned);
  size_t completions =
      parameters->cq_off.cqes + parameters->cq_entries * sizeof(struct io_uring_cqe);
  const int protection = PROT_READ | PROT_WRITE, kind = MAP_SHARED | MAP_POPULATE;
  ring->rings_bytes = submissions > completions ? submissions : completions;
  ring->entries_bytes = parameters->sq_entries * sizeof(struct io_uring_sqe);
  ring->rings = mmap(NULL, ring->rings_bytes, protection, kind, ring->file, IORING_OFF_SQ_RING);
  if (ring->rings == MAP_FAILED) return false;
  ring->entries = mmap(NULL, ring->entries_bytes, protection, kind, ring->file, IORING_OFF_SQES);
  if (ring->entries == MAP_FAILED) {
    (void)munmap(ring->rings, ring->rings_bytes);
    return false;
  }
  /* Newer kernels do this themselves. */
  (void)madvise(ring->rings, ring->rings_bytes, MADV_DONTFORK);
  (void)madvise(ring->entries, ring->entries_bytes, MADV_DONTFORK);

  uint8_t *base = ring->rings;
#define AT(offset) ((unsigned *)(void *)(base + (offset)))
  ring->submission_tail = AT(parameters->sq_off.tail);
  ring->submission_flags = AT(parameters->sq_off.flags);
  ring->submission_array = AT(parameters->sq_off.array);
  ring->submission_mask = *AT(parameters->sq_off.ring_mask);
  ring->completion_head = AT(parameters->cq_off.head);
  ring->completion_tail = AT(parameters->cq_off.tail);
  ring->completion_mask = *AT(parameters->cq_off.ring_mask);
#undef AT
  ring->completions = (const struct io_uring_cqe *)(void *)(base + parameters->cq_off.cqes);
  ring->tail = *ring->submission_tail;
  return true;
}

static int refuse(struct mirrorbeat_io *io, uint32_t step, int reason) {
  io->refusal = step;
  io->refusal_errno = reason;
  return -reason;
}

static int set_up(struct mirrorbeat_io *io, struct uring *ring) {
  const uint32_t needed = IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_SINGLE_MMAP;
  struct io_uring_params parameters = {.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
                                       .cq_entries = COMPLETIONS};
  ring->file = (int)syscall(SYS_io_uring_setup, SUBMISSIONS, &parameters);
  if (ring->file < 0) return refuse(io, MIRRORBEAT_REFUSAL_SETUP, errno);
  (void)fcntl(ring->file, F_SETFD, FD_CLOEXEC);
  if ((parameters.features & needed) != needed || !has_operations(ring->file)) {
    (void)close(ring->file);
    return refuse(io, MIRRORBEAT_REFUSAL_FEATURES, EOPNOTSUPP);
  }
  if (!map_rings(ring, &parameters)) {
    int reason = errno;
    (void)close(ring->file);
    return refuse(io, MIRRORBEAT_REFUSAL_MAPPING, reason);
  }
  return 0;
}

static void uring_stop(struct mirrorbeat_io *io) {
  struct uring *ring = io->engine_state;
  (void)munmap(ring->entries, ring->entries_bytes);
  (void)munmap(ring->rings, ring->rings_bytes);
  (void)close(ring->file);
  io->engine_state = NULL;
  free(ring);
}

static int uring_start(struct mirrorbeat_io *io) {
  struct uring *ring = calloc(1, sizeof *ring);
  if (ring == NULL) return -ENOMEM;
  int result = set_up(io, ring);
  if (result != 0) {
    free(ring);
    return result;
  }
  io->engine_state = ring;
  uring_watch_timer(io); /* the first entry into the kernel: a sandbox may allow only the setup */
  if (ring->timer_watched) return 0;
  uring_stop(io);
  return refuse(io, MIRRORBEAT_REFUSAL_ENTER, EPERM);
}

const struct engine engine_uring = {
    .number = MIRRORBEAT_ENGINE_URING,
    .start = uring_start,
    .stop = uring_stop,
    .submit = uring_submit,
    .collect = uring_collect,
    .watch_timer = uring_watch_timer,
};
