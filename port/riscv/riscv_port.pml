// The lock of the RISC-V port, and how one hart has the other forget a translation: RiscvPort::lock(),
// unlock(), map(), unmap() (riscv_port.cpp), run_on_other_hart(), forget_on_other_hart()
// (machine.cpp), and the trap of machine mode and modmem_wait (start.S).
//
// Modelled: two harts that take the lock and map or unmap a page, over and over; hart 1 sleeps until
// hart 0 calls it, and may end its function at any time. The trap stops its hart between any two
// steps, and has three of its own. A hart's TLB takes in a translation whenever there is one.
// Abstracted: one page of one frame; memory is sequentially consistent, as the code's fences and
// orders ask for. Tickets count modulo 4; of the counted answers it is only known whether there was
// one, as 2^32 do not fit into the time in which a hart waits for one.
//
// safety: one hart holds the lock at a time; when unmap() returns, no hart that runs has the
//   translation any more; nobody waits for ever.
// ltl in_order: who waits for the lock gets it.
//
// BROKEN_NO_LOCK (safety): lock() does not wait for its ticket.
// BROKEN_NO_REQUEST (safety): unmap() asks nothing of the other hart.
// BROKEN_REQUEST_FIRST (safety): unmap() asks before it takes the entry out of the table.
// BROKEN_ANSWER_FIRST (safety): the trap answers before it forgets.
// BROKEN_LATE_COUNT (safety): the answers are counted from after the request on.
// BROKEN_UNANSWERED (safety): who calls the other hart does not wait for its answer.
// BROKEN_MASKED (safety): a hart that waits for the lock takes no interrupts.
// BROKEN_NO_ORDER (in_order): the lock is who happens to look's.

#define HARTS 2
#define OTHER(me) (1 - (me))

byte next_ticket = 0;
byte served = 0;
byte holders = 0;
bool waits[HARTS];

bool table = false;  // an entry lies in the table
bool tlb[HARTS];
bool pending[HARTS]; // of the CLINT
bool counted[HARTS]; // modmem_forgotten is another one than when the hart looked
bool awake[HARTS];   // takes interrupts
bool works[HARTS];   // accesses memory
bool masked[HARTS];
bool in_trap[HARTS];
bool other_runs = false;

inline lock(me) {
  atomic {
    ticket = next_ticket;
    next_ticket = (next_ticket + 1) % 4;
    waits[me] = true;
#ifdef BROKEN_MASKED
    masked[me] = true
#endif
  }
#if defined(BROKEN_NO_ORDER)
  atomic { holders == 0 -> holders++; waits[me] = false }
#elif defined(BROKEN_NO_LOCK)
  atomic { holders++; waits[me] = false }
#else
  atomic { served == ticket -> holders++; waits[me] = false }
#endif
  masked[me] = false;
  assert(holders == 1)
}

inline unlock() {
  holders--;
  served = (served + 1) % 4
}

inline forget_elsewhere(me) {
#ifdef BROKEN_LATE_COUNT
  pending[OTHER(me)] = true;
  counted[me] = false;
#else
  counted[me] = false;
  pending[OTHER(me)] = true;
#endif
  counted[me]
}

inline unmap(me) {
#ifdef BROKEN_REQUEST_FIRST
  if
  :: other_runs -> forget_elsewhere(me)
  :: else
  fi;
#endif
  table = false;
  tlb[me] = false;
#if !defined(BROKEN_REQUEST_FIRST) && !defined(BROKEN_NO_REQUEST)
  if
  :: other_runs -> forget_elsewhere(me)
  :: else
  fi;
#endif
  assert(!(works[0] && tlb[0]) && !(works[1] && tlb[1]))
}

inline map_or_unmap(me) {
  lock(me);
  if
  :: table -> unmap(me)
  :: else -> table = true
  fi;
  unlock()
}

active proctype hart_0() provided (!in_trap[0]) {
  byte ticket;
  atomic { awake[0] = true; works[0] = true }
  do
  :: map_or_unmap(0)
  :: !awake[1] ->
    other_runs = true;
#ifdef BROKEN_UNANSWERED
    pending[1] = true;
    awake[1]
#else
    forget_elsewhere(0)
#endif
  od
}

active proctype hart_1() provided (!in_trap[1]) {
  byte ticket;
end_asleep:
  pending[1];
  awake[1] = true;
  !pending[1];  // mret takes the interrupt that waits, before another instruction
  atomic { tlb[1] = false; works[1] = true }
  do
  :: map_or_unmap(1)
  :: break
  od;
  atomic { works[1] = false; other_runs = false }
}

// The trap of machine mode.
proctype trap(byte me) {
end:
  do
  :: atomic { pending[me] && awake[me] && !masked[me] -> in_trap[me] = true }
    pending[me] = false;
#ifdef BROKEN_ANSWER_FIRST
    d_step { counted[0] = true; counted[1] = true }
    tlb[me] = false;
#else
    tlb[me] = false;
    d_step { counted[0] = true; counted[1] = true }
#endif
    in_trap[me] = false
  od
}

active proctype translations() {
end:
  do
  :: atomic { works[0] && table && !tlb[0] -> tlb[0] = true }
  :: atomic { works[1] && table && !tlb[1] -> tlb[1] = true }
  od
}

init {
  atomic {
    run trap(0);
    run trap(1)
  }
}

ltl in_order { [] ((waits[0] -> <> !waits[0]) && (waits[1] -> <> !waits[1])) }
