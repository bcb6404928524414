/*
 * The requests: who owns each one, what may be submitted, what is reported.
 *
 *        submit            reap: completed            FREE + DONE
 *   FREE ------> IN_FLIGHT ----------------------->
 *                    |     reap: deadline passed              reap: completed
 *                    +-----------------------> EXPIRED + EXPIRED ------------> FREE + LATE
 *
 * An engine only hands requests to the kernel and says which came back; everything that can be
 * wrong with a request is found here, before the kernel sees it.
 *
 * Invariants: a bit in `busy` for each request that is not FREE; `users` of a device is the number
 * of those that name it; a device's descriptor is closed only by a CLOSE request, with no other
 * user, so the kernel can never be moving bytes on a number that means something else by now.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const uint8_t announcement_byte = 1;

/* A full pipe is as good as a written byte: it wakes the reader, and reap looks at everything. */
void announce(int pipe_write_end) {
  ssize_t written;
  do {
    written = write(pipe_write_end, &announcement_byte, sizeof announcement_byte);
  } while (written < 0 && errno == EINTR);
}

bool area_contains(const struct mirrorbeat_io *io, uint64_t offset, uint64_t length) {
  return offset <= io->area_bytes && length <= io->area_bytes - offset;
}

const char *area_path(const struct mirrorbeat_io *io, uint64_t offset) {
  if (offset >= io->area_bytes) return NULL;
  uint64_t room = io->area_bytes - offset < PATH_MAX ? io->area_bytes - offset : PATH_MAX;
  const char *path = (const char *)io->area + offset;
  return memchr(path, 0, (size_t)room) == NULL ? NULL : path;
}

int open_flags(uint32_t flags) {
  int result = O_DSYNC | O_CLOEXEC | O_NOCTTY;
  result |= (flags & MIRRORBEAT_OPEN_WRITABLE) != 0 ? O_RDWR : O_RDONLY;
  if ((flags & MIRRORBEAT_OPEN_DIRECT) != 0) result |= O_DIRECT;
  if ((flags & MIRRORBEAT_OPEN_EXCLUSIVE) != 0) result |= O_EXCL;
  return result;
}

/* ---- submitting -------------------------------------------------------------------------- */

static int check_transfer(const struct mirrorbeat_io *io, const struct mirrorbeat_request *record,
                          const struct device *device) {
  uint64_t unaligned = (record->offset | record->memory | record->length) % MIRRORBEAT_BLOCK_BYTES;
  if (unaligned != 0 || record->length == 0) return -EINVAL;
  if (record->length > INT32_MAX || record->offset > (uint64_t)INT64_MAX - record->length) return -EINVAL;
  if (record->memory < io->data_start) return -EINVAL;
  if (!area_contains(io, record->memory, record->length)) return -EINVAL;
  if (device->state != DEVICE_OPEN) return -EBADF;
  if (record->operation == MIRRORBEAT_WRITE && !device->writable) return -EBADF;
  return 0;
}

static int check(const struct mirrorbeat_io *io, const struct mirrorbeat_request *record) {
  if (record->device >= MIRRORBEAT_DEVICE_MAX || record->deadline_ns == 0) return -EINVAL;
  if (record->deadline_ns > INT64_MAX / 2) return -EINVAL;
  const struct device *device = &io->devices[record->device];
  switch (record->operation) {
    case MIRRORBEAT_READ:
    case MIRRORBEAT_WRITE:
      return check_transfer(io, record, device);
    case MIRRORBEAT_OPEN:
      if (area_path(io, record->memory) == NULL) return -ENAMETOOLONG;
      return device->state == DEVICE_FREE ? 0 : -EBUSY;
    case MIRRORBEAT_STAT:
      return device->state == DEVICE_OPEN ? 0 : -EBADF;
    case MIRRORBEAT_CLOSE:
      if (device->state != DEVICE_OPEN) return -EBADF;
      return device->users == 0 ? 0 : -EBUSY;
    case MIRRORBEAT_INQUIRY:
      if (record->length > 255 || record->offset > 255) return -EINVAL;
      if (!area_contains(io, record->memory, record->length)) return -EINVAL;
      return device->state == DEVICE_OPEN ? 0 : -EBADF;
    default:
      return -EINVAL;
  }
}

static void own(struct mirrorbeat_io *io, uint32_t index) {
  struct request *request = &io->requests[index];
  uint32_t flags = io->records[index].flags;
  struct device *device = &io->devices[request->device];
  request->state = MIRRORBEAT_IN_FLIGHT;
  io->records[index].state = MIRRORBEAT_IN_FLIGHT;
  io->busy[index / 64] |= 1ull << (index % 64);
  device->users++;
  if (request->operation == MIRRORBEAT_OPEN) {
    device->state = DEVICE_OPENING;
    device->writable = (flags & MIRRORBEAT_OPEN_WRITABLE) != 0;
  }
  if (request->operation == MIRRORBEAT_CLOSE) device->state = DEVICE_CLOSING;
}

