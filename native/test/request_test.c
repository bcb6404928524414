/*
 * Requests on plain files and, for what hangs, on FIFOs: opening one waits for its other end, which
 * is a hang that a test can end at will.
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { BLOCK = 4096 };

static const uint32_t read_write = MIRRORBEAT_OPEN_WRITABLE | MIRRORBEAT_OPEN_DIRECT;

static int32_t done(struct bench *bench, uint32_t index) {
  CHECK_EQUAL(bench_wait(bench, index), MIRRORBEAT_EVENT_DONE);
  CHECK_EQUAL(bench->records[index].state, MIRRORBEAT_FREE);
  CHECK(bench->records[index].ended_ns >= bench->records[index].began_ns);
  return bench->records[index].result;
}

static void writes_and_reads(void) {
  struct bench bench;
  bench_open(&bench);
  CHECK_EQUAL(bench_open_device(&bench, 0, test_file("disk", 16 * BLOCK), read_write), 0);
  memset(bench.data, 0x5a, BLOCK);
  CHECK_EQUAL(bench_transfer(&bench, 0, MIRRORBEAT_WRITE, 0, 3 * BLOCK, BLOCK, 0), 0);
  CHECK_EQUAL(done(&bench, 0), BLOCK);
  CHECK_EQUAL(bench_transfer(&bench, 1, MIRRORBEAT_READ, 0, 2 * BLOCK, 2 * BLOCK, BLOCK), 0);
  CHECK_EQUAL(done(&bench, 1), 2 * BLOCK);
  CHECK_EQUAL(bench.data[BLOCK], 0);
  CHECK_EQUAL(memcmp(bench.data, bench.data + 2 * BLOCK, BLOCK), 0);
  CHECK_EQUAL(bench_close_device(&bench, 0), 0);
  bench_close(&bench);
}

static void all_records_at_once(void) {
  struct bench bench;
  uint32_t reported = 0;
  bench_open(&bench);
  CHECK_EQUAL(bench_open_device(&bench, 0, test_file("disk", 128 * BLOCK), read_write), 0);
  for (uint32_t i = 0; i < MIRRORBEAT_REQUEST_MAX; i++)
    CHECK_EQUAL(bench_transfer(&bench, i, MIRRORBEAT_WRITE, 0, i * BLOCK, BLOCK, i * BLOCK), 0);
  uint64_t limit_ns = clock_ns(CLOCK_MONOTONIC) + 5 * SECOND_NS;
  while (reported < MIRRORBEAT_REQUEST_MAX && clock_ns(CLOCK_MONOTONIC) < limit_ns)
    reported += (uint32_t)mirrorbeat_reap(bench.io);
  CHECK_EQUAL(reported, MIRRORBEAT_REQUEST_MAX);
  for (uint32_t i = 0; i < MIRRORBEAT_REQUEST_MAX; i++) CHECK_EQUAL(bench.records[i].result, BLOCK);
  CHECK_EQUAL(bench_close_device(&bench, 0), 0);
  bench_close(&bench);
}

static void refuses_what_is_wrong(void) {
  struct bench bench;
  bench_open(&bench);
  CHECK_EQUAL(bench_open_device(&bench, 0, test_file("disk", 4 * BLOCK), read_write), 0);
  CHECK_EQUAL(bench_open_device(&bench, 1, test_path("disk"), MIRRORBEAT_OPEN_DIRECT), 0);
  const uint32_t write = MIRRORBEAT_WRITE;
  CHECK_EQUAL(bench_transfer(&bench, 0, write, 0, 512, BLOCK, 0), -EINVAL);
  CHECK_EQUAL(bench_transfer(&bench, 0, write, 0, 0, 512, 0), -EINVAL);
  CHECK_EQUAL(bench_transfer(&bench, 0, write, 0, 0, 0, 0), -EINVAL);
  CHECK_EQUAL(bench_transfer(&bench, 0, write, 0, 0, BLOCK, 512), -EINVAL);
  CHECK_EQUAL(bench_transfer(&bench, 0, write, 0, 0, BLOCK, 8u << 20), -EINVAL);
  CHECK_EQUAL(bench_transfer(&bench, 0, write, 0, 0, BLOCK, 0ull - BLOCK), -EINVAL);
  CHECK_EQUAL(bench_transfer(&bench, 0, write, 0, INT64_MAX - 4095ull, BLOCK, 0), -EINVAL);
  CHECK_EQUAL(bench_transfer(&bench, 0, write, 1, 0, BLOCK, 0), -EBADF); /* opened to read */
  CHECK_EQUAL(bench_transfer(&bench, 0, write, 2, 0, BLOCK, 0), -EBADF); /* not open */
  CHECK_EQUAL(bench_transfer(&bench, 0, write, 99, 0, BLOCK, 0), -EINVAL);
  CHECK_EQUAL(bench_transfer(&bench, 0, 77, 0, 0, BLOCK, 0), -EINVAL);
  bench.header->arguments[0] = MIRRORBEAT_REQUEST_MAX;
  CHECK_EQUAL(mirrorbeat_submit(bench.io), -EINVAL);
  bench.records[0].deadline_ns = 0;
  bench.header->arguments[0] = 0;
  CHECK_EQUAL(mirrorbeat_submit(bench.io), -EINVAL);
  CHECK_EQUAL(mirrorbeat_destroy(bench.io), -EBUSY); /* devices are open */
  CHECK_EQUAL(bench_close_device(&bench, 0), 0);
  CHECK_EQUAL(bench_close_device(&bench, 0), -EBADF);
  CHECK_EQUAL(bench_close_device(&bench, 1), 0);
  bench_close(&bench);
}

