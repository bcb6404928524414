/*
 * Small calls on the host that need no device: the lock that keeps one instance, and advice to the
 * kernel about the shared memory.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

EXPORT int32_t mirrorbeat_lock_file(mirrorbeat_io *io) {
  const char *path = area_path(io, io->header->arguments[0]);
  if (path == NULL) return -ENAMETOOLONG;
  int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
  if (file < 0) return -errno;
  if (flock(file, LOCK_EX | LOCK_NB) != 0) {
    int reason = errno;
    (void)close(file);
    return -reason;
  }
  return 0; /* the descriptor is kept on purpose: the lock ends with the process */
}

EXPORT int32_t mirrorbeat_advise(mirrorbeat_io *io) {
  uint64_t offset = io->header->arguments[0], length = io->header->arguments[1];
  if (offset < io->data_start || !area_contains(io, offset, length)) return -EINVAL;
  if (offset % MIRRORBEAT_BLOCK_BYTES != 0) return -EINVAL;
  int advice;
  switch (io->header->arguments[2]) {
    case MIRRORBEAT_ADVICE_HUGE:
      advice = MADV_HUGEPAGE;
      break;
    case MIRRORBEAT_ADVICE_RELEASE:
      advice = MADV_DONTNEED;
      break;
    default:
      return -EINVAL;
  }
  return madvise(io->area + offset, (size_t)length, advice) == 0 ? 0 : -errno;
}
