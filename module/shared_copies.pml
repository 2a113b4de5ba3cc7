// Shared copies between two cores: get() and put() of SharedCopies (module/shared_copies.cpp), of one
// source.
//
// Modelled: the list's look-up under the lock, the copy that is made without it, the second look, the
// loser's end, the last put() against a get(); the cache of each core, which may read a line of any
// copy at any time and keep it.
// Abstracted: Memory's calls, each under the same lock, are one step; the list has one source, so at
// most one entry; content is a number, another one for each copy that is made. Blocks for copies are
// fewer than the calls, so memory is used again, and runs out.
//
// safety: a copy that somebody holds lives and has its content, as each core sees it; there are no two
//   listed copies; nothing is freed twice; in the end nothing is left.
// ltl ends: every get() and put() ends.
//
// BROKEN_NO_LOCK (safety): the lock does not lock.
// BROKEN_ONE_LOOK (safety): get() does not look again after it has made a copy.
// BROKEN_LATE_REMOVAL (safety): put() takes the entry out after it gave the lock up.
// BROKEN_NO_INVALIDATE (safety): a core that gets a copy does not drop its lines.
// BROKEN_NO_WRITEBACK (safety): who makes a copy does not write it back.
// BROKEN_KEEPS_LOSER (safety): the copy of who came second is not freed.
// BROKEN_KEEPS_LOCK (ends): put() keeps the lock where it was not the last.

#include "port/lock.pml"

#define BLOCKS 2
#define ROUNDS 2
#define NONE 255

bool alive[BLOCKS];
byte references[BLOCKS];
byte listed = NONE;
byte memory[BLOCKS];   // content
byte expected[BLOCKS]; // what the copy's maker wrote
byte made = 0;

// 0: the core has no line of it.
byte cached[CORES * BLOCKS];
#define line(me, copy) cached[(me) * BLOCKS + (copy)]

byte finished = 0;

inline hand_out(me, copy) {
#ifndef BROKEN_NO_INVALIDATE
  line(me, copy) = 0
#else
  skip
#endif
}

inline end_copy(me, copy) {
  lock(me);
  d_step {
    assert(alive[copy]);
    alive[copy] = false;
    line(me, copy) = 0
  }
  unlock()
}

inline make(me, copy) {
  lock(me);
  if
  :: !alive[0] -> copy = 0
  :: alive[0] && !alive[1] -> copy = 1
  :: alive[0] && alive[1] -> copy = NONE
  fi;
  if
  :: copy != NONE ->
    d_step {
      assert(!alive[copy]);
      alive[copy] = true;
      references[copy] = 0
    }
  :: else
  fi;
  unlock();
  if
  :: copy != NONE ->
    d_step {
      made++;
      expected[copy] = made;
      line(me, copy) = made
    }
#ifndef BROKEN_NO_WRITEBACK
    ;
    memory[copy] = line(me, copy)
#endif
  :: else
  fi
}

inline get(me, got, mine) {
  got = NONE;
  mine = NONE;
  lock(me);
  if
  :: listed != NONE ->
    got = listed;
    references[got]++
  :: else
  fi;
  unlock();
  if
  :: got == NONE ->
    make(me, mine);
    if
    :: mine != NONE ->
      lock(me);
#ifdef BROKEN_ONE_LOOK
      assert(listed == NONE);
#endif
      if
      :: listed == NONE ->
        listed = mine;
        got = mine;
        mine = NONE
      :: else -> got = listed
      fi;
      references[got]++;
      unlock()
    :: else
    fi;
    if
    :: mine != NONE ->
#ifndef BROKEN_KEEPS_LOSER
      end_copy(me, mine);
#endif
      mine = NONE
    :: else
    fi
  :: else
  fi;
  if
  :: got != NONE -> hand_out(me, got)
  :: else
  fi
}

inline use(me, copy) {
  d_step {
    assert(alive[copy]);
    if
    :: line(me, copy) == 0 -> line(me, copy) = memory[copy]
    :: else
    fi;
    assert(line(me, copy) == expected[copy])
  }
}

inline put(me, copy, last) {
  last = false;
  lock(me);
  d_step {
    assert(references[copy] > 0 && listed == copy);
    references[copy]--
  }
  if
  :: references[copy] == 0 ->
    last = true;
#ifdef BROKEN_LATE_REMOVAL
    unlock();
    lock(me);
#endif
    listed = NONE
  :: else
  fi;
#ifdef BROKEN_KEEPS_LOCK
  if
  :: last -> unlock()
  :: else
  fi;
#else
  unlock();
#endif
  if
  :: last -> end_copy(me, copy)
  :: else
  fi
}

active [CORES] proctype core() {
  byte got = NONE;
  byte mine = NONE;
  byte round = 0;
  bool last = false;
  do
  :: round < ROUNDS ->
    get(_pid, got, mine);
    if
    :: got != NONE ->
      use(_pid, got);
      put(_pid, got, last)
    :: else
    fi;
    got = NONE;
    last = false;
    round++
  :: else -> break
  od;
  atomic {
    finished++;
    assert(finished < CORES ||
           (listed == NONE && !alive[0] && !alive[1] && lock_holders == 0))
  }
}

// A core may read ahead: it has what lies in memory then.
active proctype prefetch() {
end:
  do
  :: atomic { finished < CORES && cached[0] == 0 -> cached[0] = memory[0] }
  :: atomic { finished < CORES && cached[1] == 0 -> cached[1] = memory[1] }
  :: atomic { finished < CORES && cached[2] == 0 -> cached[2] = memory[0] }
  :: atomic { finished < CORES && cached[3] == 0 -> cached[3] = memory[1] }
  :: finished == CORES -> break
  od
}

ltl ends { <> (finished == CORES) }
