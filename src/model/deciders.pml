/* Two hosts of the standby site, of which one decides: it holds the site's lock by claims on a
 * volume of its own site. One production host, one term and the raise to the next.
 * A write of a claim is submitted and lands later; a read shows what has landed. See docs/model.md.
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
#ifndef TLOCK
#define TLOCK 2
#endif
#ifndef TLW                               /* how long a claim is seen unchanged before one's own */
#define TLW TLOCK
#endif
#ifndef EMAX
#define EMAX 2
#endif
#define NONE TL
#define OFF 0
#define ON 1
#define FENCED 2
#define other(i) (1 - (i))
/* a claim: none; its write under way; landed and not confirmed by a read yet */
#define WRITING 1
#define LANDED 2
/* a takeover */
#define RAISED 1
#define PUBLISHED 2
#define SERVES 3

/* production */
byte serve = ON, lease = 0, dog = 0, sawEpoch = 0;
bit mayFeed = 0, solo = 0;
bit knows[2];                             /* saw a record of the host's present hold of the lock */
/* the hosts */
bit held[2], seenGuard[2], raised[2];
byte claim[2], step[2], still[2], wait[2], epoch[2], viewAge[2] = NONE;
byte lockAge[2] = TLOCK, writeAge[2];
/* the lock's volume: what landed in each slot, and whether the other saw it */
bit slotClaim[2], slotTerm[2], unread[2], writesTerm[2];
byte slotEpoch[2];
/* records: production to each host; each host to production */
bit sent[2], echoAfter[2], guarded[2], grants[2], renounces[2], ofThisHold[2];
byte sentAge[2], echoAge[2] = NONE, grantEpoch[2];

#define valid(i) (held[i] && lockAge[i] < TLOCK)
#ifdef UNLOCKEDECHO
#define mayGrant(i) (!raised[i] && step[i] == 0)
#else
#define mayGrant(i) (!raised[i] && step[i] == 0 && valid(i))
#endif
#ifdef OLDEPOCH
#define epochGood(i) 1
#else
#define epochGood(i) (grantEpoch[i] >= sawEpoch)
#endif
#ifdef UNTIMED
#define inTime(i) held[i]
#else
#define inTime(i) valid(i)
#endif
#ifdef EARLYREAD                          /* forgets what it sees while its claim is under way */
#define earlyRead(i) (claim[i] != LANDED)
#else
#define earlyRead(i) (claim[i] == 0)
#endif
#ifdef REVIVE                             /* a renewal after the lock lapsed */
#define lapsed(i) 0
#else
#define lapsed(i) (held[i] && lockAge[i] >= TLOCK)
#endif
#ifdef NORENOUNCE
#define guardSeen(i) 1
#define nextEpoch(i) 0
#else
#define guardSeen(i) seenGuard[i]
#define nextEpoch(i) ((epoch[i] > slotEpoch[other(i)] -> epoch[i] : slotEpoch[other(i)]) + 1)
#endif
#define mayTick (serve == OFF || dog < TWD)

inline clearSent(to) { sent[to] = 0; sentAge[to] = 0; echoAfter[to] = 0; guarded[to] = 0 }
inline clearGrant(by) {
  grants[by] = 0; renounces[by] = 0; ofThisHold[by] = 0; echoAge[by] = NONE; grantEpoch[by] = 0
}
/* What the peer echoed of this host up to now does not count as guard seen. */
inline voidEchoes(by) { ofThisHold[by] = 0; knows[by] = 0; echoAfter[by] = 0; seenGuard[by] = 0 }

#ifdef NORENOUNCE
#define note(to) skip
#define hold(by) skip
#define observe(i) skip
#else
#define note(to) guarded[to] = !solo; echoAfter[to] = knows[to]
#define hold(by) ofThisHold[by] = 1
#define observe(i) if :: guarded[i] && echoAfter[i] -> seenGuard[i] = 1 :: else fi
#endif

