/*
 * The state file holds three words: the state at the writer's end, the state at the reader's, and
 * which end is primary. The file STATE.fault, where there is one, holds the word of a fault.
 *
 * Invariants: whoever reads or changes the state holds the lock file; the state is replaced whole;
 * "paired" is written only after everything has been copied.
 */
#define _POSIX_C_SOURCE 200809L
#include "sample_array.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_BYTES 65536

const char *const sample_states[] = {"", "simplex", "copying", "paired", "split", "error", "takeover"};
const char *const sample_ends[] = {"", "writer", "reader"};

static const char *const faults[] = {
  "", "hang", "crash", "lie", "garbage", "unterminated", "overrun", "late", "noisy", "cut-link",
  "crash-after-effect", "fail-after-effect", "no-effect", "mixed-group", "other-volume"};
static char copy_buffer[2][BLOCK_BYTES];

/* ---- small tools ---------------------------------------------------------------------------- */

int64_t now_ms(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(long ms) {
  struct timespec length;
  length.tv_sec = ms / 1000;
  length.tv_nsec = ms % 1000 * 1000000;
  (void)nanosleep(&length, NULL);
}

static int index_of(const char *word, const char *const *words, int count) {
  int index;
  for (index = 0; index < count; index++) {
    if (strcmp(word, words[index]) == 0) return index;
  }
  return -1;
}

static void path_beside(const struct pair *pair, const char *suffix, char *path, size_t bytes) {
  (void)snprintf(path, bytes, "%s%s", pair->state_file, suffix);
}

/* ---- faults, for tests ---------------------------------------------------------------------- */

enum fault fault_of(const struct pair *pair) {
  char path[MBV_TEXT_BYTES + 16];
  char word[32] = "";
  FILE *file;
  int found;
  path_beside(pair, ".fault", path, sizeof path);
  file = fopen(path, "re");
  if (file == NULL) return NO_FAULT;
  if (fscanf(file, "%31s", word) != 1) word[0] = '\0';
  (void)fclose(file);
  found = index_of(word, faults, FAULT_COUNT);
  return found < 0 ? NO_FAULT : (enum fault)found;
}

int meet(enum fault fault, struct mbv_head *head) {
  size_t after = sizeof *head;
  switch (fault) {
    case HANG:
      for (;;) pause_ms(1000);
    case CRASH:
      (void)fprintf(stderr, "sample: about to crash\n");
      (void)raise(SIGSEGV);
      return 1;
    case LATE:
      pause_ms((long)head->deadline_ms * 2);
      return 0;
    case NOISY:
      (void)printf("{\"id\":1,\"result\":0}\n");
      (void)fflush(stdout);
      return 0;
    case GARBAGE:
      memset((char *)head + after, 0xa5, head->size - after);
      return 1;
    case OVERRUN:
      memset((char *)head + after, 0, head->size - after + 8);
      return 1;
    default:
      return 0;
  }
}

/* ---- the state file ------------------------------------------------------------------------- */

int lock(const struct pair *pair, int64_t end_ms) {
  char path[MBV_TEXT_BYTES + 16];
  struct flock whole;
  int descriptor;
  path_beside(pair, ".lock", path, sizeof path);
  descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return -1;
  memset(&whole, 0, sizeof whole);
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  while (fcntl(descriptor, F_SETLK, &whole) != 0) {
    if ((errno != EAGAIN && errno != EACCES) || now_ms() >= end_ms) {
      (void)close(descriptor);
      return -1;
    }
    pause_ms(2);
  }
  return descriptor;
}

int load(const struct pair *pair, struct known *known) {
  char words[3][16];
  FILE *file = fopen(pair->state_file, "re");
  int count;
  known->state[MBV_END_WRITER] = known->state[MBV_END_READER] = MBV_STATE_SIMPLEX;
  known->primary = MBV_END_WRITER;
  if (file == NULL) return errno == ENOENT;
  count = fscanf(file, "%15s %15s %15s", words[0], words[1], words[2]);
  (void)fclose(file);
  if (count != 3) return 0;
  known->state[MBV_END_WRITER] = index_of(words[0], sample_states, 7);
  known->state[MBV_END_READER] = index_of(words[1], sample_states, 7);
  known->primary = index_of(words[2], sample_ends, 3);
  return known->state[MBV_END_WRITER] > 0 && known->state[MBV_END_READER] > 0 && known->primary > 0;
}

int store(const struct pair *pair, const struct known *known) {
  char path[MBV_TEXT_BYTES + 16];
  FILE *file;
  int good;
  path_beside(pair, ".new", path, sizeof path);
  file = fopen(path, "we");
  if (file == NULL) return 0;
  good = fprintf(file, "%s %s %s\n", sample_states[known->state[MBV_END_WRITER]],
                 sample_states[known->state[MBV_END_READER]], sample_ends[known->primary]) > 0;
  good = fclose(file) == 0 && good;
  return good && rename(path, pair->state_file) == 0;
}

/* ---- copying -------------------------------------------------------------------------------- */

/* 1 when all that differed has been copied. */
static int copy(const char *from, const char *to, int64_t end_ms) {
  int source = open(from, O_RDONLY | O_CLOEXEC);
  int target = open(to, O_RDWR | O_CLOEXEC);
  int good = source >= 0 && target >= 0;
  off_t at = 0;
  while (good) {
    ssize_t got = pread(source, copy_buffer[0], BLOCK_BYTES, at);
    if (got == 0) break;
    good = got > 0 && now_ms() < end_ms;
    if (good && (pread(target, copy_buffer[1], (size_t)got, at) != got ||
                 memcmp(copy_buffer[0], copy_buffer[1], (size_t)got) != 0)) {
      good = pwrite(target, copy_buffer[0], (size_t)got, at) == got;
    }
    at += got;
  }
  if (source >= 0) (void)close(source);
  if (target >= 0) (void)close(target);
  return good;
}

static int is_copied(int state) { return state == MBV_STATE_PAIRED || state == MBV_STATE_COPYING; }

int work(const struct pair *pair, struct known *known, int link, int64_t end_ms) {
  int other = 3 - pair->end;
  struct known before = *known;
  if (!is_copied(known->state[pair->end])) return 1;
  if (!link || !is_copied(known->state[other])) {
    known->state[pair->end] = MBV_STATE_SUSPENDED_BY_ERROR;
  } else if (copy(pair->volume[known->primary], pair->volume[3 - known->primary], end_ms)) {
    known->state[pair->end] = known->state[other] = MBV_STATE_PAIRED;
  } else {
    known->state[pair->end] = known->state[other] = MBV_STATE_SUSPENDED_BY_ERROR;
  }
  return memcmp(&before, known, sizeof before) == 0 || store(pair, known);
}

/* ---- commands ------------------------------------------------------------------------------- */

int32_t apply(const struct pair *pair, int verb, int link, struct known *known) {
  int own = pair->end;
  int other = 3 - own;
  int suspended = known->state[own] == MBV_STATE_SUSPENDED_BY_OPERATOR ||
                  known->state[own] == MBV_STATE_SUSPENDED_BY_ERROR;
  if (!link && (verb == MBV_VERB_CREATE || verb == MBV_VERB_RESYNC || verb == MBV_VERB_SWAP)) {
    return MBV_FAULT_PEER_UNREACHABLE;
  }
  switch (verb) {
    case MBV_VERB_CREATE:
      if (known->state[own] != MBV_STATE_SIMPLEX || known->state[other] != MBV_STATE_SIMPLEX) break;
      known->primary = MBV_END_WRITER;
      known->state[own] = known->state[other] = MBV_STATE_COPYING;
      return MBV_OK;
    case MBV_VERB_SPLIT:
      if (!is_copied(known->state[own])) break;
      known->state[own] = MBV_STATE_SUSPENDED_BY_OPERATOR;
      if (link) known->state[other] = MBV_STATE_SUSPENDED_BY_OPERATOR;
      return MBV_OK;
    case MBV_VERB_RESYNC:
      if (!suspended || known->state[other] == MBV_STATE_TAKEOVER ||
          known->state[other] == MBV_STATE_SIMPLEX) {
        break;
      }
      known->state[own] = known->state[other] = MBV_STATE_COPYING;
      return MBV_OK;
    case MBV_VERB_SWAP:
      if (known->state[own] != MBV_STATE_PAIRED || known->state[other] != MBV_STATE_PAIRED) break;
      known->primary = 3 - known->primary;
      return MBV_OK;
    case MBV_VERB_TAKEOVER:
      if (known->primary == own || known->state[own] == MBV_STATE_SIMPLEX) break;
      known->state[own] = MBV_STATE_TAKEOVER;
      if (link) known->state[other] = MBV_STATE_SUSPENDED_BY_ERROR;
      return MBV_OK;
    case MBV_VERB_REMOVE:
      known->state[own] = MBV_STATE_SIMPLEX;
      if (link) known->state[other] = MBV_STATE_SIMPLEX;
      return MBV_OK;
    default:
      return MBV_FAULT_UNSUPPORTED;
  }
  return MBV_FAULT_WRONG_STATE;
}
