/*
 * The "array" of the sample library: two plain files, and a state file that both ends share. A
 * library for a real array has calls of that array in the place of sample_array.c.
 */
#ifndef SAMPLE_ARRAY_H
#define SAMPLE_ARRAY_H

#include "mirrorbeat_vendor.h"

/* Faults to be had, for tests: the words are in sample_array.c, in this order. */
enum fault {
  NO_FAULT, HANG, CRASH, LIE, GARBAGE, UNTERMINATED, OVERRUN, LATE, NOISY, CUT_LINK,
  CRASH_AFTER_EFFECT, FAIL_AFTER_EFFECT, NO_EFFECT, MIXED_GROUP, OTHER_VOLUME, FAULT_COUNT};

struct pair {
  int used;
  int end; /* enum mbv_end */
  char state_file[MBV_TEXT_BYTES];
  char volume[3][MBV_TEXT_BYTES]; /* by enum mbv_end */
};

/* What the state file holds. */
struct known {
  int state[3]; /* enum mbv_state, by enum mbv_end */
  int primary;  /* enum mbv_end */
};

extern const char *const sample_states[]; /* by enum mbv_state */
extern const char *const sample_ends[];   /* by enum mbv_end */

int64_t now_ms(void);

/* The fault that STATE.fault asks for. */
enum fault fault_of(const struct pair *pair);
/* What may happen to any call. Returns 1 where the call has been answered by it. */
int meet(enum fault fault, struct mbv_head *head);

/* The descriptor to be closed when done; -1 where it cannot be had in time. */
int lock(const struct pair *pair, int64_t end_ms);
/* 0 where it holds something else than it should. A missing file is a pair never made. */
int load(const struct pair *pair, struct known *known);
int store(const struct pair *pair, const struct known *known);

/* What the array does by itself: copies, or finds that it cannot. 0 after a failure. */
int work(const struct pair *pair, struct known *known, int link, int64_t end_ms);
/* What a command makes of the state; a fault class where it cannot be. */
int32_t apply(const struct pair *pair, int verb, int link, struct known *known);

#endif
