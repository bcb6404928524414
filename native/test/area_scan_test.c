/* The scan finds exactly the blocks that differ, and refuses to leave its area. */
#include "harness.h"

#include <errno.h>

enum { BLOCKS = 40, STRIDE = 4096, LIVE = 512, CHECKSUM = 508, REMEMBERED = BLOCKS * STRIDE };

static uint32_t *answers;

static void set_up(struct bench *bench) {
  bench_open(bench);
  uint64_t *arguments = bench->header->arguments;
  arguments[0] = bench->setup.data_start;
  arguments[1] = bench->setup.data_start + REMEMBERED;
  arguments[2] = BLOCKS;
  arguments[3] = STRIDE;
  arguments[4] = LIVE;
  arguments[5] = CHECKSUM;
  arguments[6] = 0;
  answers = (uint32_t *)(uintptr_t)(bench->setup.area + bench->setup.scratch_start);
}

static void put_checksum(uint8_t *block) {
  uint32_t crc = crc32c(0, block, CHECKSUM);
  for (int i = 0; i < 4; i++) block[CHECKSUM + i] = (uint8_t)(crc >> (8 * i));
}

static void finds_changes(void) {
  struct bench bench;
  set_up(&bench);
  CHECK_EQUAL(mirrorbeat_scan(bench.io), 0);
  bench.data[7 * STRIDE + 3] = 1;
  put_checksum(bench.data + 7 * STRIDE);
  bench.data[39 * STRIDE + 511] = 1;  /* the last live byte, and a wrong checksum */
  bench.data[12 * STRIDE + LIVE] = 1; /* beyond the live bytes */
  CHECK_EQUAL(mirrorbeat_scan(bench.io), 2);
  CHECK_EQUAL(answers[0], 7u | 0x80000000u);
  CHECK_EQUAL(answers[1], 39u);
  CHECK_EQUAL(mirrorbeat_scan(bench.io), 0); /* they are remembered */
  CHECK_EQUAL(memcmp(bench.data + REMEMBERED + 7 * LIVE, bench.data + 7 * STRIDE, LIVE), 0);
  bench_close(&bench);
}

static void at_first_all_differ(void) {
  struct bench bench;
  set_up(&bench);
  bench.header->arguments[6] = 1;
  CHECK_EQUAL(mirrorbeat_scan(bench.io), BLOCKS);
  CHECK_EQUAL(answers[BLOCKS - 1], BLOCKS - 1);
  bench.header->arguments[6] = 0;
  CHECK_EQUAL(mirrorbeat_scan(bench.io), 0);
  bench_close(&bench);
}

static void bounds(void) {
  struct bench bench;
  const struct {
    int argument;
    uint64_t value;
    int32_t result;
  } cases[] = {
      {0, UINT64_MAX, -EINVAL}, {0, 1ull << 40, -EINVAL},    {0, 0, -EINVAL},
      {1, UINT64_MAX, -EINVAL}, {1, 4096, -EINVAL},          {1, 2u << 20, -EINVAL},
      {2, 0, -EINVAL},          {2, UINT64_MAX, -ENOSPC},    {2, 16385, -ENOSPC},
      {3, 0, -EINVAL},          {3, UINT64_MAX, -EINVAL},    {3, 1u << 20, -EINVAL},
      {4, 0, -EINVAL},          {4, STRIDE + 1, -EINVAL},    {5, LIVE - 3, -EINVAL},
      {5, UINT64_MAX, -EINVAL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    set_up(&bench);
    bench.header->arguments[cases[i].argument] = cases[i].value;
    CHECK_EQUAL(mirrorbeat_scan(bench.io), cases[i].result);
    bench_close(&bench);
  }
}

static void checksum_of_a_range(void) {
  struct bench bench;
  set_up(&bench);
  memcpy(bench.data, "123456789", 9);
  uint64_t *arguments = bench.header->arguments;
  arguments[0] = bench.setup.data_start;
  arguments[1] = 9;
  arguments[2] = 0;
  CHECK_EQUAL(mirrorbeat_crc32c(bench.io), 0);
  CHECK_EQUAL(bench.header->results[0], 0xe3069283u);
  arguments[1] = UINT64_MAX;
  CHECK_EQUAL(mirrorbeat_crc32c(bench.io), -EINVAL);
  bench_close(&bench);
}

void area_scan_tests(void) {
  test_run("scan: finds changes", finds_changes);
  test_run("scan: at first all differ", at_first_all_differ);
  test_run("scan: bounds", bounds);
  test_run("crc32c: of a range of the area", checksum_of_a_range);
}
