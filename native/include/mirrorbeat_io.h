/*
 * mirrorbeat_io: block I/O that never makes its caller wait, for one event loop.
 *
 * The caller owns one thread (the event loop). It fills a request record in a shared area, calls
 * mirrorbeat_submit(), and goes on. When something is to be known, the library writes a byte into
 * a pipe that the loop watches; the loop then calls mirrorbeat_reap(), which tells what happened.
 * The byte's value means nothing: reap looks at everything, so a full pipe can lose no completion.
 *
 * Every request has a deadline. When it passes, reap reports EXPIRED, and the request stays with
 * the kernel, which may still read or write its memory: the record, its memory and its device
 * cannot be used again until reap reports LATE for it. A hung device therefore costs its own
 * requests and nothing else.
 *
 * Engines: io_uring (no thread; a process with hung requests can still be killed at once), or Linux
 * AIO with one forwarding thread where io_uring is missing or forbidden (such a process cannot end
 * before its device answers).
 *
 * Invariants
 *   - No call here sleeps on a device. Whatever may (open, close, attributes of a file, a SCSI
 *     inquiry) is a request with a deadline like any other.
 *   - The kernel never owns one record twice.
 *   - A request names a device by its number in this library, never by a file descriptor, so a
 *     number reused by the process can never receive a write meant for a device.
 *   - Nothing is ever created, grown or truncated, except the lock file of mirrorbeat_lock_file().
 *   - The library moves bytes. It knows no field of what they mean.
 *
 * Calls return 0 or more for success and -errno for failure. All take the handle that
 * mirrorbeat_create() gave; those with more arguments read them from arguments[] of the shared
 * header and answer in results[], so that one prepared foreign call serves for all.
 * None may be called from two threads at once.
 */
#ifndef MIRRORBEAT_IO_H
#define MIRRORBEAT_IO_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised whenever a structure, a number or the meaning of a call below changes. */
#define MIRRORBEAT_ABI_VERSION 1u

#define MIRRORBEAT_REQUEST_MAX 128u
#define MIRRORBEAT_DEVICE_MAX 64u
#define MIRRORBEAT_BLOCK_BYTES 4096u          /* offsets, lengths and memory of reads and writes */
#define MIRRORBEAT_SCRATCH_BYTES (64u << 10)  /* paths, scan output, bytes to checksum */
#define MIRRORBEAT_HUGE_PAGE_BYTES (2u << 20) /* the data region begins on such a boundary */

enum mirrorbeat_engine { MIRRORBEAT_ENGINE_ANY = 0, MIRRORBEAT_ENGINE_URING = 1, MIRRORBEAT_ENGINE_AIO = 2 };

/* Which step refused io_uring, for the operator's eyes. */
enum mirrorbeat_refusal {
  MIRRORBEAT_REFUSAL_NONE = 0,
  MIRRORBEAT_REFUSAL_SETUP = 1,    /* io_uring_setup: missing, forbidden by sysctl or seccomp */
  MIRRORBEAT_REFUSAL_FEATURES = 2, /* the kernel's io_uring is older than 5.6 */
  MIRRORBEAT_REFUSAL_MAPPING = 3,  /* its rings could not be mapped */
  MIRRORBEAT_REFUSAL_ENTER = 4,    /* set up, but not usable */
};

enum mirrorbeat_operation {
  MIRRORBEAT_READ = 1,    /* device, offset, length, memory */
  MIRRORBEAT_WRITE = 2,   /* device, offset, length, memory; durable when reported */
  MIRRORBEAT_OPEN = 3,    /* device: a free number; memory: path with its zero byte; flags */
  MIRRORBEAT_STAT = 4,    /* device; then mirrorbeat_geometry() answers */
  MIRRORBEAT_CLOSE = 5,   /* device, which no other request may be using */
  MIRRORBEAT_INQUIRY = 6, /* device, memory, length <= 255, offset: SCSI vital product data page */
};

enum mirrorbeat_open_flag {
  MIRRORBEAT_OPEN_WRITABLE = 1,
  MIRRORBEAT_OPEN_DIRECT = 2,    /* O_DIRECT; without it only O_DSYNC, fit for plain files alone */
  MIRRORBEAT_OPEN_EXCLUSIVE = 4, /* O_EXCL: refused while mounted or otherwise claimed */
};

enum mirrorbeat_request_state {
  MIRRORBEAT_FREE = 0,
  MIRRORBEAT_IN_FLIGHT = 1,
  MIRRORBEAT_EXPIRED = 2, /* its deadline has passed and been reported; the kernel still owns it */
};

/* What reap reports, as index | event << 16 in events[]. */
enum mirrorbeat_event {
  MIRRORBEAT_EVENT_DONE = 1,    /* result is valid, the record is free */
  MIRRORBEAT_EVENT_EXPIRED = 2, /* the deadline passed, the kernel owns the record */
  MIRRORBEAT_EVENT_LATE = 3,    /* after EXPIRED: result is valid, the record is free */
};

/* One request, 64 bytes in the shared area. The caller writes the first part while it is free. */
struct mirrorbeat_request {
  uint32_t operation;
  uint32_t device;
  uint64_t offset;      /* bytes from the start of the device */
  uint64_t memory;      /* bytes from the start of the shared area */
  uint32_t length;      /* bytes */
  uint32_t flags;       /* enum mirrorbeat_open_flag */
  uint64_t deadline_ns; /* from now; 1 or more */
  int32_t result;       /* bytes moved, or 0, or -errno */
  uint32_t state;       /* enum mirrorbeat_request_state */
  uint64_t began_ns;    /* CLOCK_MONOTONIC just before it was submitted */
  uint64_t ended_ns;    /* CLOCK_MONOTONIC after its end, or its expiry, was noticed */
};

