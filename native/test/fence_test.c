/* Pipes that stand in for a watchdog, what is no watchdog at all, and datagrams. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "mirrorbeat_fence.h"

static struct mirrorbeat_watchdog watchdog_at(uint32_t kind, const char *path) {
  struct mirrorbeat_watchdog watchdog = {.kind = kind, .limit_s = 5, .file = -1};
  (void)snprintf(watchdog.path, sizeof watchdog.path, "%s", path);
  return watchdog;
}

static int make_fifo(const char *path) {
  CHECK_EQUAL(mkfifo(path, 0600), 0);
  int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  CHECK(reader >= 0);
  return reader;
}

static void fifo_is_fed_and_told(void) {
  const char *path = test_path("fed");
  int reader = make_fifo(path);
  struct mirrorbeat_watchdog watchdog = watchdog_at(MIRRORBEAT_WATCHDOG_FIFO, path);
  CHECK_EQUAL(mirrorbeat_watchdog_open(&watchdog), 0);
  CHECK_EQUAL(mirrorbeat_watchdog_feed(&watchdog), 0);
  CHECK_EQUAL(mirrorbeat_watchdog_feed(&watchdog), 0);
  watchdog.disarm = 1;
  CHECK_EQUAL(mirrorbeat_watchdog_close(&watchdog), 0);
  char bytes[8] = {0};
  CHECK_EQUAL(read(reader, bytes, sizeof bytes), 3);
  CHECK(strcmp(bytes, "++V") == 0);
  CHECK_EQUAL(mirrorbeat_watchdog_feed(&watchdog), -EBADF);
  CHECK_EQUAL(mirrorbeat_watchdog_close(&watchdog), -EBADF);
  (void)close(reader);
}

static void closing_alone_tells_nothing(void) {
  const char *path = test_path("left");
  int reader = make_fifo(path);
  struct mirrorbeat_watchdog watchdog = watchdog_at(MIRRORBEAT_WATCHDOG_FIFO, path);
  CHECK_EQUAL(mirrorbeat_watchdog_open(&watchdog), 0);
  CHECK_EQUAL(mirrorbeat_watchdog_close(&watchdog), 0);
  char byte;
  CHECK_EQUAL(read(reader, &byte, 1), 0);
  (void)close(reader);
}

static void full_or_broken_never_blocks(void) {
  const char *path = test_path("full");
  int reader = make_fifo(path);
  struct mirrorbeat_watchdog watchdog = watchdog_at(MIRRORBEAT_WATCHDOG_FIFO, path);
  CHECK_EQUAL(mirrorbeat_watchdog_open(&watchdog), 0);
  int32_t result = 0;
  for (int i = 0; i < (2 << 20) && result == 0; i++) result = mirrorbeat_watchdog_feed(&watchdog);
  CHECK_EQUAL(result, -EAGAIN);
  (void)close(reader);
  CHECK_EQUAL(mirrorbeat_watchdog_feed(&watchdog), -EPIPE);
  CHECK_EQUAL(mirrorbeat_watchdog_close(&watchdog), 0);
  CHECK_EQUAL(mirrorbeat_watchdog_open(&watchdog), -ENXIO);
  CHECK_EQUAL(watchdog.step, MIRRORBEAT_WATCHDOG_STEP_OPEN);
}

static int listen_at(const char *path, int type) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  int file = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  CHECK(file >= 0);
  CHECK_EQUAL(bind(file, (const struct sockaddr *)&address, sizeof address), 0);
  return file;
}

static void socket_is_fed(void) {
  const char *path = test_path("stream");
  int server = listen_at(path, SOCK_STREAM);
  struct mirrorbeat_watchdog watchdog = watchdog_at(MIRRORBEAT_WATCHDOG_SOCKET, path);
  CHECK_EQUAL(mirrorbeat_watchdog_open(&watchdog), -ECONNREFUSED);
  CHECK_EQUAL(listen(server, 1), 0);
  CHECK_EQUAL(mirrorbeat_watchdog_open(&watchdog), 0);
  int reader = accept4(server, NULL, NULL, SOCK_CLOEXEC);
  CHECK(reader >= 0);
  CHECK_EQUAL(mirrorbeat_watchdog_feed(&watchdog), 0);
  char byte = 0;
  CHECK_EQUAL(read(reader, &byte, 1), 1);
  CHECK_EQUAL(byte, '+');
  (void)close(reader);
  CHECK_EQUAL(mirrorbeat_watchdog_feed(&watchdog), -EPIPE);
  CHECK_EQUAL(mirrorbeat_watchdog_close(&watchdog), 0);
  (void)close(server);
}

/* What is no watchdog is told so, and gets no letter. */
static void other_files_are_refused(void) {
  const char *path = test_file("plain", 0);
  struct mirrorbeat_watchdog watchdog = watchdog_at(MIRRORBEAT_WATCHDOG_DEVICE, path);
  CHECK_EQUAL(mirrorbeat_watchdog_open(&watchdog), -ENOTTY);
  CHECK_EQUAL(watchdog.step, MIRRORBEAT_WATCHDOG_STEP_SUPPORT);
  CHECK_EQUAL(watchdog.file, -1);
  struct stat found;
  CHECK_EQUAL(stat(path, &found), 0);
  CHECK_EQUAL(found.st_size, 0);
  watchdog.limit_s = 0;
  CHECK_EQUAL(mirrorbeat_watchdog_open(&watchdog), -EINVAL);
  memset(watchdog.path, 'x', sizeof watchdog.path);
  CHECK_EQUAL(mirrorbeat_watchdog_open(&watchdog), -ENAMETOOLONG);
}

