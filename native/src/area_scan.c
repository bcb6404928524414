/*
 * What changed between two readings of a table of blocks?
 *
 * Nearly always nearly nothing, so the comparison is all that counts: it runs at the speed of
 * memory, and only blocks that differ are checksummed. Answers are indices; what the bytes mean is
 * the caller's affair.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>

#define NONE UINT64_MAX
#define CHECKSUM_AGREES 0x80000000u
#define CHECKSUM_BYTES 4
#define CACHE_LINE_BYTES 64
#define BLOCKS_AHEAD 2

struct scan {
  const uint8_t *fresh;
  const uint8_t *previous; /* NULL: there is none, every block differs */
  uint64_t blocks;
  uint64_t stride;
  uint64_t live;
  uint64_t checksum_offset;
  uint32_t *answers;
};

/* Blocks lie pages apart, where the processor's own prefetcher does not follow. */
static inline void fetch_ahead(const uint8_t *block, uint64_t bytes) {
  for (uint64_t at = 0; at < bytes; at += CACHE_LINE_BYTES) __builtin_prefetch(block + at);
}

static bool checksum_agrees(const uint8_t *block, uint64_t checksum_offset) {
  const uint8_t *stored = block + checksum_offset;
  uint32_t expected = (uint32_t)stored[0] | (uint32_t)stored[1] << 8 | (uint32_t)stored[2] << 16 |
                      (uint32_t)stored[3] << 24;
  return crc32c(0, block, (size_t)checksum_offset) == expected;
}

static int32_t scan_run(const struct scan *scan) {
  int32_t count = 0;
  for (uint64_t index = 0; index < scan->blocks; index++) {
    const uint8_t *fresh = scan->fresh + index * scan->stride;
    if (scan->previous != NULL) {
      const uint8_t *previous = scan->previous + index * scan->stride;
      if (index + BLOCKS_AHEAD < scan->blocks) {
        fetch_ahead(fresh + BLOCKS_AHEAD * scan->stride, scan->live);
        fetch_ahead(previous + BLOCKS_AHEAD * scan->stride, scan->live);
      }
      if (memcmp(fresh, previous, (size_t)scan->live) == 0) continue;
    }
    uint32_t agrees = checksum_agrees(fresh, scan->checksum_offset) ? CHECKSUM_AGREES : 0;
    scan->answers[count++] = (uint32_t)index | agrees;
  }
  return count;
}

EXPORT int32_t mirrorbeat_scan(mirrorbeat_io *io) {
  const uint64_t *arguments = io->header->arguments;
  uint64_t fresh = arguments[0], previous = arguments[1], blocks = arguments[2];
  uint64_t stride = arguments[3], live = arguments[4], checksum_offset = arguments[5];
  uint64_t answers = arguments[6], room = arguments[7];

  if (blocks > room) return -ENOSPC;
  if (blocks == 0 || blocks > INT32_MAX || stride == 0 || stride > UINT32_MAX) return -EINVAL;
  if (live == 0 || live > stride || checksum_offset > live || live - checksum_offset < CHECKSUM_BYTES)
    return -EINVAL;
  uint64_t bytes = (blocks - 1) * stride + live;
  if (!area_contains(io, fresh, bytes)) return -EINVAL;
  if (previous != NONE && !area_contains(io, previous, bytes)) return -EINVAL;
  if (answers % sizeof(uint32_t) != 0 || !area_contains(io, answers, room * sizeof(uint32_t)))
    return -EINVAL;

  const struct scan scan = {
      .fresh = io->area + fresh,
      .previous = previous == NONE ? NULL : io->area + previous,
      .blocks = blocks,
      .stride = stride,
      .live = live,
      .checksum_offset = checksum_offset,
      .answers = (uint32_t *)(void *)(io->area + answers),
  };
  return scan_run(&scan);
}