inline readGrant(i) {
  if
  :: echoAge[i] < TL ->
     if :: echoAge[i] < lease -> lease = echoAge[i] :: else fi;
     if :: renounces[i] && epochGood(i) -> solo = 1
        :: !renounces[i] && lease < TL && epochGood(i) -> solo = 0
        :: else
     fi
  :: else
  fi;
  if :: ofThisHold[i] -> knows[i] = 1 :: else fi;
  if :: grantEpoch[i] > sawEpoch -> sawEpoch = grantEpoch[i] :: else fi;
  clearGrant(i)
}
inline readSlot(i) {                      /* host i reads the slot of the other */
  if :: unread[i] -> still[i] = 0; unread[i] = 0 :: else fi;
  if :: slotTerm[other(i)] -> raised[i] = 1 :: else fi
}
inline letGo(i) { held[i] = 0; claim[i] = 0; lockAge[i] = TLOCK; still[i] = 0; writesTerm[i] = 0 }

proctype production() {
  byte i = 2;
end: do
  :: RULE("writes to host 0", 1)
       clearSent(0); sent[0] = 1; note(0) }
  :: RULE("writes to host 1", 1)
       clearSent(1); sent[1] = 1; note(1) }
  :: RULE("reads host 0", grants[0]) readGrant(0) }
  :: RULE("reads host 1", grants[1]) readGrant(1) }
  :: RULE("active: by a lease", serve == OFF && lease < TL)
       serve = ON; dog = 0; mayFeed = 0; assert(step[0] != SERVES && step[1] != SERVES) }
  :: RULE("checks its right: may feed the watchdog",
          serve == ON && !mayFeed && (lease < TL || solo))
       mayFeed = 1 }
  :: RULE("fenced: no right any more", serve == ON && !mayFeed && lease >= TL && !solo)
       serve = FENCED }
  :: RULE("feeds the watchdog", mayFeed) dog = 0; mayFeed = 0 }
  :: RULE("stopped", serve == FENCED) serve = OFF; dog = 0; mayFeed = 0 }
  :: RULE("is reset by its watchdog", !mayTick)
       serve = OFF; dog = 0; mayFeed = 0; solo = 0; lease = NONE; sawEpoch = 0; knows[0] = 0;
       knows[1] = 0; clearGrant(0); clearGrant(1); clearSent(0); clearSent(1);
       viewAge[0] = NONE; viewAge[1] = NONE }
  od
}

proctype host(byte i) {
end: do
  :: RULE("reads production", sent[i])
       viewAge[i] = sentAge[i];
       if :: step[i] == 0 -> wait[i] = 0 :: else fi;
       observe(i);
       clearSent(i) }
  :: RULE("production's record to it is lost", sent[i]) clearSent(i) }
  :: RULE("submits a grant", viewAge[i] < TL && mayGrant(i))
       clearGrant(i); grants[i] = 1; echoAge[i] = viewAge[i]; grantEpoch[i] = epoch[i];
       hold(i) }
#ifndef NORENOUNCE
  :: RULE("submits a RENOUNCED", viewAge[i] < TL && mayGrant(i))
       clearGrant(i); voidEchoes(i);
       grants[i] = 1; renounces[i] = 1; echoAge[i] = viewAge[i]; grantEpoch[i] = epoch[i] }
#endif
  :: RULE("its record is lost", grants[i]) clearGrant(i) }

  /* the lock */
  :: RULE("reads the other slot", earlyRead(i) && (unread[i] || slotTerm[other(i)] && !raised[i]))
       if :: unread[i] && slotClaim[other(i)] && held[i] -> letGo(i) :: else fi;
       readSlot(i) }
  :: RULE("submits a claim, the other slot unchanged long enough",
          !held[i] && claim[i] == 0 && !raised[i] && !unread[i] &&
          (!slotClaim[other(i)] || still[i] >= TLW) && slotEpoch[other(i)] < EMAX && epoch[i] < EMAX)
       claim[i] = WRITING; writeAge[i] = 0;
       epoch[i] = nextEpoch(i) }
  :: RULE("submits its claim again", held[i] && claim[i] == 0 && step[i] == 0)
       claim[i] = WRITING; writeAge[i] = 0 }
  :: RULE("its claim lands", claim[i] == WRITING)
       claim[i] = LANDED; slotClaim[i] = 1; slotEpoch[i] = epoch[i];
       if :: writesTerm[i] -> slotTerm[i] = 1 :: else fi;
       unread[other(i)] = 1 }
  :: RULE("reads the other slot after its claim", claim[i] == LANDED)