static void one_owner(void) {
  struct bench bench;
  bench_open(&bench);
  CHECK_EQUAL(bench_open_device(&bench, 0, test_file("disk", 4 * BLOCK), read_write), 0);
  CHECK_EQUAL(bench_transfer(&bench, 0, MIRRORBEAT_WRITE, 0, 0, BLOCK, 0), 0);
  /* Perhaps complete by now, but not reported: still not ours. */
  CHECK_EQUAL(bench_transfer(&bench, 0, MIRRORBEAT_WRITE, 0, 0, BLOCK, 0), -EBUSY);
  CHECK_EQUAL(bench_close_device(&bench, 0), -EBUSY);
  CHECK_EQUAL(mirrorbeat_destroy(bench.io), -EBUSY);
  CHECK_EQUAL(done(&bench, 0), BLOCK);
  CHECK_EQUAL(bench_close_device(&bench, 0), 0);
  bench_close(&bench);
}

static void short_at_the_end(void) {
  struct bench bench;
  bench_open(&bench);
  CHECK_EQUAL(bench_open_device(&bench, 0, test_file("disk", BLOCK), MIRRORBEAT_OPEN_DIRECT), 0);
  CHECK_EQUAL(bench_transfer(&bench, 0, MIRRORBEAT_READ, 0, 0, 2 * BLOCK, 0), 0);
  CHECK_EQUAL(done(&bench, 0), BLOCK);
  CHECK_EQUAL(bench_close_device(&bench, 0), 0);
  bench_close(&bench);
}

static void opens(void) {
  struct bench bench;
  bench_open(&bench);
  CHECK_EQUAL(bench_open_device(&bench, 0, test_path("missing"), read_write), -ENOENT);
  CHECK_EQUAL(access(test_path("missing"), F_OK), -1); /* nothing was created */
  CHECK_EQUAL(bench_open_device(&bench, 0, "/", MIRRORBEAT_OPEN_WRITABLE), -EISDIR);
  CHECK_EQUAL(bench_open_device(&bench, 0, test_file("disk", 3 * BLOCK), read_write), 0);
  CHECK_EQUAL(bench_open_device(&bench, 0, test_path("disk"), read_write), -EBUSY);
  bench.header->arguments[0] = 0;
  CHECK_EQUAL(mirrorbeat_geometry(bench.io), 0);
  CHECK_EQUAL(bench.header->results[0], MIRRORBEAT_KIND_FILE);
  CHECK_EQUAL(bench.header->results[1], 3 * BLOCK);
  bench.header->arguments[0] = 1;
  CHECK_EQUAL(mirrorbeat_geometry(bench.io), -EBADF);
  CHECK_EQUAL(bench_close_device(&bench, 0), 0);
  CHECK_EQUAL(bench_open_device(&bench, 0, "/dev/null", 0), 0);
  bench.header->arguments[0] = 0;
  CHECK_EQUAL(mirrorbeat_geometry(bench.io), 0);
  CHECK_EQUAL(bench.header->results[0], MIRRORBEAT_KIND_OTHER);
  CHECK_EQUAL(bench_close_device(&bench, 0), 0);
  bench_close(&bench);
}

