/* Two sites that are alike, each owner or standby by the term: lease, watchdog, guard, closing,
 * takeover, RENOUNCED, handover, loss, delay, restart. One host a site. See docs/model.md.
 *
 * Only the tick and the watchdog are urgent: all else may wait, so a hang is a process that is not
 * scheduled. Times are whole ticks; ages saturate at TL, where they renew nothing.
 * Sizes: TL lease, TWD watchdog, TW wait of the standby, CMAX highest term counter.
 * Variants: QUIESCE, ATTEST, RESUME, NORENOUNCE, NOFORCE, DRIFT=K. All other flags are mistakes (src/tooling/model.mjs).
 */
#include "step.h"
#ifndef TL
#define TL 2
#endif
#ifndef TWD
#define TWD 1
#endif
#ifndef TW
#define TW (TL + 2*TWD)
#endif
#ifndef CMAX
#define CMAX 2
#endif
#define NONE TL

/* term = 2 * counter + owner: the project's counter * 256 + site, with two sites. */
#define owner(t) ((t) % 2)
#define next(t, to) (((t)/2 + 1)*2 + (to))
#define other(i) (1 - (i))
#define owns(i) (owner(term[i]) == (i))

/* what the service does: not running and that is verified; served; must stop, and still runs */
#define OFF 0
#define ON 1
#define FENCED 2
/* a takeover: none; closing (nothing is granted any more); term raised, steps under way;
 * remembered by a host that was restarted in the middle (the mistake RESUMESOLO) */
#define CLOSING 1
#define RAISED 2
#define REMEMBERED 3
/* records */
#define PLAIN 0
#define GUARD 1
#define QUIESCED 2
#define GRANTS 3
#define RENOUNCED 4

bit alive[2] = 1, solo[2], renouncing[2], seenGuard[2], seenQuiesced[2], quiesced[2], mayFeed[2];
bit knows[2];                 /* has seen a record that the peer wrote after its last renouncing */
byte serve[2], step[2], term[2], lease[2] = NONE, dog[2], wait[2];
byte viewAge[2] = NONE;       /* age of the newest record seen, by the clock of who wrote it */
bit viewOld[2];               /* it is of an incarnation that is over */
/* the record under way, from each site */
bit sent[2], sentOld[2], echoOld[2], sentAfter[2], echoAfter[2];
byte sentAge[2], kind[2], sentTerm[2], echoAge[2] = NONE;
/* a RENOUNCED that hangs on the slower of two paths */
bit late[2], lateOld[2], sentLater[2], overtaken[2];
byte lateTerm[2], lateAge[2] = NONE;
#ifdef STALEGATE
bit gate[2];
#endif

#ifdef BARE
#define right(i) 1
#else
#define right(i) (lease[i] < TL || solo[i])
#endif
#ifdef BADINC
/* An old serial is looked up among the new ones: the age is anything, at worst none. */
#define ofThisStart(i) 1
#define ageOf(i) (echoOld[other(i)] -> 0 : echoAge[other(i)])
#else
#define ofThisStart(i) (!echoOld[other(i)])
#define ageOf(i) echoAge[other(i)]
#endif
#ifdef NOGUARD
#define guardSeen(i) 1
#else
#define guardSeen(i) seenGuard[i]
#endif
#ifdef FORCESOLO
#define forcible(i) 1
#else
#define forcible(i) guardSeen(i)
#endif
#ifdef OLDECHO
#define afterRenouncing(i) 1
#else
#define afterRenouncing(i) echoAfter[other(i)]
#endif
/* No newer record of that site was seen, on any path. */
#ifdef LATERENOUNCED
#define newest(i) 1
#else
#define newest(i) (!overtaken[other(i)])
#endif
#ifdef STALEGATE
#define opens(i) gate[i]
#else
#define opens(i) (lease[i] < TL)
#endif
#define mayTick(i) (serve[i] == OFF || dog[i] < TWD)
#define standby(i) (!owns(i) && serve[i] == OFF && step[i] == 0)

inline clearRecord(i) {
  sent[i] = 0; sentOld[i] = 0; sentAge[i] = 0; kind[i] = PLAIN; sentTerm[i] = 0;
  echoAge[i] = NONE; echoOld[i] = 0; sentAfter[i] = 0; echoAfter[i] = 0;
  sentLater[i] = 0
}
inline clearLate(i) {
  late[i] = 0; lateOld[i] = 0; lateTerm[i] = 0; lateAge[i] = NONE;
  sentLater[i] = 0; overtaken[i] = 0
}

