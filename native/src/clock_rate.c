/* The rate at which the kernel's clock is run, against the crystal below it. */
#include "internal.h"

#include <errno.h>
#include <sys/timex.h>
#include <unistd.h>

#include "mirrorbeat_fence.h"

_Static_assert(sizeof(struct mirrorbeat_clock_rate) == 24, "as src/device/clock-rate.ts knows it");

EXPORT int32_t mirrorbeat_clock_rate_read(struct mirrorbeat_clock_rate *rate) {
  struct timex now = {.modes = 0};
  if (adjtimex(&now) < 0) return -errno;
  long ticks = sysconf(_SC_CLK_TCK);
  if (ticks <= 0) return -EINVAL;
  int64_t nominal_us = 1000000 / ticks; /* the length of a tick of a clock that nobody corrects */
  int64_t tick_ppb = ((int64_t)now.tick - nominal_us) * 1000000000 / nominal_us;
  int64_t frequency_ppb = (int64_t)now.freq * 1000 / 65536; /* parts in 1e6, with 16 binary places */
  rate->correction_ppb = tick_ppb + frequency_ppb;
  rate->error_us = now.maxerror;
  rate->synchronised = (now.status & STA_UNSYNC) == 0;
  rate->reserved = 0;
  return 0;
}
