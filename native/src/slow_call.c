/*
 * Calls that can sleep for as long as a device likes, each on a detached thread of its own: all
 * opens, closes and attributes of the AIO engine, and the SCSI inquiry of both.
 *
 * They are rare (start-up, shutdown), so a thread for each costs nothing that matters, and one that
 * hangs holds up no other. The thread touches only its own `struct slow_call`; the event loop takes
 * it over when `finished` is set.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STACK_BYTES (256u << 10)

static int32_t perform(struct slow_call *call) {
  int result;
  switch (call->operation) {
    case MIRRORBEAT_OPEN:
      result = open(call->path, call->file);
      break;
    case MIRRORBEAT_STAT:
      result = statx(call->file, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &call->attributes);
      break;
    case MIRRORBEAT_CLOSE:
      result = close(call->file);
      break;
    case MIRRORBEAT_INQUIRY:
      return scsi_inquiry(call->file, call->page, call->answer, call->length);
    default:
      return -EINVAL;
  }
  return result < 0 ? -errno : result;
}

static void *run(void *argument) {
  struct slow_call *call = argument;
  int announcement = call->announcement;
  call->result = perform(call);
  atomic_store_explicit(&call->finished, true, memory_order_release);
  /* From here on the event loop may free the call, and close its own end of the pipe. */
  announce(announcement);
  (void)close(announcement);
  return NULL;
}

static int detach(struct slow_call *call) {
  pthread_attr_t attributes;
  pthread_t thread;
  sigset_t all, before;
  int reason = pthread_attr_init(&attributes);
  if (reason != 0) return -reason;
  (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
  (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  (void)sigfillset(&all); /* signals belong to the event loop's thread */
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  reason = pthread_create(&thread, &attributes, run, call);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  (void)pthread_attr_destroy(&attributes);
  return -reason;
}

int slow_call_start(struct mirrorbeat_io *io, uint32_t index) {
  const struct mirrorbeat_request *record = &io->records[index];
  struct request *request = &io->requests[index];
  struct slow_call *call = calloc(1, sizeof *call);
  if (call == NULL) return -ENOMEM;
  call->operation = request->operation;
  call->file = io->devices[request->device].file;
  call->announcement = fcntl(io->announcement, F_DUPFD_CLOEXEC, 0);
  if (call->announcement < 0) {
    int reason = errno;
    free(call);
    return -reason;
  }
  if (request->operation == MIRRORBEAT_OPEN) {
    call->file = open_flags(record->flags);
    (void)strcpy(call->path, area_path(io, request->memory)); /* length checked at submission */
  }
  if (request->operation == MIRRORBEAT_INQUIRY) {
    call->page = (uint32_t)record->offset;
    call->length = record->length;
  }
  int result = detach(call);
  if (result != 0) {
    (void)close(call->announcement);
    free(call);
    return result;
  }
  request->slow = call;
  io->slow_calls++;
  return 0;
}

static void collect_one(struct mirrorbeat_io *io, uint32_t index) {
  struct request *request = &io->requests[index];
  struct slow_call *call = request->slow;
  if (call == NULL || !atomic_load_explicit(&call->finished, memory_order_acquire)) return;
  if (call->result >= 0 && call->operation == MIRRORBEAT_STAT)
    io->devices[request->device].attributes = call->attributes;
  if (call->result > 0 && call->operation == MIRRORBEAT_INQUIRY)
    memcpy(io->area + request->memory, call->answer, (size_t)call->result);
  request->slow = NULL;
  io->slow_calls--;
  request_complete(io, index, call->result);
  free(call);
}

void slow_calls_collect(struct mirrorbeat_io *io) {
  for (uint32_t index = 0; io->slow_calls > 0 && index < MIRRORBEAT_REQUEST_MAX; index++)
    collect_one(io, index);
}
