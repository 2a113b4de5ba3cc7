// The page pool between two cores: PagePool::take(), give(), set_guarantee(), available(), power_up()
// and emptied() (page_pool.cpp, page_pool_power.cpp), each call under Memory's lock, as Memory makes
// them; and the frames' use in between, without the lock.
//
// Modelled: four frames in two banks, an account for each core, guarantees that change, the choice of the
// fullest bank that is on, banks that refuse to come on. What a call reads and what it writes are
// steps of their own.
// Abstracted: no limits, pins, runs of frames or held banks; page/page_pool_explore_test.cpp has all
// calls, one at a time.
//
// safety: a frame has one holder, whose bank is on as long as he uses it; a bank is on exactly while a
//   frame of it is taken; who holds less than what he is guaranteed gets a frame where no bank
//   refuses; the counters are what they count.
// ltl in_turn: a core that asks for the lock gets it, whatever the other one does.
//
// BROKEN_NO_LOCK (safety): the lock does not lock.
// BROKEN_LOOK_FIRST (safety): take() looks at what is available before it has the lock.
// BROKEN_GREEDY (safety): take() leaves nothing to the guarantees of others.
// BROKEN_PROMISE (safety): set_guarantee() promises what is not there.
// BROKEN_POWER (safety): give() powers a bank down that others use.
// BROKEN_NO_ORDER (in_turn): the lock lets in who happens to look.

#include "port/lock.pml"

#define FRAMES 4
#define BANKS 2
#define NONE 255
#define BANK(frame) ((frame) / 2)
#define OTHER(me) (1 - (me))

byte holder[FRAMES]; // core + 1; 0: nobody
bool on[BANKS];
byte taken_in[BANKS];
byte taken = 0;
byte held[CORES];
byte guarantee[CORES];
byte reserved = 0;

#define UNUSED(who) (guarantee[who] > held[who] -> guarantee[who] - held[who] : 0)

inline look_what_is_available(me) {
#ifdef BROKEN_GREEDY
  available = FRAMES - taken
#else
  available = FRAMES - taken - (reserved - UNUSED(me))
#endif
}

inline choose_bank() {
  if
  :: on[0] && taken_in[0] < 2 && !(on[1] && taken_in[1] < 2 && taken_in[1] > taken_in[0]) -> bank = 0
  :: on[1] && taken_in[1] < 2 && !(on[0] && taken_in[0] < 2 && taken_in[0] >= taken_in[1]) -> bank = 1
  :: else ->
    if
    :: !on[0] -> on[0] = true; bank = 0
    :: !on[1] -> on[1] = true; bank = 1
    :: bank = NONE; refused = true // whatever is off
    fi
  fi
}

inline take(me) {
  refused = false;
#ifdef BROKEN_LOOK_FIRST
  look_what_is_available(me);
  lock(me);
#else
  lock(me);
  look_what_is_available(me);
#endif
  frame = NONE;
  if
  :: available != 0 ->
    choose_bank();
    if
    :: bank != NONE ->
      if
      :: holder[bank * 2] == 0 -> frame = bank * 2
      :: else -> frame = bank * 2 + 1
      fi;
      assert(holder[frame] == 0);
      d_step {
        holder[frame] = me + 1;
        taken_in[bank]++
      }
      d_step {
        taken++;
        reserved = reserved - UNUSED(me);
        held[me]++;
        reserved = reserved + UNUSED(me)
      }
    :: else
    fi
  :: else
  fi;
  assert(frame != NONE || refused || held[me] >= guarantee[me]);
  leave();
  frame = NONE;
  bank = NONE;
  available = 0;
  refused = false
}

inline give(me, which) {
  lock(me);
  d_step {
    reserved = reserved - UNUSED(me);
    held[me]--;
    reserved = reserved + UNUSED(me);
    taken--
  }
  assert(holder[which] == me + 1);
  d_step {
    holder[which] = 0;
    taken_in[BANK(which)]--
  }
  if
#ifdef BROKEN_POWER
  :: true -> on[BANK(which)] = false
#else
  :: taken_in[BANK(which)] == 0 -> on[BANK(which)] = false
  :: else
#endif
  fi;
  leave()
}

inline set_guarantee(me, frames) {
  lock(me);
  available = (frames > held[me] -> frames - held[me] : 0);
  if
#ifdef BROKEN_PROMISE
  :: true ->
#else
  :: reserved - UNUSED(me) + available <= FRAMES - taken ->
#endif
    d_step {
      reserved = reserved - UNUSED(me) + available;
      guarantee[me] = frames
    }
  :: else
  fi;
  available = 0;
  leave()
}

// Whenever nobody is in a call, the counters are what they count.
inline leave() {
  d_step {
    assert(lock_holders == 1);
    assert(taken == held[0] + held[1]);
    assert(held[0] == (holder[0] == 1) + (holder[1] == 1) + (holder[2] == 1) + (holder[3] == 1));
    assert(held[1] == (holder[0] == 2) + (holder[1] == 2) + (holder[2] == 2) + (holder[3] == 2));
    assert(taken_in[0] == (holder[0] != 0) + (holder[1] != 0));
    assert(taken_in[1] == (holder[2] != 0) + (holder[3] != 0));
    assert(on[0] == (taken_in[0] != 0) && on[1] == (taken_in[1] != 0));
    assert(reserved == UNUSED(0) + UNUSED(1) && reserved <= FRAMES - taken)
  }
  unlock()
}

// Without the lock: what is his stays his, and powered.
inline use(me, which) {
  assert(holder[which] == me + 1 && on[BANK(which)])
}

active [CORES] proctype core() {
  byte available = 0;
  byte bank = NONE;
  byte frame = NONE;
  bool refused = false;
  do
  :: take(_pid)
  :: holder[0] == _pid + 1 -> use(_pid, 0); give(_pid, 0)
  :: holder[1] == _pid + 1 -> use(_pid, 1); give(_pid, 1)
  :: holder[2] == _pid + 1 -> use(_pid, 2); give(_pid, 2)
  :: holder[3] == _pid + 1 -> use(_pid, 3); give(_pid, 3)
  :: set_guarantee(_pid, 0)
  :: set_guarantee(_pid, 2)
  od
}

ltl in_turn { [] ((lock_waits[0] -> <> !lock_waits[0]) && (lock_waits[1] -> <> !lock_waits[1])) }
