/*
 * What a device says of itself: its attributes (from an earlier STAT request), the block layer's
 * ioctls, which only read the kernel's memory, and the SCSI inquiry, which talks to the device and
 * is therefore only ever made on a thread of its own (slow_call.c).
 */
#include "internal.h"

#include <errno.h>
#include <linux/fs.h>
#include <scsi/sg.h>
#include <sys/ioctl.h>

#ifndef BLKGETDISKSEQ
#define BLKGETDISKSEQ _IOR(0x12, 128, uint64_t)
#endif

#define INQUIRY_LIMIT_MS 2000u

static int block_geometry(int file, uint64_t *results) {
  uint64_t bytes = 0, sequence = 0;
  int logical = 0, read_only = 0;
  unsigned int physical = 0;
  if (ioctl(file, BLKGETSIZE64, &bytes) != 0) return -errno;
  if (ioctl(file, BLKSSZGET, &logical) != 0) return -errno;
  if (ioctl(file, BLKROGET, &read_only) != 0) return -errno;
  if (ioctl(file, BLKPBSZGET, &physical) != 0) physical = (unsigned int)logical;
  if (ioctl(file, BLKGETDISKSEQ, &sequence) != 0) sequence = 0; /* kernels before 5.15 */
  results[0] = MIRRORBEAT_KIND_BLOCK;
  results[1] = bytes;
  results[2] = (uint64_t)logical;
  results[3] = physical;
  results[4] = read_only != 0;
  results[5] = sequence;
  return 0;
}

EXPORT int32_t mirrorbeat_geometry(mirrorbeat_io *io) {
  uint64_t number = io->header->arguments[0];
  uint64_t *results = io->header->results;
  if (number >= MIRRORBEAT_DEVICE_MAX) return -EINVAL;
  const struct device *device = &io->devices[number];
  if (device->state != DEVICE_OPEN || !device->attributes_known) return -EBADF;

  const struct statx *attributes = &device->attributes;
  results[0] = S_ISREG(attributes->stx_mode) ? MIRRORBEAT_KIND_FILE : MIRRORBEAT_KIND_OTHER;
  results[1] = attributes->stx_size;
  results[2] = results[3] = 512;
  results[4] = results[5] = 0;
  results[6] = attributes->stx_dev_major;
  results[7] = attributes->stx_dev_minor;
  results[8] = attributes->stx_ino;
  if (!S_ISBLK(attributes->stx_mode)) return 0;
  results[6] = attributes->stx_rdev_major;
  results[7] = attributes->stx_rdev_minor;
  return block_geometry(device->file, results);
}

int scsi_inquiry(int file, uint32_t page, uint8_t *answer, uint32_t length) {
  uint8_t command[6] = {0x12, 0x01, (uint8_t)page, 0, (uint8_t)length, 0};
  uint8_t sense[32];
  struct sg_io_hdr header = {0};
  header.interface_id = 'S';
  header.dxfer_direction = SG_DXFER_FROM_DEV;
  header.cmd_len = sizeof command;
  header.cmdp = command;
  header.dxferp = answer;
  header.dxfer_len = length;
  header.sbp = sense;
  header.mx_sb_len = sizeof sense;
  header.timeout = INQUIRY_LIMIT_MS;
  if (ioctl(file, SG_IO, &header) != 0) return -errno;
  if ((header.info & SG_INFO_OK_MASK) != SG_INFO_OK) return -EIO;
  return (int)(length - (uint32_t)header.resid);
}