/* What holds in one term only ends with it. */
inline newTerm(i) {
#ifndef TERMLEASE
  lease[i] = NONE;
#endif
#ifndef GUARDTERM
  seenGuard[i] = 0;
#endif
  solo[i] = 0; seenQuiesced[i] = 0; quiesced[i] = 0; step[i] = 0; wait[i] = 0; renouncing[i] = 0
}

/* Nothing of what i wrote until now lies after its last renouncing (or start) any more. */
inline voidEchoes(i) { sentAfter[i] = 0; knows[other(i)] = 0; echoAfter[other(i)] = 0 }

inline write(i) {
  clearRecord(i);
  sent[i] = 1; sentTerm[i] = term[i]; sentLater[i] = late[i];
  if
  :: owns(i) ->
     if :: quiesced[i] -> kind[i] = QUIESCED
        :: !quiesced[i] && (solo[i] || step[i] == RAISED) -> kind[i] = PLAIN
        :: else -> kind[i] = GUARD; echoAfter[i] = knows[i]
     fi;
     sentAfter[i] = 1;
#ifdef OWNWRITE
     lease[i] = 0;
#endif
  :: else ->
     sentAfter[i] = !renouncing[i];
#ifdef CLOSINGECHO
     if :: renouncing[i] -> kind[i] = RENOUNCED :: else -> kind[i] = GRANTS fi;
#else
     if :: step[i] != 0 || serve[i] != OFF -> kind[i] = PLAIN
        :: step[i] == 0 && serve[i] == OFF && renouncing[i] -> kind[i] = RENOUNCED
        :: else -> kind[i] = GRANTS
     fi;
#endif
     if :: kind[i] != PLAIN -> echoAge[i] = viewAge[i]; echoOld[i] = viewOld[i] :: else fi;
  fi
}

inline accept(i) {                       /* the owner reads a record of the standby in its term */
  if
  :: kind[other(i)] >= GRANTS && echoAge[other(i)] < TL && ofThisStart(i) ->
#ifdef ARRIVAL
     lease[i] = 0;
#else
     if :: ageOf(i) < lease[i] -> lease[i] = ageOf(i) :: else fi;
#endif
     if :: kind[other(i)] == RENOUNCED && !solo[i] -> MARK(E_SOLO, i, term[i]); solo[i] = 1
        :: kind[other(i)] == GRANTS && lease[i] < TL && solo[i] -> MARK(E_GUARD, i, term[i]); solo[i] = 0
        :: else
     fi
  :: else
  fi;
#ifdef STALEGATE
  if :: kind[other(i)] >= GRANTS -> gate[i] = 1 :: else fi;
#endif
}

inline observe(i) {                      /* the standby reads a record of the owner in its term */
  if
  :: kind[other(i)] == GUARD && !renouncing[i] && afterRenouncing(i) -> seenGuard[i] = 1
  :: kind[other(i)] == QUIESCED -> seenQuiesced[i] = 1
  :: else
  fi
}

inline readLate(i) {
  if :: lateTerm[other(i)] == term[i] && owns(i) && lateAge[other(i)] < TL &&
        !lateOld[other(i)] && newest(i) ->
        if :: !solo[i] -> MARK(E_SOLO, i, term[i]); solo[i] = 1 :: else fi;
        if :: lateAge[other(i)] < lease[i] -> lease[i] = lateAge[other(i)] :: else fi
     :: else
  fi;
  clearLate(other(i))
}

/* From this decision on the service counts as running. */
inline begin(i) {
  MARK(E_ACTIVE, i, term[i]);
  serve[i] = ON; step[i] = 0; wait[i] = 0; dog[i] = 0; mayFeed[i] = 0;
  assert(ONE || serve[other(i)] == OFF)
}

inline raise(i) {
  MARK(E_RAISE, i, next(term[i], i));
  term[i] = next(term[i], i);
#ifndef TERMLEASE
  lease[i] = NONE;
#endif
  quiesced[i] = 0; seenQuiesced[i] = 0;
#ifndef GUARDTERM
  seenGuard[i] = 0;
#endif
  step[i] = RAISED; solo[i] = 1
}

