/* Policy witness, in one term of production P: the standby S, and a third site W that never serves.
 * P serves by the lease of S or of W; S takes over after its own wait and by W's grant. Times and
 * records as in takeover.pml. W restarts with its memory, or (BLANK) without it. See docs/model.md.
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
#define P 2                               /* observers: S is 0, W is 1 */
#define S 0
#define W 1

bit alive[3] = 1;
byte serve = OFF, lease = NONE, dog = 0;
bit mayFeed = 0, taken = 0;
/* what each observer knows of P */
byte viewAge[2] = NONE, wait[2] = 0;
bit viewOld[2], seenGuard[2];
/* the records under way: P to each, each to P */
bit sent[2], sentOld[2], echoes[2], echoOld[2];
byte sentAge[2], echoAge[2] = NONE;
/* S and W: a record under way, whether it answers the peer's present start, and what it says */
bit word[2], wordNow[2], answers[2], says[2], knows[2];
bit granted = 0;                          /* by W, on its disk */
bit hasGrant = 0;                         /* S: W's newest record grants */
bit blank = 0, freshS = 0, freshP = 0;

#ifdef NOWITNESS
#define mayTake 1
#else
#define mayTake hasGrant
#endif
#ifdef OWNWAITONLY                        /* S trusts the wait of W alone */
#define waited(i) (i == S || wait[i] >= TW)
#else
#define waited(i) (wait[i] >= TW)
#endif
#ifdef RENEWSAFTER
#define mayRenew(i) (i == S -> !taken : !blank)
#else
#define mayRenew(i) (i == S -> !taken : !blank && !granted)
#endif
#ifdef STALEGRANT                         /* a grant once seen is kept, whatever W says later */
#define grantOf (hasGrant || says[W])
#else
#define grantOf (says[W] && answers[W])
#endif
#ifdef BLANKEAGER
#define freshAnswer 1
#else
#define freshAnswer answers[S]
#endif
#define mayTick (serve == OFF || dog < TWD)

inline clearSent(i) { sent[i] = 0; sentOld[i] = 0; sentAge[i] = 0 }
inline clearEcho(i) { echoes[i] = 0; echoOld[i] = 0; echoAge[i] = NONE }
inline clearWord(by) { word[by] = 0; wordNow[by] = 0; answers[by] = 0; says[by] = 0 }

inline readP(i) {
  viewAge[i] = sentAge[i]; viewOld[i] = (sentAge[i] < TL && sentOld[i]);
  wait[i] = 0; seenGuard[i] = 1;
  if :: i == W && blank -> freshP = 1 :: else fi;
  clearSent(i)
}
inline readEcho(i) {
  if :: !echoOld[i] && echoAge[i] < lease -> lease = echoAge[i] :: else fi;
  clearEcho(i)
}
inline readWord(i) {                      /* i reads what the other of S and W wrote */
  knows[i] = wordNow[(1 - i)];           /* seen the present start of the other */
  if :: i == S -> hasGrant = grantOf
     :: i == W && blank && !says[S] && freshAnswer -> freshS = 1
     :: else
  fi;
  clearWord((1 - i))
}
inline writeWord(i) {
  clearWord(i); word[i] = 1; wordNow[i] = 1; answers[i] = knows[i];
  /* W says that it granted; S that it is closing, or asks */
  if :: i == W -> says[i] = granted :: else -> says[i] = taken fi
}

inline down(i) {
  alive[i] = 0;
  if :: i == P -> serve = OFF; dog = 0; mayFeed = 0; lease = NONE
     :: else -> viewAge[i] = NONE; viewOld[i] = 0; knows[i] = 0; seenGuard[i] = 0
  fi;
#ifndef WITNESSSILENCE
  if :: i != P -> wait[i] = 0 :: else fi;
#endif
  if :: i == S -> hasGrant = 0 :: i == W -> freshS = 0; freshP = 0 :: else fi
}
inline forget() {
#ifdef FORGETFUL
  granted = 0
#else
  granted = 0; blank = 1
#endif
}
/* What speaks of the start before is told from what speaks of this one by incarnation and nonce. */
inline up(i) {
  alive[i] = 1;
#ifdef WITNESSSILENCE
  if :: i == W -> wait[W] = TW; seenGuard[W] = 1 :: else fi;
#endif
  if
  :: i == P ->
     if :: sent[S] -> sentOld[S] = 1 :: else fi; if :: sent[W] -> sentOld[W] = 1 :: else fi;
     if :: viewAge[S] < NONE -> viewOld[S] = 1 :: else fi;
     if :: viewAge[W] < NONE -> viewOld[W] = 1 :: else fi;
     if :: echoes[S] -> echoOld[S] = 1 :: else fi; if :: echoes[W] -> echoOld[W] = 1 :: else fi
  :: else -> answers[1 - i] = 0; knows[1 - i] = 0; wordNow[i] = 0
  fi
}

