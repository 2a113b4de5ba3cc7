// A heap of core 0 whose blocks core 1 frees, while core 0 allocates, frees, and ends the owner:
// Memory::free(), end_block(), queue(), take_queued(), drain_locked(), drop_lines(), close_engine()
// (memory_remote.cpp, memory_release.cpp, memory_heaps.cpp), and what docs/decisions/0014 promises.
//
// Modelled: two blocks that share one cache line of one page, the heap's queue as a list through the
// blocks' records, owners that end and begin again, and the page's frame, which goes back to the pool
// with the page's last block, is then used by core 1 for something else, and comes back. Each core's
// cache: what a core writes stays in its line until it is evicted, which may happen at any time, or
// dropped.
// Abstracted: kDrainStep is 1. A block that core 1 may free is known to it with its owner, who is
// named when it is freed. What core 1 writes to blocks of the heap, it has cleaned (memory.hpp).
//
// safety: who wrote to memory that is his finds that there, whatever is evicted; no block is freed
//   twice or by somebody who is not its owner's; the queue has what is queued, once and in order.
// ltl comes_back: the memory of a block that waits for core 0 is taken back.
//
// BROKEN_NO_LOCK (safety): the lock does not lock.
// BROKEN_NO_QUEUE (safety): the memory of what core 1 frees is free at once.
// BROKEN_NO_DROP (safety): core 0 takes memory back and keeps its lines.
// BROKEN_SHARED_LINE (safety): a line that two blocks share is dropped with neither.
// BROKEN_NO_OWNER (safety): free() does not look at whose the block is.
// BROKEN_KEEPS_QUEUE (safety): the queue outlives the heap.
// BROKEN_ANY_CORE (safety): core 1 takes back what waits for core 0.
// BROKEN_NO_CLEANING (safety): core 1 ends the owner though core 0 has not cleaned its cache.
// BROKEN_LAZY (comes_back): calls take nothing back.

#include "port/lock.pml"

#define BLOCKS 2
#define NONE 255
#define OTHER(which) (1 - (which))

mtype { unused, live, queued }
mtype block[BLOCKS] = unused;
bool owner_of[BLOCKS]; // the owner's number, modulo 2
bool owner = false;

byte queue_first = NONE;
byte queue_last = NONE;
byte older[BLOCKS] = NONE;
byte queued_blocks = 0;

// Blocks that core 1 is to free, and their owner then.
bool passed[BLOCKS];
bool passed_owner[BLOCKS];

mtype { nobody, heap, other }
mtype frame = nobody;  // whose it is
mtype memory = nobody; // whose content lies there
bool dirty[CORES];     // core 0: with the heap's content; core 1: with that of the other use

inline look(me, what) {
  assert(dirty[me] || memory == what)
}

// The block's memory is free from now on. The lock is held.
inline vacate(me, which) {
  block[which] = unused;
  owner_of[which] = false;
  if
  :: block[OTHER(which)] == unused ->
#if !defined(BROKEN_SHARED_LINE) && !defined(BROKEN_NO_DROP)
    dirty[me] = false;
#endif
    frame = nobody
  :: else
  fi
}
inline drain(me) {
  if
#ifdef BROKEN_LAZY
  :: false ->
#else
  :: queued_blocks != 0 ->
#endif
    atomic {
      taken = queue_first;
      queue_first = older[taken];
      older[taken] = NONE;
      queued_blocks--
    }
    assert(block[taken] == queued);
    atomic {
      vacate(me, taken);
      taken = NONE
    }
  :: else
  fi
}

inline allocate(which) {
  lock(0);
  drain(0);
  if
  :: block[which] == unused && frame != other ->
    frame = heap;
    atomic {
      block[which] = live;
      owner_of[which] = owner;
      dirty[0] = true;
      if
      :: !passed[which] -> passed[which] = true; passed_owner[which] = owner
      :: true
      fi
    }
    unlock()
  :: else -> unlock()
  fi
}

// Core 0 frees what is still its owner's, core 1 what it was told to.
inline free(me, which, whose) {
  lock(me);
  if
  :: me == 0 -> drain(0)
#ifdef BROKEN_ANY_CORE
  :: me == 1 -> drain(1)
#else
  :: me == 1
#endif
  fi;
  if
#ifdef BROKEN_NO_OWNER
  :: block[which] == live ->
    assert(owner_of[which] == whose);
#else
  :: block[which] == live && owner_of[which] == whose ->
#endif
    if
    :: me == 0 -> vacate(0, which)
    :: me == 1 ->
#ifdef BROKEN_NO_QUEUE
      vacate(1, which)
#else
      block[which] = queued;
      if
      :: queued_blocks == 0 -> queue_first = which
      :: else -> older[queue_last] = which
      fi;
      atomic { queue_last = which; queued_blocks++ }
#endif
    fi
  :: else
  fi;
  unlock()
}

// The heap goes with all that lives or waits in it.
inline end_owner(me) {
  lock(me);
  if
  :: frame == heap ->
    atomic {
      block[0] = unused;
      block[1] = unused;
#ifndef BROKEN_KEEPS_QUEUE
      queued_blocks = 0;
      queue_first = NONE;
      queue_last = NONE;
      older[0] = NONE;
      older[1] = NONE;
#endif
      owner_of[0] = false;
      owner_of[1] = false
    }
    dirty[me] = false;
    frame = nobody
  :: else
  fi;
  owner = !owner;
  unlock()
}

inline check_queue() {
  d_step {
    assert(queued_blocks == (block[0] == queued -> 1 : 0) + (block[1] == queued -> 1 : 0));
    assert(queued_blocks == 0 || block[queue_first] == queued);
    assert(queued_blocks < 2 || (older[queue_first] == queue_last && queue_first != queue_last))
  }
}

active proctype core_0() {
  byte taken = NONE;
  do
  :: allocate(0)
  :: allocate(1)
  :: free(0, 0, owner)
  :: free(0, 1, owner)
  :: end_owner(0)
  :: lock(0);
    drain(0);
    check_queue();
    if
    :: block[0] == live || block[1] == live -> look(0, heap)
    :: else
    fi;
    unlock()
  od
}

active proctype core_1() {
  byte taken = NONE;
  do
  :: passed[0] -> free(1, 0, passed_owner[0]); atomic { passed[0] = false; passed_owner[0] = false }
  :: passed[1] -> free(1, 1, passed_owner[1]); atomic { passed[1] = false; passed_owner[1] = false }
  // A heap of its own.
  :: frame == nobody ->
    lock(1);
    if
    :: frame == nobody ->
      frame = other;
      unlock();
      dirty[1] = true;
      look(1, other);
      lock(1);
      dirty[1] = false;
      frame = nobody
    :: else
    fi;
    unlock()
#ifdef BROKEN_NO_CLEANING
  :: end_owner(1)
#endif
  od
}

// Lines are evicted when it suits the cache.
active proctype eviction() {
end:
  do
  :: atomic { dirty[0] -> memory = heap; dirty[0] = false }
  :: atomic { dirty[1] -> memory = other; dirty[1] = false }
  od
}

ltl comes_back { [] ((block[0] == queued -> <> (block[0] != queued)) &&
                     (block[1] == queued -> <> (block[1] != queued))) }
