/*
 * mirrorbeat_fence: the calls of self-fencing that the run-time has none for: a watchdog device
 * with its time-out, one datagram to a service manager, and the rate at which the clock is run.
 * They need no handle of mirrorbeat_io.h; each takes one pointer to a structure, and returns 0, or
 * -errno.
 *
 * A write to a watchdog's driver sets a register or a timer, which takes microseconds; that of a
 * baseboard controller (IPMI) waits for the controller's answer, milliseconds, and its own driver
 * bounds it. Pipes and sockets are non-blocking: full is -EAGAIN.
 *
 * Invariants
 *   - A device that is open is given back in two ways alone: by mirrorbeat_watchdog_close() with
 *     `disarm`, or by leaving it armed.
 *   - Nothing but an open refused here, or that close, ever writes the letter that disarms.
 */
#ifndef MIRRORBEAT_FENCE_H
#define MIRRORBEAT_FENCE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MIRRORBEAT_WATCHDOG_PATH_BYTES 256u
#define MIRRORBEAT_DATAGRAM_TEXT_BYTES 512u

enum mirrorbeat_watchdog_kind {
  MIRRORBEAT_WATCHDOG_DEVICE = 1,
  MIRRORBEAT_WATCHDOG_FIFO = 2,   /* a named pipe that somebody reads */
  MIRRORBEAT_WATCHDOG_SOCKET = 3, /* a unix stream socket that somebody listens at */
};

/* At which step an open failed; the device is given back by then. */
enum mirrorbeat_watchdog_step {
  MIRRORBEAT_WATCHDOG_STEP_NONE = 0,
  MIRRORBEAT_WATCHDOG_STEP_OPEN = 1,
  MIRRORBEAT_WATCHDOG_STEP_SUPPORT = 2, /* it is no watchdog */
  MIRRORBEAT_WATCHDOG_STEP_SET = 3,     /* the time-out was refused */
  MIRRORBEAT_WATCHDOG_STEP_READ_BACK = 4,
};

/* 320 bytes. */
struct mirrorbeat_watchdog {
  uint32_t kind;             /* in: enum mirrorbeat_watchdog_kind */
  uint32_t limit_s;          /* in: the time-out wished; out: what the device says it is */
  uint32_t keeps_running;    /* in: not 0: it ran before, so a refusal leaves it armed */
  int32_t file;              /* out: -1 while not open */
  uint32_t options;          /* out: WDIOF_* of <linux/watchdog.h> */
  uint32_t step;             /* out: enum mirrorbeat_watchdog_step */
  uint32_t disarm;           /* in, for close: not 0 writes the letter first */
  uint32_t firmware_version; /* out */
  uint8_t identity[32];      /* out: the driver's name for it, zero-filled */
  char path[MIRRORBEAT_WATCHDOG_PATH_BYTES]; /* in, with its zero byte */
};

/*
 * Opening a device starts it. Its time-out is set and read back; whether that is short enough, and
 * whether the device can be trusted, is for the caller to say: by closing it again.
 */
int32_t mirrorbeat_watchdog_open(struct mirrorbeat_watchdog *watchdog);

/* -EAGAIN for a pipe that is full, -EPIPE for one that nobody reads. */
int32_t mirrorbeat_watchdog_feed(struct mirrorbeat_watchdog *watchdog);

/* Without `disarm` a device runs on, and the kernel feeds it once more as it is closed. */
int32_t mirrorbeat_watchdog_close(struct mirrorbeat_watchdog *watchdog);

/* 628 bytes. */
struct mirrorbeat_datagram {
  uint32_t address_bytes; /* 1 to 108 */
  uint32_t text_bytes;
  char address[108]; /* a path, or an abstract name with its leading zero byte */
  char text[MIRRORBEAT_DATAGRAM_TEXT_BYTES];
};

/* Sends one datagram to a unix socket, from a socket of its own; -EAGAIN if its reader is behind. */
int32_t mirrorbeat_datagram_send(const struct mirrorbeat_datagram *datagram);

/* 24 bytes. */
struct mirrorbeat_clock_rate {
  int64_t correction_ppb; /* out: how much faster than its crystal the clock is run; parts in 1e9 */
  int64_t error_us;       /* out: the kernel's own bound of the error of the time of day */
  uint32_t synchronised;  /* out: 0 or 1: somebody keeps it in step */
  uint32_t reserved;
};

/* Reads alone, and needs no right: what adjtimex(2) tells. */
int32_t mirrorbeat_clock_rate_read(struct mirrorbeat_clock_rate *rate);

#ifdef __cplusplus
}
#endif

#endif
