/* Several armed hosts at the owner's site, each with its own lease; one decider at the other.
 * It waits since the newest record of any of them, and must have seen the guard of each.
 */
#include "step.h"
#ifndef TL
#define TL 1
#endif
#ifndef TWD
#define TWD 1
#endif
#ifndef TW
#define TW (TL + 2*TWD)
#endif
#define NONE TL
#define OFF 0
#define ON 1
#define FENCED 2

bit alive[2] = 1, mayFeed[2], solo[2], taken = 0;
byte serve[2], lease[2] = NONE, dog[2];
/* the decider: what it knows of each, and one wait for all */
bit viewOld[2], seenGuard[2];
byte viewAge[2] = NONE, wait = 0;
/* records under way: from each, to each */
bit sent[2], sentOld[2], guarded[2], echoes[2], echoOld[2];
byte sentAge[2], echoAge[2] = NONE;

#ifdef ONEWAIT                            /* the wait looks at host 0 alone */
#define counts(i) (i == 0)
#else
#define counts(i) 1
#endif
#ifdef ONEGUARD                           /* the guard of any one is enough */
#define guardSeen (seenGuard[0] || seenGuard[1])
#else
#define guardSeen (seenGuard[0] && seenGuard[1])
#endif
#define mayTick(i) (serve[i] == OFF || dog[i] < TWD)

inline clearSent(by) { sent[by] = 0; sentOld[by] = 0; guarded[by] = 0; sentAge[by] = 0 }
inline clearEcho(to) { echoes[to] = 0; echoOld[to] = 0; echoAge[to] = NONE }
inline down(i) { alive[i] = 0; serve[i] = OFF; dog[i] = 0; mayFeed[i] = 0; lease[i] = NONE; solo[i] = 0 }

proctype host(byte i) {
end: do
  :: RULE("writes a record", alive[i]) clearSent(i); sent[i] = 1; guarded[i] = !solo[i] }
  :: RULE("reads its grant", alive[i] && echoes[i])
       if :: !echoOld[i] && echoAge[i] < lease[i] -> lease[i] = echoAge[i] :: else fi;
       if :: lease[i] < TL -> solo[i] = 0 :: else fi;
       clearEcho(i) }
  :: RULE("active: by its own lease", alive[i] && serve[i] == OFF && lease[i] < TL)
       serve[i] = ON; dog[i] = 0; mayFeed[i] = 0; assert(!taken) }
  :: RULE("checks its lease: may feed the watchdog",
          alive[i] && serve[i] == ON && !mayFeed[i] && (lease[i] < TL || solo[i]))
       mayFeed[i] = 1 }
  :: RULE("fenced: its lease is over", alive[i] && serve[i] == ON && !mayFeed[i] && lease[i] >= TL && !solo[i])
       serve[i] = FENCED }
  :: RULE("feeds the watchdog", alive[i] && mayFeed[i]) dog[i] = 0; mayFeed[i] = 0 }
  :: RULE("stopped, and that is verified", alive[i] && serve[i] == FENCED)
       serve[i] = OFF; dog[i] = 0; mayFeed[i] = 0 }
  :: RULE("crashes", alive[i]) down(i) }
  :: RULE("is reset by its watchdog", !mayTick(i)) down(i) }
  :: RULE("starts anew", !alive[i])
       alive[i] = 1;
       if :: sent[i] -> sentOld[i] = 1 :: else fi;
       if :: viewAge[i] < NONE -> viewOld[i] = 1 :: else fi;
       if :: echoes[i] -> echoOld[i] = 1 :: else fi }

  /* the decider's part for host i */
  :: RULE("is read by the decider", sent[i])
       viewAge[i] = sentAge[i]; viewOld[i] = (sentAge[i] < TL && sentOld[i]); 
       if :: guarded[i] -> seenGuard[i] = 1 :: else fi;
       if :: counts(i) -> wait = 0 :: else fi; clearSent(i) }
  :: RULE("its record is lost", sent[i]) clearSent(i) }
  :: RULE("is granted by the decider", !taken && viewAge[i] < TL)
       clearEcho(i); echoes[i] = 1; echoAge[i] = viewAge[i]; echoOld[i] = viewOld[i] }
  :: RULE("its grant is lost", echoes[i]) clearEcho(i) }
  od
}

proctype decider() {
  byte i = 2;
end: do
  :: RULE("closing and taking over", !taken && guardSeen && wait >= TW)
       TAKEN; taken = 1; assert(serve[0] == OFF && serve[1] == OFF) }
  :: RULE("starts anew", !taken)
       wait = 0; seenGuard[0] = 0; seenGuard[1] = 0; viewAge[0] = NONE; viewAge[1] = NONE;
       viewOld[0] = 0; viewOld[1] = 0 }
  od
}

#define older(x) if :: x < NONE -> x++ :: else fi
inline tick(i) {
  older(lease[i]); older(viewAge[i]); older(echoAge[i]);
  if :: sent[i] -> older(sentAge[i]) :: else fi;
  if :: viewAge[i] == NONE -> viewOld[i] = 0 :: else fi;
  if :: echoes[i] && echoAge[i] == NONE -> clearEcho(i) :: else fi;
  if :: serve[i] != OFF -> dog[i]++ :: else fi
}
proctype clock() {
end: do
  :: d_step { mayTick(0) && mayTick(1) -> printf("@ tick\n");
       tick(0); tick(1); if :: wait < TW -> wait++ :: else fi }
  od
}

/* Host 1 may serve already without a lease, by a RENOUNCED that stood before. */
init { atomic {
  if :: serve[1] = ON; solo[1] = 1 :: skip fi;
  run host(0); run host(1); run decider(); run clock()
} }
