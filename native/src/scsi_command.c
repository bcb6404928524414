/*
 * Single SCSI commands, each on a detached thread of its own (mirrorbeat_scsi.h).
 *
 * A job belongs to its thread until `finished`, and then to the caller; an abandoned one goes back
 * to nobody, and its place is free when its thread has ended with it. Places are few, so a disk
 * that never answers can hold up no more than those.
 */
#include "internal.h"
#include "mirrorbeat_scsi.h"

#include <errno.h>
#include <fcntl.h>
#include <scsi/sg.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define STACK_BYTES (256u << 10)
#define PLACE_BITS 8u

struct job {
  atomic_bool finished;
  struct mirrorbeat_scsi command;
};

struct place {
  struct job *job; /* NULL: free */
  uint32_t uses;   /* so that an old number is not taken for a new one */
  bool abandoned;
};

static struct place places[MIRRORBEAT_SCSI_COMMAND_MAX];

static int32_t send(struct mirrorbeat_scsi *command, int file) {
  static const int directions[] = {SG_DXFER_NONE, SG_DXFER_FROM_DEV, SG_DXFER_TO_DEV};
  struct sg_io_hdr header = {
      .interface_id = 'S',
      .dxfer_direction = directions[command->direction],
      .cmd_len = (unsigned char)command->command_length,
      .mx_sb_len = MIRRORBEAT_SCSI_SENSE_BYTES,
      .dxfer_len = command->data_length,
      .dxferp = command->data,
      .cmdp = command->command,
      .sbp = command->sense,
      .timeout = command->timeout_ms,
  };
  if (ioctl(file, SG_IO, &header) != 0) return -errno;
  uint32_t missing = header.resid > 0 ? (uint32_t)header.resid : 0;
  command->status = header.status;
  command->host_status = header.host_status;
  command->sense_length = header.sb_len_wr;
  command->moved_length = missing < command->data_length ? command->data_length - missing : 0;
  return 0;
}

static int32_t perform(struct mirrorbeat_scsi *command) {
  /* Not for writing: the disk of a standby may be write-protected, and need not be written. */
  int file = open(command->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (file < 0) return -errno;
  struct stat attributes;
  int32_t result;
  if (fstat(file, &attributes) != 0) {
    result = -errno;
  } else if (!S_ISBLK(attributes.st_mode)) {
    result = -ENOTBLK;
  } else if (major(attributes.st_rdev) != command->major || minor(attributes.st_rdev) != command->minor) {
    result = -ESTALE;
  } else {
    result = send(command, file);
  }
  (void)close(file);
  return result;
}

static void *run(void *argument) {
  struct job *job = argument;
  job->command.result = perform(&job->command);
  atomic_store_explicit(&job->finished, true, memory_order_release);
  return NULL; /* from here on the job belongs to the event loop */
}

static int detach(struct job *job) {
  pthread_attr_t attributes;
  pthread_t thread;
  sigset_t all, before;
  int reason = pthread_attr_init(&attributes);
  if (reason != 0) return -reason;
  (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
  (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  (void)sigfillset(&all); /* signals belong to the event loop's thread */
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  reason = pthread_create(&thread, &attributes, run, job);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  (void)pthread_attr_destroy(&attributes);
  return -reason;
}

static bool has_ended(const struct place *place) {
  return atomic_load_explicit(&place->job->finished, memory_order_acquire);
}

static void clear(struct place *place) {
  free(place->job);
  place->job = NULL;
  place->abandoned = false;
}

static struct place *free_place(void) {
  for (uint32_t index = 0; index < MIRRORBEAT_SCSI_COMMAND_MAX; index++) {
    struct place *place = &places[index];
    if (place->job != NULL && place->abandoned && has_ended(place)) clear(place);
    if (place->job == NULL) return place;
  }
  return NULL;
}

static struct place *place_of(uint32_t number) {
  uint32_t index = number & ((1u << PLACE_BITS) - 1);
  if (index >= MIRRORBEAT_SCSI_COMMAND_MAX) return NULL;
  struct place *place = &places[index];
  bool is_it = place->job != NULL && !place->abandoned && place->job->command.number == number;
  return is_it ? place : NULL;
}

static int32_t check(const struct mirrorbeat_scsi *command) {
  if (command->version != MIRRORBEAT_SCSI_VERSION || command->timeout_ms == 0) return -EINVAL;
  if (command->direction > MIRRORBEAT_SCSI_TO_DISK) return -EINVAL;
  if (command->command_length < 6 || command->command_length > sizeof command->command) return -EINVAL;
  if (command->data_length > sizeof command->data) return -EINVAL;
  if ((command->direction == MIRRORBEAT_SCSI_NO_DATA) != (command->data_length == 0)) return -EINVAL;
  return memchr(command->path, 0, sizeof command->path) == NULL ? -ENAMETOOLONG : 0;
}

EXPORT int32_t mirrorbeat_scsi_start(struct mirrorbeat_scsi *command) {
  int32_t refusal = check(command);
  if (refusal != 0) return refusal;
  struct place *place = free_place();
  if (place == NULL) return -EAGAIN;
  struct job *job = calloc(1, sizeof *job);
  if (job == NULL) return -ENOMEM;
  place->uses++;
  job->command = *command;
  job->command.number = (uint32_t)(place - places) | place->uses << PLACE_BITS;
  int result = detach(job);
  if (result != 0) {
    free(job);
    return result;
  }
  place->job = job;
  command->number = (uint32_t)(place - places) | place->uses << PLACE_BITS;
  return 0;
}

EXPORT int32_t mirrorbeat_scsi_take(struct mirrorbeat_scsi *command) {
  struct place *place = place_of(command->number);
  if (place == NULL) return -ENOENT;
  if (!has_ended(place)) return -EAGAIN;
  *command = place->job->command;
  clear(place);
  return 0;
}

EXPORT int32_t mirrorbeat_scsi_abandon(struct mirrorbeat_scsi *command) {
  struct place *place = place_of(command->number);
  if (place == NULL) return -ENOENT;
  place->abandoned = true;
  return 0;
}