inline read(i) {
  viewAge[i] = sentAge[other(i)]; viewOld[i] = (viewAge[i] < TL && sentOld[other(i)]);
  if :: sentAfter[other(i)] -> knows[i] = 1 :: else fi;
  if :: sentLater[other(i)] -> overtaken[other(i)] = 1 :: else fi;
  if :: sentTerm[other(i)] > term[i] ->
        MARK(E_TERM, i, sentTerm[other(i)]);
        newTerm(i); term[i] = sentTerm[other(i)];
        if :: serve[i] == ON -> serve[i] = FENCED :: else fi
     :: else
  fi;
  if :: step[i] == 0 && !owns(i) -> wait[i] = 0 :: else fi;
#ifdef TERMLEASE
  if :: owns(i) -> accept(i)
#else
  if :: sentTerm[other(i)] == term[i] && owns(i) -> accept(i)
#endif
     :: sentTerm[other(i)] == term[i] && !owns(i) -> observe(i)
     :: else
  fi;
  clearRecord(other(i))
}

inline down(i) {
  MARK(E_DOWN, i, 0);
  alive[i] = 0; serve[i] = OFF; dog[i] = 0; mayFeed[i] = 0; lease[i] = NONE; renouncing[i] = 0;
  viewAge[i] = NONE; viewOld[i] = 0; knows[i] = 0; seenQuiesced[i] = 0; wait[i] = 0;
#ifdef STALEGATE
  gate[i] = 0;
#endif
  if
#ifdef RESUMESOLO
  :: step[i] == RAISED -> step[i] = REMEMBERED; solo[i] = 0
  :: step[i] == REMEMBERED
#endif
#ifdef RESUME
  :: step[i] == RAISED -> skip           /* "never guarded yet in this term" is durable */
#endif
  :: else -> step[i] = 0; solo[i] = 0
  fi
}

inline up(i) {
  MARK(E_START, i, term[i]);
  alive[i] = 1;
#ifdef BOOTSILENCE
  if :: seenGuard[i] -> wait[i] = TW :: else -> wait[i] = 0 fi;
#else
  wait[i] = 0; seenGuard[i] = 0;
#endif
  if :: sent[i] -> sentOld[i] = 1 :: else fi;
  if :: viewAge[other(i)] < NONE -> viewOld[other(i)] = 1 :: else fi;
  if :: sent[other(i)] && echoAge[other(i)] < NONE -> echoOld[other(i)] = 1 :: else fi;
  if :: late[other(i)] -> lateOld[other(i)] = 1 :: else fi;
  voidEchoes(i)
}

proctype site(byte i) {
end: do
  :: RULE("writes a record", alive[i]) write(i) }
  :: RULE("its RENOUNCED hangs on the slower path",
          alive[i] && sent[i] && kind[i] == RENOUNCED && !late[i] && echoAge[i] < TL)
       late[i] = 1; lateOld[i] = echoOld[i]; lateTerm[i] = term[i]; lateAge[i] = echoAge[i] }
  :: RULE("reads the newest record", alive[i] && sent[other(i)]) read(i) }
  :: RULE("its record is lost", sent[i]) clearRecord(i) }
  :: RULE("reads the RENOUNCED that hung", alive[i] && late[other(i)]) readLate(i) }
  :: RULE("its RENOUNCED that hung is lost", late[i]) clearLate(i) }

  /* the owner */
  :: RULE("active: by a lease of this start and term",
          alive[i] && owns(i) && serve[i] == OFF && step[i] != RAISED && !quiesced[i] && opens(i))
       begin(i) }
  :: RULE("checks its right: may feed the watchdog",
          alive[i] && serve[i] == ON && !mayFeed[i] && right(i))
       mayFeed[i] = 1 }
  :: RULE("fenced: no right to serve any more",
          alive[i] && serve[i] == ON && !mayFeed[i] && !right(i))
       MARK(E_FENCED, i, term[i]); serve[i] = FENCED }
  :: RULE("feeds the watchdog", alive[i] && mayFeed[i]) dog[i] = 0; mayFeed[i] = 0 }
  :: RULE("stopped, and that is verified", alive[i] && serve[i] == FENCED)
       MARK(E_STOPPED, i, term[i]);
       serve[i] = OFF; dog[i] = 0; mayFeed[i] = 0 }
  :: RULE("fenced: to hand over, or its service failed", alive[i] && serve[i] == ON)
       MARK(E_FENCED, i, term[i]); serve[i] = FENCED }
  :: RULE("hands over: the next term is the peer's",
          alive[i] && owns(i) && serve[i] == OFF && step[i] == 0 && term[i]/2 < CMAX)
       MARK(E_HANDOVER, i, next(term[i], other(i)));
       newTerm(i); term[i] = next(term[i], other(i));
