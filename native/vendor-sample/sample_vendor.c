/*
 * A complete library for mirrorbeat's vendor provider. Its "array" are two plain files, which it
 * copies itself whenever it is called (sample_array.c); mirrorbeat's own tests load it too.
 *
 * Settings: "state=/path", and where they differ from the heartbeat volumes "pvol=/path" and
 * "svol=/path", separated by ";". Both ends of a pair name the same state file.
 */
#define _POSIX_C_SOURCE 200809L
#include "sample_array.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAIRS_MAX 4

static struct pair pairs[PAIRS_MAX];

static void say(char *text, size_t bytes, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(text, bytes, format, arguments);
  va_end(arguments);
}

/* The value of KEY in "KEY=value;KEY=value"; 0 where it is missing, empty or too long. */
static int setting(const char *settings, const char *key, char *value, size_t bytes) {
  const char *at = settings;
  size_t key_length = strlen(key);
  while (at != NULL && *at != '\0') {
    const char *end = strchr(at, ';');
    size_t length = end != NULL ? (size_t)(end - at) : strlen(at);
    if (length > key_length && strncmp(at, key, key_length) == 0 && at[key_length] == '=') {
      size_t value_length = length - key_length - 1;
      if (value_length == 0 || value_length >= bytes) return 0;
      memcpy(value, at + key_length + 1, value_length);
      value[value_length] = '\0';
      return 1;
    }
    at = end != NULL ? end + 1 : NULL;
  }
  return 0;
}

static struct pair *pair_of(struct mbv_head *head) {
  if (head->pair >= 1 && head->pair <= PAIRS_MAX && pairs[head->pair - 1].used) {
    return &pairs[head->pair - 1];
  }
  say(head->message, sizeof head->message, "no pair %ld is open", (long)head->pair);
  return NULL;
}

int32_t mbv_about(struct mbv_about_call *call) {
  call->abi_version = MBV_ABI_VERSION;
  call->verbs = MBV_VERB_BIT(MBV_VERB_CREATE) | MBV_VERB_BIT(MBV_VERB_SPLIT) |
                MBV_VERB_BIT(MBV_VERB_RESYNC) | MBV_VERB_BIT(MBV_VERB_SWAP) |
                MBV_VERB_BIT(MBV_VERB_TAKEOVER) | MBV_VERB_BIT(MBV_VERB_REMOVE);
  call->copying = MBV_COPYING_ASYNCHRONOUS;
  call->secondary_read = MBV_READING_DEVICE;
  call->remote_query = MBV_YES;
  call->atomic_swap = MBV_YES;
  say(call->name, sizeof call->name, "two files, sample 1");
  return MBV_OK;
}

int32_t mbv_open(struct mbv_open_call *call) {
  int free_at = 0;
  struct pair *pair;
  while (free_at < PAIRS_MAX && pairs[free_at].used) free_at++;
  if (call->abi_version != MBV_ABI_VERSION || free_at == PAIRS_MAX) {
    say(call->head.message, MBV_TEXT_BYTES, "another version, or too many pairs");
    return MBV_FAULT_CONFIG;
  }
  pair = &pairs[free_at];
  pair->end = call->end;
  if (!setting(call->settings, "state", pair->state_file, MBV_TEXT_BYTES)) {
    say(call->head.message, MBV_TEXT_BYTES, "settings: state=/path is missing");
    return MBV_FAULT_CONFIG;
  }
  say(pair->volume[pair->end], MBV_TEXT_BYTES, "%s", call->device);
  say(pair->volume[3 - pair->end], MBV_TEXT_BYTES, "%s", call->peer_device);
  (void)setting(call->settings, "pvol", pair->volume[MBV_END_WRITER], MBV_TEXT_BYTES);
  (void)setting(call->settings, "svol", pair->volume[MBV_END_READER], MBV_TEXT_BYTES);
  pair->used = 1;
  call->head.pair = free_at + 1;
  return MBV_OK;
}

int32_t mbv_close(struct mbv_close_call *call) {
  struct pair *pair = pair_of(&call->head);
  if (pair == NULL) return MBV_FAULT_CONFIG;
  pair->used = 0;
  return MBV_OK;
}

int32_t mbv_identify(struct mbv_identify_call *call) {
  struct pair *pair = pair_of(&call->head);
  enum fault fault;
  if (pair == NULL) return MBV_FAULT_CONFIG;
  fault = fault_of(pair);
  if (meet(fault, &call->head)) return MBV_OK;
  say(call->own, MBV_NAME_BYTES, "sample/%s%s", sample_ends[pair->end], fault == OTHER_VOLUME ? "2" : "");
  say(call->peer, MBV_NAME_BYTES, "sample/%s", sample_ends[3 - pair->end]);
  return MBV_OK;
}

