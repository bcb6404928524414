/* The host's watchdog: a device that resets the machine unless it is fed, or a pipe in its place. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mirrorbeat_fence.h"

static const char food = '+'; /* anything but the letter below */
static const char magic_close = 'V';

_Static_assert(sizeof(struct mirrorbeat_watchdog) == 320, "as src/device/watchdog.ts knows it");

static int32_t write_letter(const struct mirrorbeat_watchdog *watchdog, char letter) {
  ssize_t written = watchdog->kind == MIRRORBEAT_WATCHDOG_SOCKET
                        ? send(watchdog->file, &letter, 1, MSG_NOSIGNAL | MSG_DONTWAIT)
                        : write(watchdog->file, &letter, 1);
  if (written == 1) return 0;
  return written == 0 ? -EIO : -errno;
}

static int open_socket(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(path);
  if (length >= sizeof address.sun_path) return -ENAMETOOLONG;
  memcpy(address.sun_path, path, length);
  int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (file < 0) return -errno;
  if (connect(file, (const struct sockaddr *)&address, sizeof address) == 0) return file;
  int reason = errno;
  (void)close(file);
  return -reason;
}

static int32_t refuse(struct mirrorbeat_watchdog *watchdog, uint32_t step, int32_t reason) {
  watchdog->step = step;
  watchdog->disarm = watchdog->keeps_running == 0;
  if (watchdog->file >= 0) (void)mirrorbeat_watchdog_close(watchdog);
  watchdog->disarm = 0;
  return reason;
}

/* Sets the time-out where the driver can, and reads what it became. */
static int32_t set_limit(struct mirrorbeat_watchdog *watchdog) {
  int seconds = (int)watchdog->limit_s;
  if ((watchdog->options & WDIOF_SETTIMEOUT) != 0 &&
      ioctl(watchdog->file, WDIOC_SETTIMEOUT, &seconds) != 0)
    return refuse(watchdog, MIRRORBEAT_WATCHDOG_STEP_SET, -errno);
  if (ioctl(watchdog->file, WDIOC_GETTIMEOUT, &seconds) != 0)
    return refuse(watchdog, MIRRORBEAT_WATCHDOG_STEP_READ_BACK, -errno);
  if (seconds <= 0) return refuse(watchdog, MIRRORBEAT_WATCHDOG_STEP_READ_BACK, -ERANGE);
  watchdog->limit_s = (uint32_t)seconds;
  return 0;
}

EXPORT int32_t mirrorbeat_watchdog_open(struct mirrorbeat_watchdog *watchdog) {
  watchdog->file = -1;
  watchdog->options = 0;
  watchdog->step = MIRRORBEAT_WATCHDOG_STEP_NONE;
  memset(watchdog->identity, 0, sizeof watchdog->identity);
  if (memchr(watchdog->path, 0, sizeof watchdog->path) == NULL) return -ENAMETOOLONG;
  bool is_device = watchdog->kind == MIRRORBEAT_WATCHDOG_DEVICE;
  if (is_device && (watchdog->limit_s == 0 || watchdog->limit_s > INT32_MAX)) return -EINVAL;
  int flags = O_WRONLY | O_CLOEXEC | O_NOCTTY | (is_device ? 0 : O_NONBLOCK);
  int file = watchdog->kind == MIRRORBEAT_WATCHDOG_SOCKET ? open_socket(watchdog->path)
                                                          : open(watchdog->path, flags);
  if (file < 0) {
    int32_t reason = watchdog->kind == MIRRORBEAT_WATCHDOG_SOCKET ? file : -errno;
    return refuse(watchdog, MIRRORBEAT_WATCHDOG_STEP_OPEN, reason);
  }
  watchdog->file = file;
  if (!is_device) return 0;
  struct watchdog_info info = {0};
  if (ioctl(file, WDIOC_GETSUPPORT, &info) != 0) {
    int reason = errno;
    (void)close(file); /* whatever it is, no letter is written to it */
    watchdog->file = -1;
    watchdog->step = MIRRORBEAT_WATCHDOG_STEP_SUPPORT;
    return -reason;
  }
  watchdog->options = info.options;
  watchdog->firmware_version = info.firmware_version;
  memcpy(watchdog->identity, info.identity, sizeof watchdog->identity);
  return set_limit(watchdog);
}

EXPORT int32_t mirrorbeat_watchdog_feed(struct mirrorbeat_watchdog *watchdog) {
  return watchdog->file < 0 ? -EBADF : write_letter(watchdog, food);
}

EXPORT int32_t mirrorbeat_watchdog_close(struct mirrorbeat_watchdog *watchdog) {
  if (watchdog->file < 0) return -EBADF;
  int32_t result = watchdog->disarm == 0 ? 0 : write_letter(watchdog, magic_close);
  if (close(watchdog->file) != 0 && result == 0) result = -errno;
  watchdog->file = -1;
  return result;
}