/* The first page of the shared area. */
struct mirrorbeat_header {
  uint64_t arguments[8];
  uint64_t results[16];
  uint32_t events[MIRRORBEAT_REQUEST_MAX];
};

/* In and out of mirrorbeat_create(). */
struct mirrorbeat_setup {
  uint32_t abi_version;   /* in: MIRRORBEAT_ABI_VERSION of the caller */
  uint32_t engine;        /* in: enum mirrorbeat_engine; out: the one in use */
  uint64_t data_bytes;    /* in: size of the data region (address space; memory comes on use) */
  uint64_t handle;        /* out: for every other call */
  uint64_t area;          /* out: address of the shared area */
  uint64_t area_bytes;    /* out */
  uint32_t request_start; /* out: offset of the records in the area */
  uint32_t scratch_start; /* out */
  uint32_t data_start;    /* out */
  int32_t pipe;           /* out: read end, non-blocking; the caller closes it */
  uint32_t refusal;       /* out: enum mirrorbeat_refusal, why io_uring is not used */
  int32_t refusal_errno;  /* out: positive errno of that step */
};

typedef struct mirrorbeat_io mirrorbeat_io;

uint32_t mirrorbeat_abi_version(void);

/* -EINVAL for another ABI version or a nonsensical size; else the errno of the step that failed. */
int32_t mirrorbeat_create(struct mirrorbeat_setup *setup);

/*
 * Ends the engine and returns its memory. -EBUSY while a request is in flight or a device open.
 * The area stays mapped for the life of the process, for the caller's views of it may outlive this.
 */
int32_t mirrorbeat_destroy(mirrorbeat_io *io);

/*
 * arguments[0]: the record. -EBUSY if the kernel still owns it (nothing is submitted), -EINVAL if
 * it is out of bounds, unaligned or senseless, -EBADF if the device is not open for it.
 */
int32_t mirrorbeat_submit(mirrorbeat_io *io);

/* Reports what happened since the last call: the number of entries put into events[]. */
int32_t mirrorbeat_reap(mirrorbeat_io *io);

/*
 * arguments[0]: device that has been opened and given a STAT. results: [0] enum mirrorbeat_kind,
 * [1] bytes, [2] logical block bytes, [3] physical block bytes, [4] read-only, [5] disk sequence
 * or 0, [6] major, [7] minor (of the block device, or of the file system of a plain file),
 * [8] inode.
 */
enum mirrorbeat_kind { MIRRORBEAT_KIND_OTHER = 0, MIRRORBEAT_KIND_BLOCK = 1, MIRRORBEAT_KIND_FILE = 2 };
int32_t mirrorbeat_geometry(mirrorbeat_io *io);

/*
 * Tells which blocks of an area differ from what was remembered of them, checksums those, and
 * remembers them as they are now. Remembered are the live bytes alone, packed one block after the
 * other: less memory and less to look through than a second whole area. arguments: [0] the area as
 * read, [1] what is remembered, [2] blocks, [3] stride of the area, [4] live bytes from the start of
 * each block, [5] offset of a little-endian CRC32C that covers the bytes before it, [6] not 0 if
 * nothing is remembered yet: every block differs.
 * Answers lie in the scratch region, one uint32_t for each block that differs, in order:
 * index | (checksum agrees) << 31. Returns their number; -ENOSPC for more than
 * MIRRORBEAT_SCAN_BLOCKS_MAX blocks.
 */
#define MIRRORBEAT_SCAN_BLOCKS_MAX (MIRRORBEAT_SCRATCH_BYTES / 4)
int32_t mirrorbeat_scan(mirrorbeat_io *io);

/* arguments: [0] offset in the area, [1] length, [2] checksum so far, 0 at first. results[0]. */
int32_t mirrorbeat_crc32c(mirrorbeat_io *io);

/* results: [0] CLOCK_MONOTONIC, [1] CLOCK_BOOTTIME, [2] CLOCK_MONOTONIC_RAW, nanoseconds. */
int32_t mirrorbeat_clocks(mirrorbeat_io *io);

/*
 * arguments[0]: offset of a path with its zero byte. Creates the file if need be and takes an
 * exclusive flock that lasts until the process ends. -EWOULDBLOCK: another one holds it.
 */
int32_t mirrorbeat_lock_file(mirrorbeat_io *io);

/* arguments: [0] offset, [1] length in the data region, [2] enum mirrorbeat_advice. */
enum mirrorbeat_advice {
  MIRRORBEAT_ADVICE_HUGE = 1,    /* large and long-lived: huge pages save time on every pass */
  MIRRORBEAT_ADVICE_RELEASE = 2, /* no longer used: give the memory back, read as zeroes */
};
int32_t mirrorbeat_advise(mirrorbeat_io *io);

/*
 * This process is killed when its parent ends, even while a call of another library hangs in it.
 * Needs no handle; takes whatever pointer.
 */
int32_t mirrorbeat_end_with_parent(const void *unused);

#ifdef __cplusplus
}
#endif

#endif
