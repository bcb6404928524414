/*
 * The three clocks that judging silence needs, read together: one that is slewed by time
 * synchronisation and stops in suspend, one that counts suspend, one that nobody slews.
 */
#include "internal.h"

#include <time.h>

uint64_t clock_ns(int clock) {
  struct timespec time = {0};
  (void)clock_gettime((clockid_t)clock, &time);
  return (uint64_t)time.tv_sec * NANOSECONDS_PER_SECOND + (uint64_t)time.tv_nsec;
}

EXPORT int32_t mirrorbeat_clocks(mirrorbeat_io *io) {
  /* In this order raw + (boottime - monotonic) is a moment of this call, however long it is stalled. */
  io->header->results[2] = clock_ns(CLOCK_MONOTONIC_RAW);
  io->header->results[0] = clock_ns(CLOCK_MONOTONIC);
  io->header->results[1] = clock_ns(CLOCK_BOOTTIME);
  return 0;
}
