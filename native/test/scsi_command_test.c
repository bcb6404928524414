/* Single SCSI commands: what is refused, what comes back, and that abandoned ones give room. */
#include "harness.h"
#include "mirrorbeat_scsi.h"

#include <errno.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static struct mirrorbeat_scsi command;

static void prepare(const char *path, uint32_t major_number, uint32_t minor_number) {
  command = (struct mirrorbeat_scsi){
      .version = MIRRORBEAT_SCSI_VERSION,
      .major = major_number,
      .minor = minor_number,
      .timeout_ms = 1000,
      .command_length = 6, /* TEST UNIT READY */
  };
  (void)snprintf(command.path, sizeof command.path, "%s", path);
}

/* The result of a command that was begun, with a limit. */
static int32_t ended(void) {
  for (int waited_ms = 0; waited_ms < WAIT_LIMIT_MS; waited_ms++) {
    int32_t taken = mirrorbeat_scsi_take(&command);
    if (taken == 0) return command.result;
    CHECK_EQUAL(taken, -EAGAIN);
    (void)usleep(1000);
  }
  CHECK(!"it ends");
  return 0;
}

static void refuses_nonsense(void) {
  prepare("/dev/null", 1, 3);
  command.version = 0;
  CHECK_EQUAL(mirrorbeat_scsi_start(&command), -EINVAL);
  prepare("/dev/null", 1, 3);
  command.timeout_ms = 0;
  CHECK_EQUAL(mirrorbeat_scsi_start(&command), -EINVAL);
  prepare("/dev/null", 1, 3);
  command.command_length = 17;
  CHECK_EQUAL(mirrorbeat_scsi_start(&command), -EINVAL);
  prepare("/dev/null", 1, 3);
  command.direction = 3;
  CHECK_EQUAL(mirrorbeat_scsi_start(&command), -EINVAL);
  prepare("/dev/null", 1, 3);
  command.data_length = 4;
  CHECK_EQUAL(mirrorbeat_scsi_start(&command), -EINVAL);
  prepare("/dev/null", 1, 3);
  command.direction = MIRRORBEAT_SCSI_FROM_DISK;
  command.data_length = MIRRORBEAT_SCSI_DATA_BYTES + 1;
  CHECK_EQUAL(mirrorbeat_scsi_start(&command), -EINVAL);
  prepare("/dev/null", 1, 3);
  memset(command.path, 'x', sizeof command.path);
  CHECK_EQUAL(mirrorbeat_scsi_start(&command), -ENAMETOOLONG);
  prepare("/dev/null", 1, 3);
  command.number = 5;
  CHECK_EQUAL(mirrorbeat_scsi_take(&command), -ENOENT);
  CHECK_EQUAL(mirrorbeat_scsi_abandon(&command), -ENOENT);
  command.number = UINT32_MAX;
  CHECK_EQUAL(mirrorbeat_scsi_take(&command), -ENOENT);
}

static void only_block_devices(void) {
  prepare(test_path("missing"), 0, 0);
  CHECK_EQUAL(mirrorbeat_scsi_start(&command), 0);
  CHECK_EQUAL(ended(), -ENOENT);
  CHECK_EQUAL(mirrorbeat_scsi_take(&command), -ENOENT);
  prepare("/dev/null", 1, 3);
  CHECK_EQUAL(mirrorbeat_scsi_start(&command), 0);
  CHECK_EQUAL(ended(), -ENOTBLK);
}

static void only_the_device_that_was_looked_at(void) {
  struct stat found;
  if (stat("/dev/loop0", &found) != 0 || access("/dev/loop0", R_OK) != 0) {
    test_skip("scsi: only the device that was looked at", "needs root and /dev/loop0");
    return;
  }
  prepare("/dev/loop0", major(found.st_rdev), minor(found.st_rdev) + 1);
  CHECK_EQUAL(mirrorbeat_scsi_start(&command), 0);
  CHECK_EQUAL(ended(), -ESTALE);
  /* It takes no SCSI commands, and says so. */
  prepare("/dev/loop0", major(found.st_rdev), minor(found.st_rdev));
  CHECK_EQUAL(mirrorbeat_scsi_start(&command), 0);
  int32_t result = ended();
  CHECK(result == -ENOTTY || result == -EINVAL || result == -ENXIO);
}

static void abandoned_ones_give_room(void) {
  for (uint32_t count = 0; count < 4 * MIRRORBEAT_SCSI_COMMAND_MAX; count++) {
    prepare(test_path("missing"), 0, 0);
    int32_t started = mirrorbeat_scsi_start(&command);
    for (int waited_ms = 0; started == -EAGAIN && waited_ms < WAIT_LIMIT_MS; waited_ms++) {
      (void)usleep(1000);
      started = mirrorbeat_scsi_start(&command);
    }
    CHECK_EQUAL(started, 0);
    CHECK_EQUAL(mirrorbeat_scsi_abandon(&command), 0);
    CHECK_EQUAL(mirrorbeat_scsi_take(&command), -ENOENT);
  }
}

void scsi_command_tests(void) {
  test_run("scsi: refuses nonsense", refuses_nonsense);
  test_run("scsi: only block devices", only_block_devices);
  test_run("scsi: only the device that was looked at", only_the_device_that_was_looked_at);
  test_run("scsi: abandoned ones give room", abandoned_ones_give_room);
}