EXPORT int32_t mirrorbeat_submit(mirrorbeat_io *io) {
  uint64_t index = io->header->arguments[0];
  if (index >= MIRRORBEAT_REQUEST_MAX) return -EINVAL;
  struct request *request = &io->requests[index];
  struct mirrorbeat_request *record = &io->records[index];
  if (request->state != MIRRORBEAT_FREE) return -EBUSY;
  int refusal = check(io, record);
  if (refusal != 0) return refusal;

  uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
  *request = (struct request){
      .operation = record->operation,
      .device = record->device,
      .began_ns = now_ns,
      .deadline_ns = now_ns + record->deadline_ns,
      .memory = record->memory,
  };
  /* The timer first: nothing may be in flight without one. Set for nothing, it does no harm. */
  deadline_include(io, request->deadline_ns);
  int result = record->operation == MIRRORBEAT_INQUIRY ? slow_call_start(io, (uint32_t)index)
                                                        : io->engine->submit(io, (uint32_t)index);
  if (result != 0) return result;
  record->began_ns = now_ns;
  own(io, (uint32_t)index);
  return 0;
}

/* ---- reporting --------------------------------------------------------------------------- */

void request_complete(struct mirrorbeat_io *io, uint32_t index, int32_t result) {
  struct request *request = &io->requests[index];
  request->completed = true;
  request->result = result;
  request->ended_ns = clock_ns(CLOCK_MONOTONIC);
}

static void settle_device(struct mirrorbeat_io *io, const struct request *request) {
  struct device *device = &io->devices[request->device];
  device->users--;
  switch (request->operation) {
    case MIRRORBEAT_OPEN:
      if (request->result < 0) {
        *device = (struct device){.state = DEVICE_FREE, .file = -1};
        break;
      }
      device->state = DEVICE_OPEN;
      device->file = request->result;
      break;
    case MIRRORBEAT_STAT:
      device->attributes_known = request->result >= 0;
      break;
    case MIRRORBEAT_CLOSE: /* Linux gives the descriptor up whatever close says */
      *device = (struct device){.state = DEVICE_FREE, .file = -1};
      break;
    default:
      break;
  }
}

static uint32_t give_back(struct mirrorbeat_io *io, uint32_t index) {
  struct request *request = &io->requests[index];
  struct mirrorbeat_request *record = &io->records[index];
  uint32_t event =
      request->state == MIRRORBEAT_EXPIRED ? MIRRORBEAT_EVENT_LATE : MIRRORBEAT_EVENT_DONE;
  settle_device(io, request);
  record->result = request->operation == MIRRORBEAT_OPEN && request->result >= 0 ? 0 : request->result;
  record->ended_ns = request->ended_ns;
  record->state = MIRRORBEAT_FREE;
  request->state = MIRRORBEAT_FREE;
  request->completed = false;
  io->busy[index / 64] &= ~(1ull << (index % 64));
  return event;
}

static void expire(struct mirrorbeat_io *io, uint32_t index, uint64_t now_ns) {
  io->requests[index].state = MIRRORBEAT_EXPIRED;
  io->records[index].state = MIRRORBEAT_EXPIRED;
  io->records[index].result = -ETIMEDOUT;
  io->records[index].ended_ns = now_ns;
}

EXPORT int32_t mirrorbeat_reap(mirrorbeat_io *io) {
  io->engine->collect(io);
  if (io->slow_calls > 0) slow_calls_collect(io);

  uint64_t now_ns = clock_ns(CLOCK_MONOTONIC), earliest_ns = 0;
  int32_t count = 0;
  for (uint32_t word = 0; word < REQUEST_WORDS; word++) {
    for (uint64_t bits = io->busy[word]; bits != 0; bits &= bits - 1) {
      uint32_t index = word * 64 + (uint32_t)__builtin_ctzll(bits);
      struct request *request = &io->requests[index];
      if (request->completed) {
        io->header->events[count++] = index | give_back(io, index) << 16;
      } else if (request->state == MIRRORBEAT_EXPIRED) {
        continue;
      } else if (request->deadline_ns <= now_ns) {
        expire(io, index, now_ns);
        io->header->events[count++] = index | (uint32_t)MIRRORBEAT_EVENT_EXPIRED << 16;
      } else if (earliest_ns == 0 || request->deadline_ns < earliest_ns) {
        earliest_ns = request->deadline_ns;
      }
    }
  }
  deadline_settle(io, earliest_ns, now_ns);
  io->engine->watch_timer(io);
  return count;
}