#ifndef UNREAD
       if :: (unread[i] && slotClaim[other(i)]) || lapsed(i) -> letGo(i)
          :: else ->
#endif
             if :: !held[i] -> held[i] = 1; voidEchoes(i);
#ifndef INHERIT
                   wait[i] = 0
#endif
                :: else
             fi;
             claim[i] = 0;
             if :: writesTerm[i] && inTime(i) -> step[i] = PUBLISHED
                :: writesTerm[i] && !inTime(i) -> letGo(i)
                :: else -> lockAge[i] = writeAge[i]
             fi
#ifndef UNREAD
       fi
#endif
       ; readSlot(i) }
  :: RULE("withdraws its claim", !held[i] && claim[i] == 0 && slotClaim[i])
       slotClaim[i] = 0; unread[other(i)] = 1 }

  /* the takeover */
  :: RULE("closing: it waited, and raises the term",
          valid(i) && claim[i] == 0 && step[i] == 0 && !raised[i] && guardSeen(i) && wait[i] >= TW)
       step[i] = RAISED; raised[i] = 1 }
  :: RULE("submits the raised term", step[i] == RAISED && claim[i] == 0 && held[i])
       claim[i] = WRITING; writeAge[i] = 0; writesTerm[i] = 1 }
#ifdef UNCONFIRMED
  :: RULE("active: without having confirmed the lock", step[i] == RAISED)
       step[i] = SERVES; assert(serve == OFF && step[other(i)] != SERVES) }
#endif
  :: RULE("active: its takeover is done", step[i] == PUBLISHED)
       TAKEN; step[i] = SERVES; assert(serve == OFF && step[other(i)] != SERVES) }

  :: RULE("starts anew, with no claim", step[i] != SERVES)
       letGo(i); viewAge[i] = NONE; wait[i] = 0; step[i] = 0; voidEchoes(i); slotClaim[i] = 0; unread[other(i)] = 1; unread[i] = 1;
#ifdef EPOCHLOST
       slotEpoch[i] = 0; epoch[i] = 0
#endif
     }
  od
}

#define older(x, most) if :: x < (most) -> x++ :: else fi
inline tick(i) {
  if :: sent[i] -> older(sentAge[i], NONE) :: else fi;
#ifdef NORENOUNCE
  if :: sentAge[i] == NONE -> clearSent(i) :: else fi;
  if :: grants[i] && echoAge[i] + 1 >= NONE -> clearGrant(i) :: else fi;
#endif
  older(viewAge[i], NONE); older(echoAge[i], NONE);
  if :: grants[i] && !ofThisHold[i] && !renounces[i] && echoAge[i] == NONE -> clearGrant(i) :: else fi;
  older(lockAge[i], TLOCK);
  if :: claim[i] != 0 -> older(writeAge[i], TLOCK) :: else -> writeAge[i] = 0 fi;
  if :: held[i] -> older(wait[i], TW) :: else -> wait[i] = 0 fi;
  if :: !held[i] -> older(still[i], TLW) :: else -> still[i] = 0 fi
}
proctype clock() {
end: do
  :: d_step { mayTick -> printf("@ tick\n");
       older(lease, NONE); if :: serve != OFF -> dog++ :: else fi; tick(0); tick(1) }
  od
}

init { atomic { run production(); run host(0); run host(1); run clock() } }
