/*
 * mirrorbeat_scsi: single SCSI commands to a disk, for an event loop.
 *
 * They are rare (a reservation is taken, looked at or given away), so each runs on a detached
 * thread of its own: open, SG_IO, close. mirrorbeat_scsi_start() begins one,
 * mirrorbeat_scsi_take() fetches its end, and mirrorbeat_scsi_abandon() says that nobody will ask
 * any more: what was begun may still be carried out by the disk.
 *
 * Invariants
 *   - No call here sleeps; the caller keeps the deadline.
 *   - A command goes only to the device whose number the caller has looked at.
 *   - At most MIRRORBEAT_SCSI_COMMAND_MAX are under way, abandoned ones among them.
 *   - The memory of the caller is used only during a call.
 *   - The library moves bytes. It knows no field of what they mean.
 *
 * Each call takes a pointer to one structure of the caller and returns 0 or -errno. None may be
 * called from two threads at once.
 */
#ifndef MIRRORBEAT_SCSI_H
#define MIRRORBEAT_SCSI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised whenever the structure or its meaning changes. */
#define MIRRORBEAT_SCSI_VERSION 1u

#define MIRRORBEAT_SCSI_COMMAND_MAX 32u
#define MIRRORBEAT_SCSI_DATA_BYTES 8192u
#define MIRRORBEAT_SCSI_PATH_BYTES 4096u
#define MIRRORBEAT_SCSI_SENSE_BYTES 64u

enum mirrorbeat_scsi_direction {
  MIRRORBEAT_SCSI_NO_DATA = 0,
  MIRRORBEAT_SCSI_FROM_DISK = 1,
  MIRRORBEAT_SCSI_TO_DISK = 2,
};

struct mirrorbeat_scsi {
  uint32_t version;        /* in: MIRRORBEAT_SCSI_VERSION */
  uint32_t number;         /* start: out; take, abandon: in */
  uint32_t major;          /* in: of the block device at `path` */
  uint32_t minor;          /* in */
  uint32_t timeout_ms;     /* in: the kernel's own, after which it resets; 1 or more */
  uint32_t direction;      /* in: enum mirrorbeat_scsi_direction */
  uint32_t command_length; /* in: 6 to 16 */
  uint32_t data_length;    /* in: bytes to be moved at most */
  int32_t result;          /* out: 0, or -errno of open or SG_IO: then no answer of the disk */
  uint32_t status;         /* out: SCSI status */
  uint32_t host_status;    /* out: of the adapter; 0 is well */
  uint32_t sense_length;   /* out */
  uint32_t moved_length;   /* out: bytes that were moved */
  uint32_t reserved[3];
  uint8_t command[16];                        /* in */
  uint8_t sense[MIRRORBEAT_SCSI_SENSE_BYTES]; /* out */
  uint8_t data[MIRRORBEAT_SCSI_DATA_BYTES];   /* in or out */
  char path[MIRRORBEAT_SCSI_PATH_BYTES];      /* in: with its zero byte */
};

/* -EINVAL: senseless; -ENAMETOOLONG; -EAGAIN: as many as there may be are under way. */
int32_t mirrorbeat_scsi_start(struct mirrorbeat_scsi *command);

/* -EAGAIN: not ended yet; -ENOENT: no such command. After 0 the number means nothing any more. */
int32_t mirrorbeat_scsi_take(struct mirrorbeat_scsi *command);

/* -ENOENT: no such command. */
int32_t mirrorbeat_scsi_abandon(struct mirrorbeat_scsi *command);

#ifdef __cplusplus
}
#endif

#endif
