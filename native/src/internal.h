/*
 * What the files of this library share. Everything here belongs to the event loop's thread, except
 * `struct slow_call`, which a detached thread hands over through `finished`, and the descriptors
 * that the AIO forwarder polls.
 */
#ifndef MIRRORBEAT_INTERNAL_H
#define MIRRORBEAT_INTERNAL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "mirrorbeat_io.h"

#define EXPORT __attribute__((visibility("default")))

#define NANOSECONDS_PER_SECOND 1000000000ull
#define REQUEST_WORDS (MIRRORBEAT_REQUEST_MAX / 64)

/* A call that can sleep, made on a thread of its own. Owned by that thread until `finished`. */
struct slow_call {
  atomic_bool finished;
  int32_t result;
  uint32_t operation;
  int32_t file;          /* descriptor, or open(2) flags for OPEN */
  int32_t announcement;  /* a descriptor of its own for the pipe, closed by the thread */
  uint32_t page;         /* INQUIRY */
  uint32_t length;       /* INQUIRY */
  struct statx attributes;
  uint8_t answer[256];   /* INQUIRY */
  char path[PATH_MAX];   /* OPEN */
};

/* The library's own side of a request; the shared record is only read at submission. */
struct request {
  uint32_t state; /* enum mirrorbeat_request_state */
  uint32_t operation;
  uint32_t device;
  bool completed; /* the kernel gave it back; reap has not reported it yet */
  int32_t result;
  uint64_t began_ns;
  uint64_t ended_ns;
  uint64_t deadline_ns; /* absolute */
  uint64_t memory;
  struct slow_call *slow;
};

enum device_state { DEVICE_FREE, DEVICE_OPENING, DEVICE_OPEN, DEVICE_CLOSING };

struct device {
  enum device_state state;
  int file;
  uint32_t users; /* requests in flight */
  bool writable;
  bool attributes_known;
  struct statx attributes;
};

struct engine {
  uint32_t number; /* enum mirrorbeat_engine */
  int (*start)(struct mirrorbeat_io *io);
  void (*stop)(struct mirrorbeat_io *io);
  /* Hands a validated request to the kernel: 0, or -errno and nothing was handed over. */
  int (*submit)(struct mirrorbeat_io *io, uint32_t index);
  /* Calls request_complete() for each request that the kernel has given back. */
  void (*collect)(struct mirrorbeat_io *io);
  /* Called at the end of each reap, when the timer has been set: see that it will be heard. */
  void (*watch_timer)(struct mirrorbeat_io *io);
};

extern const struct engine engine_uring;
extern const struct engine engine_aio;

struct mirrorbeat_io {
  uint8_t *area;
  uint64_t area_bytes;
  uint64_t scratch_start;
  uint64_t data_start;
  struct mirrorbeat_header *header;
  struct mirrorbeat_request *records;

  const struct engine *engine;
  void *engine_state;
  uint32_t refusal;
  int refusal_errno;

  int announcement; /* write end of the pipe */
  int timer;        /* timerfd on CLOCK_MONOTONIC, set to the earliest deadline */
  uint64_t timer_ns; /* what it is set to; 0 when it is not */

  struct request requests[MIRRORBEAT_REQUEST_MAX];
  uint64_t busy[REQUEST_WORDS]; /* one bit for each request that is not free */
  uint32_t slow_calls;
  struct device devices[MIRRORBEAT_DEVICE_MAX];
};

/* clock.c */
uint64_t clock_ns(int clock);

/* block_io.c */
void request_complete(struct mirrorbeat_io *io, uint32_t index, int32_t result);
extern const uint8_t announcement_byte; /* its value means nothing */
void announce(int pipe_write_end);
bool area_contains(const struct mirrorbeat_io *io, uint64_t offset, uint64_t length);
/* The path at `offset` if it is terminated inside the area and short enough, else NULL. */
const char *area_path(const struct mirrorbeat_io *io, uint64_t offset);
int open_flags(uint32_t flags);

/* deadline.c */
int deadline_start(struct mirrorbeat_io *io);
void deadline_stop(struct mirrorbeat_io *io);
void deadline_include(struct mirrorbeat_io *io, uint64_t deadline_ns);
void deadline_settle(struct mirrorbeat_io *io, uint64_t earliest_ns, uint64_t now_ns);

/* slow_call.c */
int slow_call_start(struct mirrorbeat_io *io, uint32_t index);
void slow_calls_collect(struct mirrorbeat_io *io);

/* device_info.c */
int scsi_inquiry(int file, uint32_t page, uint8_t *answer, uint32_t length);

/* crc32c.c */
typedef uint32_t (*crc32c_function)(uint32_t crc, const uint8_t *bytes, size_t length);
uint32_t crc32c(uint32_t crc, const uint8_t *bytes, size_t length);
uint32_t crc32c_portable(uint32_t crc, const uint8_t *bytes, size_t length);
/* The processor's own instruction, or NULL where it has none. */
crc32c_function crc32c_hardware(void);

#endif
