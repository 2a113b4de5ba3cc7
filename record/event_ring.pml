// A ring of events between its writer and its reader, without a lock: EventRing::room(), write() and
// read() (record/event_ring.hpp).
//
// Modelled: events of one or two slots, each with its number; a reader that takes some or all of what
// lies there; the counters, which wrap (modulo 8, with 4 slots); each slot is written and read in a
// step of its own.
// Abstracted: who writes holds Memory's lock, so there is one writer. Steps are seen in the order in
// which they are made, as acquire and release ask for around the slots; what another order would
// make of it are the mistakes below.
//
// safety: what is read is whole events in their order, none twice; in the end those read and those
//   lost are all.
// ltl drained: the reader comes to have all that was written.
//
// BROKEN_EARLY_PUBLISH (safety): `written` is stored before the slots are.
// BROKEN_EARLY_RELEASE (safety): `read` is stored before the slots are read.
// BROKEN_ROOM (safety): an event may be a slot longer than there is room.
// BROKEN_HALF (safety): of an event that finds too little room, what fits is written.
// BROKEN_UNCOUNTED (safety): an event that is lost is not counted.
// BROKEN_STOP (drained): the reader goes when there is nothing to read.

#define SLOTS 4
#define COUNTS 8
#define EVENTS 6

byte number[SLOTS];
byte place[SLOTS]; // in the event
byte size[SLOTS];  // of the event
byte written = 0;
byte read = 0;
byte lost = 0;
bool done = false;

active proctype writer() {
  byte event = 1;
  byte slots;
  byte room;
  byte at;
  byte i;
  do
  :: event <= EVENTS ->
    if
    :: slots = 1
    :: slots = 2
    fi;
    room = SLOTS - (written + COUNTS - read) % COUNTS;
    i = slots;
#ifdef BROKEN_ROOM
    room++;
#endif
    if
    :: slots > room ->
#ifndef BROKEN_UNCOUNTED
      lost++;
#endif
#ifdef BROKEN_HALF
      i = room
#else
      i = 0
#endif
    :: else
    fi;
    at = written;
#ifdef BROKEN_EARLY_PUBLISH
    written = (written + i) % COUNTS;
#endif
    room = 0;
    do
    :: room < i ->
      d_step {
        number[(at + room) % SLOTS] = event;
        place[(at + room) % SLOTS] = room;
        size[(at + room) % SLOTS] = slots;
        room++
      }
    :: else -> break
    od;
#ifndef BROKEN_EARLY_PUBLISH
    written = (at + i) % COUNTS;
#endif
    event++
  :: else -> break
  od;
  done = true
}

active proctype reader() {
  byte begin;
  byte count;
  byte i;
  byte last = 0;      // number of the last event
  byte missing = 0;   // slots of it
  byte received = 0;  // events
  bool was_done;
  do
  :: was_done = done;
    begin = read;
    count = (written + COUNTS - begin) % COUNTS;
    if
    :: count == 0 ->
#ifdef BROKEN_STOP
      break
#else
      if
      :: was_done -> break
      :: else
      fi
#endif
    :: count > 0
    :: count > 1 -> count = 1
    fi;
#ifdef BROKEN_EARLY_RELEASE
    read = (begin + count) % COUNTS;
#endif
    i = 0;
    do
    :: i < count ->
      atomic {
        if
        :: missing != 0 ->
          assert(number[(begin + i) % SLOTS] == last && place[(begin + i) % SLOTS] == 1);
          missing = 0
        :: else ->
          assert(number[(begin + i) % SLOTS] > last && place[(begin + i) % SLOTS] == 0);
          last = number[(begin + i) % SLOTS];
          missing = size[(begin + i) % SLOTS] - 1
        fi;
        if
        :: missing == 0 -> received++
        :: else
        fi;
        i++
      }
    :: else -> break
    od;
#ifndef BROKEN_EARLY_RELEASE
    read = (begin + count) % COUNTS
#endif
  od;
  assert(!was_done || (missing == 0 && received + lost == EVENTS))
}

ltl drained { <> (done && read == written) }