/* Two opens that hang: the earlier deadline is told first, and both come back late. */
static void expiry_and_late_end(void) {
  struct bench bench;
  bench_open(&bench);
  const char *paths[2] = {test_path("first"), test_path("second")};
  for (int i = 0; i < 2; i++) CHECK_EQUAL(mkfifo(paths[i], 0600), 0);
  uint64_t began_ns = clock_ns(CLOCK_MONOTONIC);
  CHECK_EQUAL(bench_begin_open(&bench, 5, 5, paths[0], 0, SECOND_NS / 5), 0);
  CHECK_EQUAL(bench_begin_open(&bench, 6, 6, paths[1], 0, SECOND_NS / 20), 0);
  CHECK_EQUAL(bench_wait(&bench, 6), MIRRORBEAT_EVENT_EXPIRED);
  CHECK_EQUAL(bench_wait(&bench, 5), MIRRORBEAT_EVENT_EXPIRED);
  CHECK(bench.records[6].ended_ns < bench.records[5].ended_ns);
  CHECK(clock_ns(CLOCK_MONOTONIC) - began_ns >= SECOND_NS / 5);
  CHECK_EQUAL(bench.records[5].state, MIRRORBEAT_EXPIRED);
  CHECK_EQUAL(bench.records[5].result, -ETIMEDOUT);
  CHECK_EQUAL(bench_begin_open(&bench, 5, 7, paths[1], 0, SECOND_NS), -EBUSY);
  CHECK_EQUAL(bench_begin_open(&bench, 7, 5, paths[1], 0, SECOND_NS), -EBUSY);

  /* Others are not held up meanwhile. */
  CHECK_EQUAL(bench_open_device(&bench, 0, test_file("disk", BLOCK), read_write), 0);
  CHECK_EQUAL(bench_transfer(&bench, 0, MIRRORBEAT_WRITE, 0, 0, BLOCK, 0), 0);
  CHECK_EQUAL(done(&bench, 0), BLOCK);
  CHECK_EQUAL(bench_close_device(&bench, 0), 0);

  for (uint32_t i = 0; i < 2; i++) {
    int other_end = open(paths[i], O_WRONLY | O_CLOEXEC);
    CHECK(other_end >= 0);
    CHECK_EQUAL(bench_wait(&bench, 5 + i), MIRRORBEAT_EVENT_LATE);
    CHECK_EQUAL(bench.records[5 + i].result, 0);
    (void)close(other_end);
    CHECK_EQUAL(bench_close_device(&bench, 5 + i), 0);
    (void)unlink(paths[i]);
  }
  bench_close(&bench);
}

/* A pipe that nobody reads loses its bytes, never the events. */
static void full_pipe(void) {
  struct bench bench;
  bench_open(&bench);
  CHECK_EQUAL(bench_open_device(&bench, 0, test_file("disk", BLOCK), read_write), 0);
  uint8_t bytes[4096] = {0};
  while (write(bench.io->announcement, bytes, sizeof bytes) > 0) continue;
  CHECK_EQUAL(errno, EAGAIN);
  CHECK_EQUAL(bench_transfer(&bench, 0, MIRRORBEAT_WRITE, 0, 0, BLOCK, 0), 0);
  CHECK_EQUAL(done(&bench, 0), BLOCK);
  CHECK_EQUAL(bench_close_device(&bench, 0), 0);
  bench_close(&bench);
}

/* In ordinary operation nobody is woken for a deadline that was met. */
static void timer_rests(void) {
  struct bench bench;
  bench_open(&bench);
  CHECK_EQUAL(bench_open_device(&bench, 0, test_file("disk", BLOCK), read_write), 0);
  CHECK_EQUAL(bench.io->timer_ns, 0);
  CHECK_EQUAL(bench_transfer(&bench, 0, MIRRORBEAT_READ, 0, 0, BLOCK, 0), 0);
  CHECK(bench.io->timer_ns > 0);
  CHECK_EQUAL(done(&bench, 0), BLOCK);
  CHECK_EQUAL(bench.io->timer_ns, 0);
  CHECK_EQUAL(bench_close_device(&bench, 0), 0);
  bench_close(&bench);
}

void request_tests(void) {
  test_run("writes and reads", writes_and_reads);
  test_run("all records at once", all_records_at_once);
  test_run("refuses what is wrong", refuses_what_is_wrong);
  test_run("one owner", one_owner);
  test_run("short at the end of a file", short_at_the_end);
  test_run("opens", opens);
  test_run("expiry and late end", expiry_and_late_end);
  test_run("a full pipe loses nothing", full_pipe);
  test_run("the timer rests when nothing is in flight", timer_rests);
}
