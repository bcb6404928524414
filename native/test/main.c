/* Runs every suite, those of the engines once with each, and counts. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

jmp_buf test_failed;
uint32_t test_engine;

static int passed, failed;
static char folder[] = "/var/tmp/mirrorbeat-test-XXXXXX";
static struct bench *open_bench; /* what a failed test leaves behind */

static const char *engine_name(void) {
  return test_engine == MIRRORBEAT_ENGINE_URING ? "io_uring: "
         : test_engine == MIRRORBEAT_ENGINE_AIO ? "aio: "
                                                : "";
}

void test_run(const char *name, void (*body)(void)) {
  if (setjmp(test_failed) == 0) {
    body();
    passed++;
    return;
  }
  failed++;
  open_bench = NULL;
  printf("FAIL %s%s\n", engine_name(), name);
}

void test_skip(const char *name, const char *reason) {
  printf("skipped: %s%s: %s\n", engine_name(), name, reason);
}

/* ---- benches ---------------------------------------------------------------------------- */

void bench_open(struct bench *bench) {
  memset(bench, 0, sizeof *bench);
  bench->setup.abi_version = MIRRORBEAT_ABI_VERSION;
  bench->setup.engine = test_engine;
  bench->setup.data_bytes = 8u << 20;
  CHECK_EQUAL(mirrorbeat_create(&bench->setup), 0);
  bench->io = (mirrorbeat_io *)(uintptr_t)bench->setup.handle;
  uint8_t *area = (uint8_t *)(uintptr_t)bench->setup.area;
  bench->header = (struct mirrorbeat_header *)(void *)area;
  bench->records = (struct mirrorbeat_request *)(void *)(area + bench->setup.request_start);
  bench->data = area + bench->setup.data_start;
  open_bench = bench;
}

void bench_close(struct bench *bench) {
  CHECK_EQUAL(mirrorbeat_destroy(bench->io), 0);
  (void)close(bench->setup.pipe);
  open_bench = NULL;
}

uint32_t bench_wait(struct bench *bench, uint32_t index) {
  uint64_t limit_ns = clock_ns(CLOCK_MONOTONIC) + WAIT_LIMIT_MS * 1000000ull;
  while (clock_ns(CLOCK_MONOTONIC) < limit_ns) {
    struct pollfd source = {.fd = bench->setup.pipe, .events = POLLIN};
    uint8_t bytes[256];
    uint32_t event = 0;
    (void)poll(&source, 1, WAIT_LIMIT_MS);
    while (read(bench->setup.pipe, bytes, sizeof bytes) > 0) continue;
    int32_t count = mirrorbeat_reap(bench->io);
    for (int32_t i = 0; i < count; i++)
      if ((bench->header->events[i] & 0xffff) == index) event = bench->header->events[i] >> 16;
    if (event != 0) return event;
  }
  return 0;
}

static int32_t submit(struct bench *bench, uint32_t index) {
  bench->header->arguments[0] = index;
  return mirrorbeat_submit(bench->io);
}

int32_t bench_transfer(struct bench *bench, uint32_t index, uint32_t operation,
                         uint32_t device, uint64_t offset, uint32_t length, uint64_t memory) {
  struct mirrorbeat_request *record = &bench->records[index];
  record->operation = operation;
  record->device = device;
  record->offset = offset;
  record->length = length;
  record->memory = bench->setup.data_start + memory;
  record->deadline_ns = 5 * SECOND_NS;
  return submit(bench, index);
}

int32_t bench_begin_open(struct bench *bench, uint32_t index, uint32_t device,
                           const char *path, uint32_t flags, uint64_t deadline_ns) {
  struct mirrorbeat_request *record = &bench->records[index];
  record->operation = MIRRORBEAT_OPEN;
  record->device = device;
  record->flags = flags;
  record->memory = bench->setup.scratch_start;
  record->deadline_ns = deadline_ns;
  (void)strcpy((char *)(uintptr_t)bench->setup.area + bench->setup.scratch_start, path);
  return submit(bench, index);
}

static int32_t finish(struct bench *bench, uint32_t index, int32_t submitted) {
  if (submitted != 0) return submitted;
  uint32_t event = bench_wait(bench, index);
  return event == MIRRORBEAT_EVENT_DONE ? bench->records[index].result : -ETIMEDOUT;
}

int32_t bench_open_device(struct bench *bench, uint32_t device, const char *path,
                            uint32_t flags) {
  const uint32_t index = MIRRORBEAT_REQUEST_MAX - 1;
  int32_t result =
      finish(bench, index, bench_begin_open(bench, index, device, path, flags, 5 * SECOND_NS));
  if (result != 0) return result;
  bench->records[index].operation = MIRRORBEAT_STAT;
  return finish(bench, index, submit(bench, index));
}

int32_t bench_close_device(struct bench *bench, uint32_t device) {
  const uint32_t index = MIRRORBEAT_REQUEST_MAX - 1;
  bench->records[index].operation = MIRRORBEAT_CLOSE;
  bench->records[index].device = device;
  bench->records[index].deadline_ns = 5 * SECOND_NS;
  return finish(bench, index, submit(bench, index));
}

/* ---- files ------------------------------------------------------------------------------- */

const char *test_path(const char *name) {
  static char paths[8][128];
  static unsigned next;
  char *path = paths[next++ % 8];
  (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

const char *test_file(const char *name, size_t bytes) {
  const char *path = test_path(name);
  int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  CHECK(file >= 0);
  static const uint8_t zeroes[4096];
  for (size_t done = 0; done < bytes; done += sizeof zeroes) {
    size_t length = bytes - done < sizeof zeroes ? bytes - done : sizeof zeroes;
    CHECK_EQUAL(write(file, zeroes, length), length);
  }
  (void)close(file);
  return path;
}

int main(void) {
  (void)setvbuf(stdout, NULL, _IOLBF, 0);
  (void)signal(SIGPIPE, SIG_IGN);
  if (mkdtemp(folder) == NULL) {
    perror(folder);
    return 1;
  }
  crc32c_tests();
  area_scan_tests();
  host_tests();
  fence_tests();
  scsi_command_tests();
  for (test_engine = MIRRORBEAT_ENGINE_URING; test_engine <= MIRRORBEAT_ENGINE_AIO; test_engine++) {
    struct mirrorbeat_setup trial = {.abi_version = MIRRORBEAT_ABI_VERSION,
                                     .engine = test_engine, .data_bytes = 4096};
    if (mirrorbeat_create(&trial) != 0) {
      test_skip("all requests", "this kernel or sandbox does not offer the engine");
      continue;
    }
    (void)mirrorbeat_destroy((mirrorbeat_io *)(uintptr_t)trial.handle);
    (void)close(trial.pipe);
    request_tests();
    loop_device_tests();
  }
  char command[64];
  (void)snprintf(command, sizeof command, "rm -rf %s", folder);
  if (system(command) != 0) failed++;
  printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
