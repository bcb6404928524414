/*
 * mirrorbeat_vendor: what a library must offer so that mirrorbeat can drive an array through it.
 *
 * Five functions are needed and two are optional. Each takes a pointer to one structure that
 * mirrorbeat owns, reads the fields marked "in", fills the fields marked "out", and returns
 * MBV_OK or a fault class. A complete library is native/vendor-sample/sample_vendor.c; compile
 * yours with
 *
 *   cc -std=c99 -shared -fPIC -o libmyarray.so my_array.c
 *
 * What may be relied on
 *   - The library runs in a process of its own, one for each pair, and is called from one thread,
 *     one call at a time. It may wait, and it may die: mirrorbeat's heartbeats go on.
 *   - Nothing changes owner: no pointer crosses the border but the one to the structure, which is
 *     valid until the function returns.
 *   - "out" integers hold MBV_NOT_TOLD when a function is entered, "out" texts are empty.
 *   - The process has nothing in its environment but PATH. What the library prints on standard
 *     output or standard error is no answer; the last line of it is shown when the process dies.
 *
 * What must hold
 *   - A call ends within `deadline_ms`. One that does not is killed with its process a little
 *     later, and with all that it started; a change that was killed counts as undecided.
 *   - query with MBV_SCOPE_LOCAL asks this site's array alone and never waits for the other site.
 *   - A text ends with a zero byte within its field, and is printable ASCII.
 *   - What the array does not tell is MBV_NOT_TOLD, and a state that is not fully understood is
 *     MBV_STATE_UNKNOWN. Never say MBV_STATE_PAIRED of anything else than a pair that copies.
 *   - change says only what it did. Whether the pair changed, mirrorbeat asks by query.
 *
 * mirrorbeat believes no more than it can check: a number out of its range, a text without an end
 * or a byte written beyond the structure makes an answer unparseable, and a view that contradicts
 * itself (paired, but 37 percent) is taken for MBV_STATE_UNKNOWN.
 *
 * C99, and C++ from 98 with long long. All integers are of the host's byte order.
 */
#ifndef MIRRORBEAT_VENDOR_H
#define MIRRORBEAT_VENDOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when a structure, a number or a meaning below changes. */
#define MBV_ABI_VERSION 1

#define MBV_NOT_TOLD (-1)

#define MBV_NAME_BYTES 64
#define MBV_CAUSE_BYTES 160
#define MBV_TEXT_BYTES 256
#define MBV_COMMANDS_BYTES 2048

/* What a function returns, and why. */
enum mbv_fault {
  MBV_OK = 0,
  MBV_FAULT_DAEMON_DOWN = 1,      /* the array's daemon or program does not answer here */
  MBV_FAULT_PEER_UNREACHABLE = 2, /* the other site's array does not answer */
  MBV_FAULT_WRONG_STATE = 3,      /* not in this state of the pair */
  MBV_FAULT_ARRAY_REJECTED = 4,   /* the array refused it, or failed */
  MBV_FAULT_MIXED_GROUP = 5,      /* volumes of one group are in different states */
  MBV_FAULT_TIMEOUT = 6,
  MBV_FAULT_AUTH = 7,             /* not permitted */
  MBV_FAULT_CONFIG = 8,           /* the settings are wrong, or the array knows no such volume */
  MBV_FAULT_UNPARSEABLE = 9,      /* the array said what its interface is not known to say */
  MBV_FAULT_IDENTITY = 10,        /* the volume is not the one that is expected */
  MBV_FAULT_UNSUPPORTED = 11      /* there is no such operation */
};

enum mbv_state {
  MBV_STATE_SIMPLEX = 1,               /* no pair */
  MBV_STATE_COPYING = 2,               /* being made equal; the secondary is of no use yet */
  MBV_STATE_PAIRED = 3,
  MBV_STATE_SUSPENDED_BY_OPERATOR = 4, /* split by command */
  MBV_STATE_SUSPENDED_BY_ERROR = 5,    /* split by a fault of the link or of a volume */
  MBV_STATE_TAKEOVER = 6,              /* the secondary was made writable on its own */
  MBV_STATE_UNKNOWN = 7
};

/* As the array has it now: after a swap the primary is at the other site. */
enum mbv_role { MBV_ROLE_PRIMARY = 1, MBV_ROLE_SECONDARY = 2, MBV_ROLE_NONE = 3, MBV_ROLE_UNKNOWN = 4 };