#ifdef HANDTAKE
       seenGuard[i] = 1;
#endif
     }
#ifdef QUIESCE
  :: RULE("quiesced: will not serve in this term again",
          alive[i] && owns(i) && serve[i] == OFF && step[i] == 0 && !quiesced[i])
       quiesced[i] = 1 }
#ifdef REVOCABLE
  :: RULE("no longer quiesced", alive[i] && quiesced[i]) quiesced[i] = 0 }
#endif
#endif

  /* the standby */
#ifndef NORENOUNCE
  :: RULE("renounces: will not take over", alive[i] && standby(i) && !renouncing[i])
       MARK(E_RENOUNCE, i, term[i]);
       renouncing[i] = 1; seenGuard[i] = 0; wait[i] = 0; voidEchoes(i) }
  :: RULE("renounces no longer", alive[i] && renouncing[i])
       MARK(E_GRANT, i, term[i]);
       renouncing[i] = 0; wait[i] = 0; voidEchoes(i) }
#endif
  :: RULE("closing: it waited, and saw the guard",
          alive[i] && standby(i) && !renouncing[i] && term[i]/2 < CMAX &&
          ((wait[i] >= TW && guardSeen(i)) || seenQuiesced[i]))
       MARK(E_CLOSING, i, term[i]); step[i] = CLOSING; wait[i] = TW }
#ifndef NOFORCE
  :: RULE("closing: forced, and waits from now",
          alive[i] && standby(i) && !renouncing[i] && term[i]/2 < CMAX && forcible(i))
       MARK(E_CLOSING, i, term[i]); step[i] = CLOSING; wait[i] = 0 }
#endif
  :: RULE("raises the term", alive[i] && step[i] == CLOSING) raise(i) }
  :: RULE("active: its takeover is done", alive[i] && step[i] == RAISED && wait[i] >= TW) TAKEN; begin(i) }
#ifdef RESUMESOLO
  :: RULE("takes up its takeover again, without a lease",
          alive[i] && step[i] == REMEMBERED && owns(i) && serve[i] == OFF)
       step[i] = RAISED; solo[i] = 1; wait[i] = 0 }
#endif
#ifdef ATTEST
  :: RULE("raises the term: the peer is off, and that is true",
          alive[i] && !alive[other(i)] && serve[i] == OFF && term[i]/2 < CMAX)
       newTerm(i); raise(i); wait[i] = TW }
#endif

  :: RULE("crashes", alive[i]) down(i) }
  :: RULE("is reset by its watchdog", !mayTick(i)) down(i) }
  :: RULE("starts anew", !alive[i]) up(i) }
  od
}

#define older(x) if :: x < NONE -> x++ :: else fi
inline tick(i) {
  older(lease[i]); older(viewAge[i]);
  if :: sent[i] -> older(sentAge[i]); older(echoAge[i]) :: else fi;
  if :: late[i] -> older(lateAge[i]) :: else fi;
  if :: viewAge[i] == NONE -> viewOld[i] = 0 :: else fi;
  if :: echoAge[i] == NONE -> echoOld[i] = 0 :: else fi;
  if :: late[i] && lateAge[i] == NONE -> clearLate(i) :: else fi;
  if :: serve[i] != OFF -> dog[i]++ :: else fi;
  if :: alive[i] && (!owns(i) || step[i] == RAISED) && wait[i] < TW -> wait[i]++ :: else fi
}

proctype clock() {
end: do
  :: d_step { LIVE && mayTick(0) && mayTick(1) -> printf("@ tick\n"); tick(0); tick(1) }
  od
}

init { atomic { run site(0); run site(1); run clock() } }
