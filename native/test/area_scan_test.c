/* The scan finds exactly the blocks that differ, and refuses to leave its area. */
#include "harness.h"

#include <errno.h>

enum { BLOCKS = 40, STRIDE = 4096, LIVE = 512, CHECKSUM = 508 };

static uint32_t *answers;

static void set_up(struct session *session) {
  session_open(session);
  uint64_t *arguments = session->header->arguments;
  arguments[0] = session->setup.data_start;
  arguments[1] = session->setup.data_start + BLOCKS * STRIDE;
  arguments[2] = BLOCKS;
  arguments[3] = STRIDE;
  arguments[4] = LIVE;
  arguments[5] = CHECKSUM;
  arguments[6] = session->setup.scratch_start;
  arguments[7] = BLOCKS;
  answers = (uint32_t *)(uintptr_t)(session->setup.area + session->setup.scratch_start);
}

static void put_checksum(uint8_t *block) {
  uint32_t crc = crc32c(0, block, CHECKSUM);
  for (int i = 0; i < 4; i++) block[CHECKSUM + i] = (uint8_t)(crc >> (8 * i));
}

static void finds_changes(void) {
  struct session session;
  set_up(&session);
  CHECK_EQUAL(mirrorbeat_scan(session.io), 0);
  session.data[7 * STRIDE + 3] = 1;
  put_checksum(session.data + 7 * STRIDE);
  session.data[39 * STRIDE + 511] = 1;  /* the last live byte, and a wrong checksum */
  session.data[12 * STRIDE + LIVE] = 1; /* beyond the live bytes */
  CHECK_EQUAL(mirrorbeat_scan(session.io), 2);
  CHECK_EQUAL(answers[0], 7u | 0x80000000u);
  CHECK_EQUAL(answers[1], 39u);
  session_close(&session);
}

static void without_previous_all_differ(void) {
  struct session session;
  set_up(&session);
  session.header->arguments[1] = UINT64_MAX;
  CHECK_EQUAL(mirrorbeat_scan(session.io), BLOCKS);
  CHECK_EQUAL(answers[BLOCKS - 1], BLOCKS - 1);
  session_close(&session);
}

static void bounds(void) {
  struct session session;
  const struct {
    int argument;
    uint64_t value;
    int32_t result;
  } cases[] = {
      {0, UINT64_MAX, -EINVAL},    {0, 1ull << 40, -EINVAL},   {1, UINT64_MAX - 1, -EINVAL},
      {2, 0, -EINVAL},             {2, BLOCKS + 1, -ENOSPC},   {3, 0, -EINVAL},
      {3, UINT64_MAX, -EINVAL},    {4, 0, -EINVAL},            {4, STRIDE + 1, -EINVAL},
      {5, LIVE - 3, -EINVAL},      {5, UINT64_MAX, -EINVAL},   {6, 2, -EINVAL},
      {6, UINT64_MAX - 3, -EINVAL}, {7, BLOCKS - 1, -ENOSPC},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    set_up(&session);
    session.header->arguments[cases[i].argument] = cases[i].value;
    CHECK_EQUAL(mirrorbeat_scan(session.io), cases[i].result);
    session_close(&session);
  }
}

static void checksum_of_a_range(void) {
  struct session session;
  set_up(&session);
  memcpy(session.data, "123456789", 9);
  uint64_t *arguments = session.header->arguments;
  arguments[0] = session.setup.data_start;
  arguments[1] = 9;
  arguments[2] = 0;
  CHECK_EQUAL(mirrorbeat_crc32c(session.io), 0);
  CHECK_EQUAL(session.header->results[0], 0xe3069283u);
  arguments[1] = UINT64_MAX;
  CHECK_EQUAL(mirrorbeat_crc32c(session.io), -EINVAL);
  session_close(&session);
}

void area_scan_tests(void) {
  test_run("scan: finds changes", finds_changes);
  test_run("scan: without a previous reading all differ", without_previous_all_differ);
  test_run("scan: bounds", bounds);
  test_run("crc32c: of a range of the area", checksum_of_a_range);
}