enum mbv_verb {
  MBV_VERB_CREATE = 1,   /* make the pair; copies from the writer's volume to the reader's */
  MBV_VERB_SPLIT = 2,    /* suspend it; what was written before is copied */
  MBV_VERB_RESYNC = 3,   /* after a split or an error: copy what differs, then paired */
  MBV_VERB_SWAP = 4,     /* exchange the roles of a pair that is paired */
  MBV_VERB_TAKEOVER = 5, /* make this end writable, with or without the other site */
  MBV_VERB_REMOVE = 6    /* end the pair */
};
/* For the set of verbs in struct mbv_about_call. */
#define MBV_VERB_BIT(verb) (1 << (verb))

enum mbv_end { MBV_END_WRITER = 1, MBV_END_READER = 2 };
enum mbv_scope { MBV_SCOPE_LOCAL = 1, MBV_SCOPE_BOTH = 2 };
/* Whether the primary's write waits for the secondary's. */
enum mbv_copying { MBV_COPYING_SYNCHRONOUS = 1, MBV_COPYING_ASYNCHRONOUS = 2, MBV_COPYING_EITHER = 3 };
/* How a host reads the secondary while it is paired. */
enum mbv_reading { MBV_READING_DEVICE = 1, MBV_READING_BACKING_DEVICE = 2, MBV_READING_NONE = 3 };
/* MBV_NOT_TOLD where it may also be left open. */
enum mbv_flag { MBV_NO = 0, MBV_YES = 1 };

/* The beginning of every call. */
struct mbv_head {
  uint32_t size;                /* in: bytes of the whole structure */
  int32_t deadline_ms;          /* in: from now on */
  int64_t pair;                 /* out of open, in of all that follow: any number of the library's */
  char message[MBV_TEXT_BYTES]; /* out: one line for people where a fault is returned, else what was done */
};

/* mbv_about: the first call. */
struct mbv_about_call {
  struct mbv_head head;
  int32_t abi_version;    /* out: MBV_ABI_VERSION as the library was compiled */
  int32_t verbs;          /* out: MBV_VERB_BIT(...) of each change that there is */
  int32_t copying;        /* out: enum mbv_copying */
  int32_t secondary_read; /* out: enum mbv_reading */
  int32_t remote_query;   /* out: MBV_YES where MBV_SCOPE_BOTH can show the other end */
  int32_t atomic_swap;    /* out: MBV_YES where a swap exchanges the roles or does nothing */
  char name[MBV_NAME_BYTES]; /* out: the library and its version, for people */
};

/* mbv_open: the second call; returns at once if it can, and needs no array that answers. */
struct mbv_open_call {
  struct mbv_head head;
  int32_t abi_version;              /* in: of mirrorbeat */
  int32_t end;                      /* in: enum mbv_end, the end at which this host stands */
  char settings[MBV_TEXT_BYTES];    /* in: as configured, for the library alone */
  char device[MBV_TEXT_BYTES];      /* in: the heartbeat volume at this end */
  char peer_device[MBV_TEXT_BYTES]; /* in: the one at the other end */
};

/* mbv_close: the last call, if there is time for one. */
struct mbv_close_call {
  struct mbv_head head;
};

struct mbv_identify_call {
  struct mbv_head head;
  char own[MBV_NAME_BYTES];  /* out: ARRAY/VOLUME, the same for ever, unique over all arrays */
  char peer[MBV_NAME_BYTES]; /* out: the other end; empty where this end does not know it */
};

/* One end of the pair as its own array sees it. */
struct mbv_view {
  int32_t state;            /* enum mbv_state */
  int32_t role;             /* enum mbv_role */
  int32_t readable;         /* enum mbv_flag, by a host at that end */
  int32_t writable;         /* enum mbv_flag */
  int32_t in_sync;          /* enum mbv_flag: the secondary holds all that the primary does */
  int32_t percent;          /* of the copying, 0 to 100 */
  int64_t last_copy_ago_ms; /* since the last block reached the secondary */
  char native[MBV_NAME_BYTES]; /* the array's own words for the state */
  char cause[MBV_CAUSE_BYTES]; /* why suspended by an error, or unknown; empty otherwise */
};

struct mbv_query_call {
  struct mbv_head head;
  int32_t scope;          /* in: enum mbv_scope */
  int32_t remote_fault;   /* out: MBV_OK where `remote` is filled, else enum mbv_fault */
  int64_t age_ms;         /* out: how old the knowledge is; 0 where the array was asked just now */
  struct mbv_view local;  /* out */
  struct mbv_view remote; /* out, with MBV_SCOPE_BOTH */
  char remote_message[MBV_TEXT_BYTES]; /* out: one line for people with remote_fault */
};