static void describe(const struct known *known, int end, struct mbv_view *view) {
  int state = known->state[end];
  int primary = known->primary == end;
  view->state = state;
  view->role = state == MBV_STATE_SIMPLEX ? MBV_ROLE_NONE : primary ? MBV_ROLE_PRIMARY : MBV_ROLE_SECONDARY;
  view->readable = MBV_YES;
  view->writable = primary || state == MBV_STATE_SIMPLEX || state == MBV_STATE_TAKEOVER;
  view->in_sync = state == MBV_STATE_PAIRED;
  view->percent = state == MBV_STATE_PAIRED ? 100 : MBV_NOT_TOLD;
  view->last_copy_ago_ms = state == MBV_STATE_PAIRED ? 0 : MBV_NOT_TOLD;
  say(view->native, sizeof view->native, "%s", sample_states[state]);
  if (state == MBV_STATE_SUSPENDED_BY_ERROR) {
    say(view->cause, sizeof view->cause, "the link is cut, or a volume failed");
  }
}

static void lie(struct mbv_view *view) {
  view->state = MBV_STATE_PAIRED;
  view->role = MBV_ROLE_NONE;
  view->percent = 37;
}

int32_t mbv_query(struct mbv_query_call *call) {
  struct pair *pair = pair_of(&call->head);
  int64_t end_ms = now_ms() + call->head.deadline_ms;
  struct known known;
  enum fault fault;
  int descriptor;
  int good;
  if (pair == NULL) return MBV_FAULT_CONFIG;
  fault = fault_of(pair);
  if (meet(fault, &call->head)) return MBV_OK;
  if (fault == MIXED_GROUP) return MBV_FAULT_MIXED_GROUP;
  descriptor = lock(pair, end_ms);
  if (descriptor < 0) return MBV_FAULT_TIMEOUT;
  good = load(pair, &known) && work(pair, &known, fault != CUT_LINK, end_ms);
  (void)close(descriptor);
  if (!good) return MBV_FAULT_UNPARSEABLE;
  call->age_ms = 0;
  describe(&known, pair->end, &call->local);
  if (call->scope == MBV_SCOPE_BOTH) {
    call->remote_fault = fault == CUT_LINK ? MBV_FAULT_PEER_UNREACHABLE : MBV_OK;
    if (fault == CUT_LINK) say(call->remote_message, MBV_TEXT_BYTES, "the link is cut");
    else describe(&known, 3 - pair->end, &call->remote);
  }
  if (fault == LIE) lie(&call->local);
  if (fault == UNTERMINATED) memset(call->local.native, 'x', sizeof call->local.native);
  return MBV_OK;
}

int32_t mbv_commands(struct mbv_commands_call *call) {
  static const char *const verbs[] = {"", "create", "split", "resync", "swap", "takeover", "remove"};
  struct pair *pair = pair_of(&call->head);
  if (pair == NULL || call->verb < 1 || call->verb > 6) return MBV_FAULT_CONFIG;
  say(call->text, sizeof call->text, "sample %s %s", verbs[call->verb], pair->state_file);
  return MBV_OK;
}

int32_t mbv_change(struct mbv_change_call *call) {
  struct pair *pair = pair_of(&call->head);
  int64_t end_ms = now_ms() + call->head.deadline_ms;
  struct known known;
  enum fault fault;
  int descriptor;
  int32_t result;
  int link;
  call->begun = MBV_NO;
  if (pair == NULL) return MBV_FAULT_CONFIG;
  fault = fault_of(pair);
  link = fault != CUT_LINK;
  if (meet(fault, &call->head)) return MBV_OK;
  if (fault == NO_EFFECT) {
    call->begun = MBV_YES;
    return MBV_OK;
  }
  descriptor = lock(pair, end_ms);
  if (descriptor < 0) return MBV_FAULT_TIMEOUT;
  result = load(pair, &known) ? MBV_OK : MBV_FAULT_UNPARSEABLE;
  /* What was written before a split or a swap is at the other end too. */
  if (result == MBV_OK && !work(pair, &known, link, end_ms)) result = MBV_FAULT_ARRAY_REJECTED;
  if (result == MBV_OK) result = apply(pair, call->verb, link, &known);
  if (result == MBV_OK) {
    call->begun = MBV_YES;
    if (!store(pair, &known) || !work(pair, &known, link, end_ms)) result = MBV_FAULT_ARRAY_REJECTED;
  }
  (void)close(descriptor);
  if (fault == CRASH_AFTER_EFFECT) abort();
  if (fault == FAIL_AFTER_EFFECT) result = MBV_FAULT_ARRAY_REJECTED;
  say(call->head.message, MBV_TEXT_BYTES, result == MBV_OK ? "done" : "refused by the sample");
  return result;
}
