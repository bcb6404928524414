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
  struct session session;
  session_open(&session);
  CHECK_EQUAL(session_open_device(&session, 0, device, read_write | MIRRORBEAT_OPEN_EXCLUSIVE), 0);
  CHECK_EQUAL(session_open_device(&session, 1, device, read_write | MIRRORBEAT_OPEN_EXCLUSIVE), -EBUSY);
  session.header->arguments[0] = 0;
  CHECK_EQUAL(mirrorbeat_geometry(session.io), 0);
  CHECK_EQUAL(session.header->results[0], MIRRORBEAT_KIND_BLOCK);
  CHECK_EQUAL(session.header->results[1], BYTES);
  CHECK_EQUAL(session.header->results[2], sector_bytes);
  CHECK_EQUAL(session.header->results[4], 0);
  CHECK_EQUAL(session.header->results[6], 7); /* the major number of loop devices */
  memset(session.data, 0xa5, BLOCK);
  CHECK_EQUAL(session_transfer(&session, 0, MIRRORBEAT_WRITE, 0, BYTES - BLOCK, BLOCK, 0), 0);
  CHECK_EQUAL(session_wait(&session, 0), MIRRORBEAT_EVENT_DONE);
  CHECK_EQUAL(session.records[0].result, BLOCK);
  CHECK_EQUAL(session_transfer(&session, 0, MIRRORBEAT_READ, 0, 0, BYTES, BLOCK), 0);
  CHECK_EQUAL(session_wait(&session, 0), MIRRORBEAT_EVENT_DONE);
  CHECK_EQUAL(session.records[0].result, BYTES);
  CHECK_EQUAL(memcmp(session.data, session.data + BYTES, BLOCK), 0);
  CHECK_EQUAL(session_transfer(&session, 0, MIRRORBEAT_WRITE, 0, BYTES, BLOCK, 0), 0);
  CHECK_EQUAL(session_wait(&session, 0), MIRRORBEAT_EVENT_DONE);
  CHECK_EQUAL(session.records[0].result, -ENOSPC); /* beyond the end */

  session.records[0].operation = MIRRORBEAT_INQUIRY; /* not a SCSI device */
  session.records[0].offset = 0x83;
  session.records[0].length = 252;
  session.records[0].memory = session.setup.data_start;
  session.header->arguments[0] = 0;
  CHECK_EQUAL(mirrorbeat_submit(session.io), 0);
  CHECK_EQUAL(session_wait(&session, 0), MIRRORBEAT_EVENT_DONE);
  CHECK(session.records[0].result < 0);
  CHECK_EQUAL(session_close_device(&session, 0), 0);
  session_close(&session);
}

static void read_only_body(void) {
  struct session session;
  session_open(&session);
  /* Some kernels open it to write and refuse the write; geometry tells beforehand. */
  if (session_open_device(&session, 0, device, read_write) == 0) {
    CHECK_EQUAL(session_transfer(&session, 0, MIRRORBEAT_WRITE, 0, 0, BLOCK, 0), 0);
    CHECK_EQUAL(session_wait(&session, 0), MIRRORBEAT_EVENT_DONE);
    CHECK(session.records[0].result < 0);
    CHECK_EQUAL(session_close_device(&session, 0), 0);
  }
  CHECK_EQUAL(session_open_device(&session, 0, device, MIRRORBEAT_OPEN_DIRECT), 0);
  session.header->arguments[0] = 0;
  CHECK_EQUAL(mirrorbeat_geometry(session.io), 0);
  CHECK_EQUAL(session.header->results[4], 1);
  CHECK_EQUAL(session_close_device(&session, 0), 0);
  session_close(&session);
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
