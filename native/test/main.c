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
static struct session *open_session; /* what a failed test leaves behind */

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
  open_session = NULL;
  printf("FAIL %s%s\n", engine_name(), name);
}

void test_skip(const char *name, const char *reason) {
  printf("skipped: %s%s: %s\n", engine_name(), name, reason);
}

/* ---- sessions ---------------------------------------------------------------------------- */

void session_open(struct session *session) {
  memset(session, 0, sizeof *session);
  session->setup.abi_version = MIRRORBEAT_ABI_VERSION;
  session->setup.engine = test_engine;
  session->setup.data_bytes = 8u << 20;
  CHECK_EQUAL(mirrorbeat_create(&session->setup), 0);
  session->io = (mirrorbeat_io *)(uintptr_t)session->setup.handle;
  uint8_t *area = (uint8_t *)(uintptr_t)session->setup.area;
  session->header = (struct mirrorbeat_header *)(void *)area;
  session->records = (struct mirrorbeat_request *)(void *)(area + session->setup.request_start);
  session->data = area + session->setup.data_start;
  open_session = session;
}

void session_close(struct session *session) {
  CHECK_EQUAL(mirrorbeat_destroy(session->io), 0);
  (void)close(session->setup.pipe);
  open_session = NULL;
}

uint32_t session_wait(struct session *session, uint32_t index) {
  uint64_t limit_ns = clock_ns(CLOCK_MONOTONIC) + WAIT_LIMIT_MS * 1000000ull;
  while (clock_ns(CLOCK_MONOTONIC) < limit_ns) {
    struct pollfd source = {.fd = session->setup.pipe, .events = POLLIN};
    uint8_t bytes[256];
    uint32_t event = 0;
    (void)poll(&source, 1, WAIT_LIMIT_MS);
    while (read(session->setup.pipe, bytes, sizeof bytes) > 0) continue;
    int32_t count = mirrorbeat_reap(session->io);
    for (int32_t i = 0; i < count; i++)
      if ((session->header->events[i] & 0xffff) == index) event = session->header->events[i] >> 16;
    if (event != 0) return event;
  }
  return 0;
}

static int32_t submit(struct session *session, uint32_t index) {
  session->header->arguments[0] = index;
  return mirrorbeat_submit(session->io);
}

int32_t session_transfer(struct session *session, uint32_t index, uint32_t operation,
                         uint32_t device, uint64_t offset, uint32_t length, uint64_t memory) {
  struct mirrorbeat_request *record = &session->records[index];
  record->operation = operation;
  record->device = device;
  record->offset = offset;
  record->length = length;
  record->memory = session->setup.data_start + memory;
  record->deadline_ns = 5 * SECOND_NS;
  return submit(session, index);
}

int32_t session_begin_open(struct session *session, uint32_t index, uint32_t device,
                           const char *path, uint32_t flags, uint64_t deadline_ns) {
  struct mirrorbeat_request *record = &session->records[index];
  record->operation = MIRRORBEAT_OPEN;
  record->device = device;
  record->flags = flags;
  record->memory = session->setup.scratch_start;
  record->deadline_ns = deadline_ns;
  (void)strcpy((char *)(uintptr_t)session->setup.area + session->setup.scratch_start, path);
  return submit(session, index);
}

static int32_t finish(struct session *session, uint32_t index, int32_t submitted) {
  if (submitted != 0) return submitted;
  uint32_t event = session_wait(session, index);
  return event == MIRRORBEAT_EVENT_DONE ? session->records[index].result : -ETIMEDOUT;
}

int32_t session_open_device(struct session *session, uint32_t device, const char *path,
                            uint32_t flags) {
  const uint32_t index = MIRRORBEAT_REQUEST_MAX - 1;
  int32_t result =
      finish(session, index, session_begin_open(session, index, device, path, flags, 5 * SECOND_NS));
  if (result != 0) return result;
  session->records[index].operation = MIRRORBEAT_STAT;
  return finish(session, index, submit(session, index));
}

int32_t session_close_device(struct session *session, uint32_t device) {
  const uint32_t index = MIRRORBEAT_REQUEST_MAX - 1;
  session->records[index].operation = MIRRORBEAT_CLOSE;
  session->records[index].device = device;
  session->records[index].deadline_ns = 5 * SECOND_NS;
  return finish(session, index, submit(session, index));
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
