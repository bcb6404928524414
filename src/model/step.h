/* What every model shares: how a step is written and shown, and what a replayed trace allows.
 * A replay includes a table `want` of the events of a trace. An event that is not the next one
 * makes the run dead; the end of the trace is found as a violated assertion. */
#define E_ACTIVE 1
#define E_FENCED 2
#define E_STOPPED 3
#define E_HANDOVER 4
#define E_TERM 5
#define E_CLOSING 6
#define E_RAISE 7
#define E_RENOUNCE 8
#define E_GRANT 9
#define E_SOLO 10
#define E_GUARD 11
#define E_DOWN 12
#define E_START 13

#ifdef REPLAY
#include "trace.h"
short position = 0;
bit dead = 0;
#define LIVE (!dead)
#define ONE 1        /* what never happens is no step of the model: checked without a trace */
#define CODE(event, site, of) ((event)*32 + (site)*16 + (of))
#define MARK(event, site, of) \
  if :: want[position] == CODE(event, site, of) -> position++; assert(LENGTH > position) \
     :: else -> dead = 1 \
  fi
#else
#define ONE 0
#define LIVE 1
#define MARK(event, site, of) skip
#endif

/* Shows that a model is not empty: with REACH the search must find this place. */
#ifdef REACH
#define TAKEN assert(0)
#else
#define TAKEN skip
#endif

/* One step of site i: what it does in words, and when it may. It ends with a brace. */
#define RULE(text, guard) d_step { LIVE && (guard) -> printf("@ %d ", i); printf(text); printf("\n");
