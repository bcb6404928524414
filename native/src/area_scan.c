/*
 * What changed in an area since it was last read?
 *
 * Nearly always nearly nothing, so the comparison is all that counts: it runs at the speed of
 * memory, and only blocks that differ are checksummed and remembered anew. Answers are indices; what
 * the bytes mean is the caller's affair.
 *
 * (Fetching blocks ahead by hand was tried: it costs more than it saves.)
 */
#include "internal.h"

#include <errno.h>
#include <string.h>

#define CHECKSUM_AGREES 0x80000000u
#define CHECKSUM_BYTES 4

struct scan {
  const uint8_t *area;
  uint8_t *remembered;
  uint64_t blocks;
  uint64_t stride;
  uint64_t live;
  uint64_t checksum_offset;
  bool first;
  uint32_t *answers;
};

static bool checksum_agrees(const uint8_t *block, uint64_t checksum_offset) {
  const uint8_t *stored = block + checksum_offset;
  uint32_t expected = (uint32_t)stored[0] | (uint32_t)stored[1] << 8 | (uint32_t)stored[2] << 16 |
                      (uint32_t)stored[3] << 24;
  return crc32c(0, block, (size_t)checksum_offset) == expected;
}

static int32_t scan_run(const struct scan *scan) {
  int32_t count = 0;
  const uint8_t *block = scan->area;
  uint8_t *remembered = scan->remembered;
  for (uint64_t index = 0; index < scan->blocks; index++) {
    if (scan->first || memcmp(block, remembered, (size_t)scan->live) != 0) {
      memcpy(remembered, block, (size_t)scan->live);
      uint32_t agrees = checksum_agrees(block, scan->checksum_offset) ? CHECKSUM_AGREES : 0;
      scan->answers[count++] = (uint32_t)index | agrees;
    }
    block += scan->stride;
    remembered += scan->live;
  }
  return count;
}

EXPORT int32_t mirrorbeat_scan(mirrorbeat_io *io) {
  const uint64_t *arguments = io->header->arguments;
  uint64_t area = arguments[0], remembered = arguments[1], blocks = arguments[2];
  uint64_t stride = arguments[3], live = arguments[4], checksum_offset = arguments[5];

  if (blocks > MIRRORBEAT_SCAN_BLOCKS_MAX) return -ENOSPC;
  if (blocks == 0 || stride == 0 || stride > UINT32_MAX) return -EINVAL;
  if (live == 0 || live > stride || checksum_offset > live || live - checksum_offset < CHECKSUM_BYTES)
    return -EINVAL;
  uint64_t area_bytes = (blocks - 1) * stride + live, remembered_bytes = blocks * live;
  if (!area_contains(io, area, area_bytes) || !area_contains(io, remembered, remembered_bytes))
    return -EINVAL;
  if (area < io->data_start || remembered < io->data_start) return -EINVAL;
  if (area < remembered + remembered_bytes && remembered < area + area_bytes) return -EINVAL;

  const struct scan scan = {
      .area = io->area + area,
      .remembered = io->area + remembered,
      .blocks = blocks,
      .stride = stride,
      .live = live,
      .checksum_offset = checksum_offset,
      .first = arguments[6] != 0,
      .answers = (uint32_t *)(void *)(io->area + io->scratch_start),
  };
  return scan_run(&scan);
}
