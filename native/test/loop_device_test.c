/* Real block devices of 512 and 4096 bytes a sector, where root can make them. */
#include "harness.h"

#include <errno.h>
#include <unistd.h>

enum { BLOCK = 4096, BYTES = 1 << 20 };

static char device[64];
static int sector_bytes;
static const uint32_t read_write = MIRRORBEAT_OPEN_WRITABLE | MIRRORBEAT_OPEN_DIRECT;

static bool run(const char *command, char *line, size_t room) {
  FILE *output = popen(command, "r");
  if (output == NULL) return false;
  bool got = fgets(line, (int)room, output) != NULL;
  line[strcspn(line, "\n")] = 0;
  return pclose(output) == 0 && got;
}

static bool attach(const char *options) {
  char command[256];
  (void)snprintf(command, sizeof command, "losetup -f --show -b %d --direct-io=on %s %s 2>/dev/null",
                 sector_bytes, options, test_file("backing", BYTES));
  return run(command, device, sizeof device);
}

static void detach(void) {
  char command[128];
  (void)snprintf(command, sizeof command, "losetup -d %s", device);
  CHECK_EQUAL(system(command), 0);
}

static void device_body(void) {
  struct bench bench;
  bench_open(&bench);
  CHECK_EQUAL(bench_open_device(&bench, 0, device, read_write | MIRRORBEAT_OPEN_EXCLUSIVE), 0);
  CHECK_EQUAL(bench_open_device(&bench, 1, device, read_write | MIRRORBEAT_OPEN_EXCLUSIVE), -EBUSY);
  bench.header->arguments[0] = 0;
  CHECK_EQUAL(mirrorbeat_geometry(bench.io), 0);
  CHECK_EQUAL(bench.header->results[0], MIRRORBEAT_KIND_BLOCK);
  CHECK_EQUAL(bench.header->results[1], BYTES);
  CHECK_EQUAL(bench.header->results[2], sector_bytes);
  CHECK_EQUAL(bench.header->results[4], 0);
  CHECK_EQUAL(bench.header->results[6], 7); /* the major number of loop devices */
  memset(bench.data, 0xa5, BLOCK);
  CHECK_EQUAL(bench_transfer(&bench, 0, MIRRORBEAT_WRITE, 0, BYTES - BLOCK, BLOCK, 0), 0);
  CHECK_EQUAL(bench_wait(&bench, 0), MIRRORBEAT_EVENT_DONE);
  CHECK_EQUAL(bench.records[0].result, BLOCK);
  CHECK_EQUAL(bench_transfer(&bench, 0, MIRRORBEAT_READ, 0, 0, BYTES, BLOCK), 0);
  CHECK_EQUAL(bench_wait(&bench, 0), MIRRORBEAT_EVENT_DONE);
  CHECK_EQUAL(bench.records[0].result, BYTES);
  CHECK_EQUAL(memcmp(bench.data, bench.data + BYTES, BLOCK), 0);
  CHECK_EQUAL(bench_transfer(&bench, 0, MIRRORBEAT_WRITE, 0, BYTES, BLOCK, 0), 0);
  CHECK_EQUAL(bench_wait(&bench, 0), MIRRORBEAT_EVENT_DONE);
  CHECK_EQUAL(bench.records[0].result, -ENOSPC); /* beyond the end */

  bench.records[0].operation = MIRRORBEAT_INQUIRY; /* not a SCSI device */
  bench.records[0].offset = 0x83;
  bench.records[0].length = 252;
  bench.records[0].memory = bench.setup.data_start;
  bench.header->arguments[0] = 0;
  CHECK_EQUAL(mirrorbeat_submit(bench.io), 0);
  CHECK_EQUAL(bench_wait(&bench, 0), MIRRORBEAT_EVENT_DONE);
  CHECK(bench.records[0].result < 0);
  CHECK_EQUAL(bench_close_device(&bench, 0), 0);
  bench_close(&bench);
}

static void read_only_body(void) {
  struct bench bench;
  bench_open(&bench);
  /* Some kernels open it to write and refuse the write; geometry tells beforehand. */
  if (bench_open_device(&bench, 0, device, read_write) == 0) {
    CHECK_EQUAL(bench_transfer(&bench, 0, MIRRORBEAT_WRITE, 0, 0, BLOCK, 0), 0);
    CHECK_EQUAL(bench_wait(&bench, 0), MIRRORBEAT_EVENT_DONE);
    CHECK(bench.records[0].result < 0);
    CHECK_EQUAL(bench_close_device(&bench, 0), 0);
  }
  CHECK_EQUAL(bench_open_device(&bench, 0, device, MIRRORBEAT_OPEN_DIRECT), 0);
  bench.header->arguments[0] = 0;
  CHECK_EQUAL(mirrorbeat_geometry(bench.io), 0);
  CHECK_EQUAL(bench.header->results[4], 1);
  CHECK_EQUAL(bench_close_device(&bench, 0), 0);
  bench_close(&bench);
}

void loop_device_tests(void) {
  if (geteuid() != 0) {
    test_skip("loop devices", "needs root");
    return;
  }
  for (sector_bytes = 512; sector_bytes <= 4096; sector_bytes *= 8) {
    if (!attach("")) {
      test_skip("loop devices", "losetup gave none");
      return;
    }
    test_run(sector_bytes == 512 ? "device of 512 bytes a sector" : "device of 4096 bytes a sector",
             device_body);
    detach();
    if (!attach("--read-only")) continue;
    test_run("read-only device", read_only_body);
    detach();
  }
}