active proctype production() {
  byte i = P;
end: do
  :: RULE("P writes to the standby", alive[P]) clearSent(S); sent[S] = 1 }
  :: RULE("P writes to the witness", alive[P]) clearSent(W); sent[W] = 1 }
  :: RULE("P reads the standby's grant", alive[P] && echoes[S]) readEcho(S) }
  :: RULE("P reads the witness's grant", alive[P] && echoes[W]) readEcho(W) }
  :: RULE("P active: by a lease", alive[P] && serve == OFF && lease < TL)
       serve = ON; dog = 0; mayFeed = 0; assert(!taken) }
  :: RULE("P checks its lease: may feed the watchdog",
          alive[P] && serve == ON && !mayFeed && lease < TL)
       mayFeed = 1 }
  :: RULE("P fenced: its lease is over", alive[P] && serve == ON && !mayFeed && lease >= TL)
       serve = FENCED }
  :: RULE("P feeds the watchdog", alive[P] && mayFeed) dog = 0; mayFeed = 0 }
  :: RULE("P stopped, and that is verified", alive[P] && serve == FENCED)
       serve = OFF; dog = 0; mayFeed = 0 }
  :: RULE("P crashes", alive[P]) down(P) }
  :: RULE("P is reset by its watchdog", !mayTick) down(P) }
  :: RULE("P starts anew", !alive[P]) up(P) }
  od
}

proctype observer(byte i) {
end: do
  :: RULE("reads P", alive[i] && sent[i]) readP(i) }
  :: RULE("P's record to it is lost", sent[i]) clearSent(i) }
  :: RULE("grants P", alive[i] && viewAge[i] < TL && mayRenew(i))
       clearEcho(i); echoes[i] = 1; echoAge[i] = viewAge[i]; echoOld[i] = viewOld[i] }
  :: RULE("its grant is lost", echoes[i]) clearEcho(i) }
  :: RULE("writes to the other observer", alive[i]) writeWord(i) }
  :: RULE("reads the other observer", alive[i] && word[1 - i]) readWord(i) }
  :: RULE("crashes", alive[i]) down(i) }
  :: RULE("starts anew", !alive[i]) up(i) }
  /* the standby */
  :: RULE("closing and taking over: it waited, and the witness granted",
          i == S && alive[i] && !taken && seenGuard[i] && waited(i) && mayTake)
       TAKEN; taken = 1; assert(serve == OFF) }
  /* the witness */
  :: RULE("grants the takeover, on its disk first",
          i == W && alive[i] && !granted && !blank && seenGuard[i] && wait[i] >= TW)
       granted = 1 }
  :: RULE("loses its memory", i == W && !alive[i] && !blank) forget() }
  :: RULE("trusts its view again: both sites are fresh in one term",
          i == W && alive[i] && blank && freshS && freshP)
       blank = 0; freshS = 0; freshP = 0; wait[i] = 0 }
  od
}

#define older(x) if :: x < NONE -> x++ :: else fi
inline tick(i) {
  if :: sent[i] -> older(sentAge[i]) :: else fi;
  older(viewAge[i]); older(echoAge[i]);
  if :: viewAge[i] == NONE -> viewOld[i] = 0 :: else fi;
  if :: echoes[i] && echoAge[i] == NONE -> clearEcho(i) :: else fi;
  if :: alive[i] && wait[i] < TW -> wait[i]++ :: else fi
}
active proctype clock() {
end: do
  :: d_step { mayTick -> printf("@ tick\n");
       older(lease); if :: serve != OFF -> dog++ :: else fi; tick(S); tick(W) }
  od
}

init { atomic { run observer(S); run observer(W) } }
