/*
 * The Linux AIO engine, for kernels and sandboxes without io_uring.
 *
 * The kernel counts completions into an eventfd. One thread sleeps on that and on the timer, and
 * says so in the pipe; it knows nothing of requests, so nothing here needs a lock. Reap then asks
 * the kernel for the results without waiting.
 *
 * Honest limits, which io_uring does not have: the kernel does not let a process end while one of
 * these requests is with a hung device, not even by SIGKILL; and io_submit itself may sleep where a
 * file system (a plain file, not a block device) has no asynchronous path.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_BYTES (256u << 10)
#define BATCH 32

struct aio {
  aio_context_t context;
  struct iocb blocks[MIRRORBEAT_REQUEST_MAX];
  int completions; /* eventfd */
  int timer, announcement;
  atomic_bool stopping;
  pthread_t forwarder;
};

static void *forward(void *argument) {
  struct aio *aio = argument;
  struct pollfd sources[] = {{.fd = aio->completions, .events = POLLIN},
                             {.fd = aio->timer, .events = POLLIN}};
  uint64_t count;
  for (;;) {
    if (poll(sources, 2, -1) < 0 && errno != EINTR) return NULL;
    if (atomic_load_explicit(&aio->stopping, memory_order_acquire)) return NULL;
    bool news = false;
    for (int i = 0; i < 2; i++)
      if (read(sources[i].fd, &count, sizeof count) == (ssize_t)sizeof count) news = true;
    if (news) announce(aio->announcement);
  }
}

static int start_forwarder(struct aio *aio) {
  pthread_attr_t attributes;
  sigset_t all, before;
  int reason = pthread_attr_init(&attributes);
  if (reason != 0) return -reason;
  (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
  (void)sigfillset(&all); /* signals belong to the event loop's thread */
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  reason = pthread_create(&aio->forwarder, &attributes, forward, aio);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  (void)pthread_attr_destroy(&attributes);
  return -reason;
}

static int aio_start(struct mirrorbeat_io *io) {
  struct aio *aio = calloc(1, sizeof *aio);
  if (aio == NULL) return -ENOMEM;
  aio->timer = io->timer;
  aio->announcement = io->announcement;
  int result = 0;
  aio->completions = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (aio->completions < 0) result = -errno;
  if (result == 0 && syscall(SYS_io_setup, MIRRORBEAT_REQUEST_MAX, &aio->context) != 0)
    result = -errno;
  if (result == 0) result = start_forwarder(aio);
  if (result != 0) {
    if (aio->context != 0) (void)syscall(SYS_io_destroy, aio->context);
    if (aio->completions >= 0) (void)close(aio->completions);
    free(aio);
    return result;
  }
  io->engine_state = aio;
  return 0;
}

static void aio_stop(struct mirrorbeat_io *io) {
  struct aio *aio = io->engine_state;
  const uint64_t one = 1;
  atomic_store_explicit(&aio->stopping, true, memory_order_release);
  (void)!write(aio->completions, &one, sizeof one);
  (void)pthread_join(aio->forwarder, NULL);
  (void)syscall(SYS_io_destroy, aio->context);
  (void)close(aio->completions);
  io->engine_state = NULL;
  free(aio);
}

static int aio_submit(struct mirrorbeat_io *io, uint32_t index) {
  const struct mirrorbeat_request *record = &io->records[index];
  if (record->operation != MIRRORBEAT_READ && record->operation != MIRRORBEAT_WRITE)
    return slow_call_start(io, index);
  struct aio *aio = io->engine_state;
  struct iocb *block = &aio->blocks[index];
  *block = (struct iocb){
      .aio_data = index,
      .aio_lio_opcode = record->operation == MIRRORBEAT_READ ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE,
      .aio_fildes = (uint32_t)io->devices[record->device].file,
      .aio_buf = (uintptr_t)(io->area + record->memory),
      .aio_nbytes = record->length,
      .aio_offset = (int64_t)record->offset,
      .aio_flags = IOCB_FLAG_RESFD,
      .aio_resfd = (uint32_t)aio->completions,
  };
  long result = syscall(SYS_io_submit, aio->context, 1, &block);
  if (result == 1) return 0;
  return result < 0 ? -errno : -EAGAIN;
}

static void aio_collect(struct mirrorbeat_io *io) {
  struct aio *aio = io->engine_state;
  struct io_event events[BATCH];
  struct timespec no_time = {0};
  long count;
  do {
    count = syscall(SYS_io_getevents, aio->context, 0, BATCH, events, &no_time);
    for (long i = 0; i < count; i++)
      request_complete(io, (uint32_t)events[i].data, (int32_t)events[i].res);
  } while (count == BATCH);
}

/* The forwarder always listens. */
static void aio_watch_timer(struct mirrorbeat_io *io) { (void)io; }

const struct engine engine_aio = {
    .number = MIRRORBEAT_ENGINE_AIO,
    .start = aio_start,
    .stop = aio_stop,
    .submit = aio_submit,
    .collect = aio_collect,
    .watch_timer = aio_watch_timer,
};
