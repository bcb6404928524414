/*
 * Birth and death of a handle: the shared area, the pipe, the timer, and the choice of an engine.
 *
 *   area: | header, 4 KiB | records | scratch | ...to 2 MiB | data: what devices read and write |
 *
 * The area is never unmapped: the caller's views of it (a garbage-collected language) may outlive
 * the handle. It is kept out of forked children, whose copies would split the pages that the kernel
 * is writing to from the ones that this process reads.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEADER_BYTES 4096u
#define RECORDS_START HEADER_BYTES
#define SCRATCH_START (RECORDS_START + MIRRORBEAT_REQUEST_MAX * (uint32_t)sizeof(struct mirrorbeat_request))
#define DATA_START MIRRORBEAT_HUGE_PAGE_BYTES
#define DATA_BYTES_MAX (2ull << 30)

_Static_assert(sizeof(struct mirrorbeat_request) == 64, "the record is part of the ABI");
_Static_assert(offsetof(struct mirrorbeat_request, deadline_ns) == 32, "no hole before it");
_Static_assert(offsetof(struct mirrorbeat_request, ended_ns) == 56, "no hole before it");
_Static_assert(sizeof(struct mirrorbeat_header) <= HEADER_BYTES, "the header is one page");
_Static_assert(sizeof(struct mirrorbeat_setup) == 64, "the setup is part of the ABI");
_Static_assert(SCRATCH_START + MIRRORBEAT_SCRATCH_BYTES <= DATA_START, "all before the data");

EXPORT uint32_t mirrorbeat_abi_version(void) { return MIRRORBEAT_ABI_VERSION; }

/* Huge pages want an aligned start: map more, and give back what lies around it. */
static uint8_t *map_aligned(uint64_t bytes) {
  const uint64_t alignment = MIRRORBEAT_HUGE_PAGE_BYTES;
  uint8_t *whole = mmap(NULL, bytes + alignment, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (whole == MAP_FAILED) return NULL;
  uint64_t before = (alignment - (uintptr_t)whole % alignment) % alignment;
  if (before > 0) (void)munmap(whole, before);
  if (alignment > before) (void)munmap(whole + before + bytes, alignment - before);
  return whole + before;
}

static int area_create(struct mirrorbeat_io *io, uint64_t data_bytes) {
  uint64_t rounded = (data_bytes + DATA_START - 1) / DATA_START * DATA_START;
  io->area_bytes = DATA_START + rounded;
  io->scratch_start = SCRATCH_START;
  io->data_start = DATA_START;
  io->area = map_aligned(io->area_bytes);
  if (io->area == NULL) return -ENOMEM;
  if (madvise(io->area, io->area_bytes, MADV_DONTFORK) != 0) {
    int reason = errno;
    (void)munmap(io->area, io->area_bytes);
    return -reason;
  }
  io->header = (struct mirrorbeat_header *)(void *)io->area;
  io->records = (struct mirrorbeat_request *)(void *)(io->area + RECORDS_START);
  return 0;
}

static bool refused_only_io_uring(const struct mirrorbeat_io *io, uint32_t wanted) {
  return wanted == MIRRORBEAT_ENGINE_ANY && io->refusal != MIRRORBEAT_REFUSAL_NONE;
}

static int engine_start(struct mirrorbeat_io *io, uint32_t wanted) {
  io->engine = wanted == MIRRORBEAT_ENGINE_AIO ? &engine_aio : &engine_uring;
  int result = io->engine->start(io);
  if (result == 0 || !refused_only_io_uring(io, wanted)) return result;
  io->engine = &engine_aio;
  return io->engine->start(io);
}

static int start(struct mirrorbeat_io *io, const struct mirrorbeat_setup *setup, int pipe_ends[2]) {
  int result = area_create(io, setup->data_bytes);
  if (result != 0) return result;
  result = deadline_start(io);
  if (result == 0 && pipe2(pipe_ends, O_NONBLOCK | O_CLOEXEC) != 0) result = -errno;
  if (result == 0) {
    io->announcement = pipe_ends[1];
    result = engine_start(io, setup->engine);
  }
  if (result == 0) return 0;
  for (int end = 0; end < 2; end++)
    if (pipe_ends[end] >= 0) (void)close(pipe_ends[end]);
  deadline_stop(io);
  (void)munmap(io->area, io->area_bytes); /* nobody has seen it yet */
  return result;
}

EXPORT int32_t mirrorbeat_create(struct mirrorbeat_setup *setup) {
  if (setup->abi_version != MIRRORBEAT_ABI_VERSION) return -EINVAL;
  if (setup->engine > MIRRORBEAT_ENGINE_AIO) return -EINVAL;
  if (setup->data_bytes == 0 || setup->data_bytes > DATA_BYTES_MAX) return -EINVAL;
  struct mirrorbeat_io *io = calloc(1, sizeof *io);
  if (io == NULL) return -ENOMEM;
  io->announcement = io->timer = -1;
  for (uint32_t number = 0; number < MIRRORBEAT_DEVICE_MAX; number++) io->devices[number].file = -1;

  int pipe_ends[2] = {-1, -1};
  int result = start(io, setup, pipe_ends);
  setup->refusal = io->refusal;
  setup->refusal_errno = io->refusal_errno;
  if (result != 0) {
    free(io);
    return result;
  }
  setup->engine = io->engine->number;
  setup->handle = (uintptr_t)io;
  setup->area = (uintptr_t)io->area;
  setup->area_bytes = io->area_bytes;
  setup->request_start = RECORDS_START;
  setup->scratch_start = SCRATCH_START;
  setup->data_start = DATA_START;
  setup->pipe = pipe_ends[0];
  return 0;
}

EXPORT int32_t mirrorbeat_destroy(mirrorbeat_io *io) {
  for (uint32_t word = 0; word < REQUEST_WORDS; word++)
    if (io->busy[word] != 0) return -EBUSY;
  for (uint32_t number = 0; number < MIRRORBEAT_DEVICE_MAX; number++)
    if (io->devices[number].state != DEVICE_FREE) return -EBUSY;
  io->engine->stop(io);
  deadline_stop(io);
  (void)close(io->announcement);
  (void)madvise(io->area, io->area_bytes, MADV_DONTNEED);
  free(io);
  return 0;
}