static int32_t send_to(const char *address, uint32_t length, const char *text) {
  struct mirrorbeat_datagram datagram = {.address_bytes = length};
  memcpy(datagram.address, address, length);
  datagram.text_bytes = (uint32_t)strlen(text);
  memcpy(datagram.text, text, strlen(text));
  return mirrorbeat_datagram_send(&datagram);
}

static void datagrams(void) {
  const char *path = test_path("notify");
  uint32_t length = (uint32_t)strlen(path);
  CHECK_EQUAL(send_to(path, length, "READY=1"), -ENOENT);
  int server = listen_at(path, SOCK_DGRAM);
  CHECK_EQUAL(send_to(path, length, "READY=1"), 0);
  char bytes[16] = {0};
  CHECK_EQUAL(read(server, bytes, sizeof bytes), 7);
  CHECK(strcmp(bytes, "READY=1") == 0);
  int32_t result = 0;
  for (int i = 0; i < 10000 && result == 0; i++) result = send_to(path, length, "WATCHDOG=1");
  CHECK_EQUAL(result, -EAGAIN);
  (void)close(server);
  CHECK_EQUAL(send_to(path, length, "READY=1"), -ECONNREFUSED);
  struct mirrorbeat_datagram bad = {.address_bytes = 109};
  CHECK_EQUAL(mirrorbeat_datagram_send(&bad), -ENAMETOOLONG);
  bad.address_bytes = 4;
  bad.text_bytes = MIRRORBEAT_DATAGRAM_TEXT_BYTES + 1;
  CHECK_EQUAL(mirrorbeat_datagram_send(&bad), -EMSGSIZE);
}

static void clock_rate(void) {
  struct mirrorbeat_clock_rate rate = {.correction_ppb = INT64_MAX, .synchronised = 7};
  CHECK_EQUAL(mirrorbeat_clock_rate_read(&rate), 0);
  /* The kernel bounds both parts: 500 ppm of frequency, and a tenth of a tick's length. */
  CHECK(rate.correction_ppb >= -101000000 && rate.correction_ppb <= 101000000);
  CHECK(rate.synchronised <= 1);
}

void fence_tests(void) {
  test_run("a pipe in a watchdog's place is fed, and told that it is disarmed", fifo_is_fed_and_told);
  test_run("one that is closed without disarming is told nothing", closing_alone_tells_nothing);
  test_run("a pipe that is full, or that nobody reads, never blocks", full_or_broken_never_blocks);
  test_run("a socket in a watchdog's place", socket_is_fed);
  test_run("what is no watchdog is refused, and not written", other_files_are_refused);
  test_run("datagrams to a unix socket", datagrams);
  test_run("the rate of the clock is told", clock_rate);
}