struct mbv_commands_call {
  struct mbv_head head;
  int32_t verb;  /* in: enum mbv_verb */
  int32_t force; /* in: enum mbv_flag */
  char text[MBV_COMMANDS_BYTES]; /* out: what change would send now, one command a line */
};

struct mbv_change_call {
  struct mbv_head head;
  int32_t verb;     /* in: enum mbv_verb */
  int32_t force;    /* in: enum mbv_flag: the operator accepts what may be lost */
  int32_t begun;    /* out: MBV_NO where nothing was sent to the array, else MBV_YES */
  int32_t reserved;
};

/* Seen from outside also where the library hides its other functions. */
#if defined(__GNUC__)
#define MBV_EXPORT __attribute__((visibility("default")))
#else
#define MBV_EXPORT
#endif

MBV_EXPORT int32_t mbv_about(struct mbv_about_call *call);
MBV_EXPORT int32_t mbv_open(struct mbv_open_call *call);
MBV_EXPORT int32_t mbv_identify(struct mbv_identify_call *call);
MBV_EXPORT int32_t mbv_query(struct mbv_query_call *call);
MBV_EXPORT int32_t mbv_change(struct mbv_change_call *call);
/* Optional; asks the array nothing. */
MBV_EXPORT int32_t mbv_commands(struct mbv_commands_call *call);
/* Optional. */
MBV_EXPORT int32_t mbv_close(struct mbv_close_call *call);

/*
 * The layout, held by whichever compiler reads this; a test of mirrorbeat's holds its own table
 * against the same lines.
 */
#define MBV_SIZE(type, bytes) typedef char mbv_size_of_##type[sizeof(struct type) == (bytes) ? 1 : -1]
#define MBV_AT(type, field, bytes) \
  typedef char mbv_##type##_##field##_at[offsetof(struct type, field) == (bytes) ? 1 : -1]
MBV_SIZE(mbv_head, 272);
MBV_AT(mbv_head, size, 0);
MBV_AT(mbv_head, deadline_ms, 4);
MBV_AT(mbv_head, pair, 8);
MBV_AT(mbv_head, message, 16);
MBV_SIZE(mbv_about_call, 360);
MBV_AT(mbv_about_call, abi_version, 272);
MBV_AT(mbv_about_call, verbs, 276);
MBV_AT(mbv_about_call, copying, 280);
MBV_AT(mbv_about_call, secondary_read, 284);
MBV_AT(mbv_about_call, remote_query, 288);
MBV_AT(mbv_about_call, atomic_swap, 292);
MBV_AT(mbv_about_call, name, 296);
MBV_SIZE(mbv_open_call, 1048);
MBV_AT(mbv_open_call, abi_version, 272);
MBV_AT(mbv_open_call, end, 276);
MBV_AT(mbv_open_call, settings, 280);
MBV_AT(mbv_open_call, device, 536);
MBV_AT(mbv_open_call, peer_device, 792);
MBV_SIZE(mbv_close_call, 272);
MBV_SIZE(mbv_identify_call, 400);
MBV_AT(mbv_identify_call, own, 272);
MBV_AT(mbv_identify_call, peer, 336);
MBV_SIZE(mbv_view, 256);
MBV_AT(mbv_view, state, 0);
MBV_AT(mbv_view, role, 4);
MBV_AT(mbv_view, readable, 8);
MBV_AT(mbv_view, writable, 12);
MBV_AT(mbv_view, in_sync, 16);
MBV_AT(mbv_view, percent, 20);
MBV_AT(mbv_view, last_copy_ago_ms, 24);
MBV_AT(mbv_view, native, 32);
MBV_AT(mbv_view, cause, 96);
MBV_SIZE(mbv_query_call, 1056);
MBV_AT(mbv_query_call, scope, 272);
MBV_AT(mbv_query_call, remote_fault, 276);
MBV_AT(mbv_query_call, age_ms, 280);
MBV_AT(mbv_query_call, local, 288);
MBV_AT(mbv_query_call, remote, 544);
MBV_AT(mbv_query_call, remote_message, 800);
MBV_SIZE(mbv_commands_call, 2328);
MBV_AT(mbv_commands_call, verb, 272);
MBV_AT(mbv_commands_call, force, 276);
MBV_AT(mbv_commands_call, text, 280);
MBV_SIZE(mbv_change_call, 288);
MBV_AT(mbv_change_call, verb, 272);
MBV_AT(mbv_change_call, force, 276);
MBV_AT(mbv_change_call, begun, 280);
MBV_AT(mbv_change_call, reserved, 284);

#ifdef __cplusplus
}
#endif

#endif
