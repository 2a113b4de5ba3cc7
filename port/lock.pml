// The lock that port/port.hpp asks of a port, for the models of what it guards: one holder at a time,
// in the order in which they came. That a port gives that is a model of its own
// (port/riscv/riscv_port.pml).
//
// BROKEN_NO_LOCK: it lets everybody in. BROKEN_NO_ORDER: it lets in who happens to look.

#define CORES 2

byte lock_next = 0;
byte lock_served = 0;
byte lock_ticket[CORES];
byte lock_holders = 0;
bool lock_waits[CORES]; // between asking for it and having it

inline lock(me) {
  d_step {
    lock_ticket[me] = lock_next;
    lock_next = (lock_next + 1) % CORES;
    lock_waits[me] = true
  }
#if defined(BROKEN_NO_ORDER)
  atomic { lock_holders == 0 -> lock_holders++; lock_waits[me] = false }
#elif defined(BROKEN_NO_LOCK)
  atomic { lock_holders++; lock_waits[me] = false }
#else
  atomic { lock_served == lock_ticket[me] -> lock_holders++; lock_waits[me] = false }
#endif
}

inline unlock() {
  d_step {
    lock_holders--;
    lock_served = (lock_served + 1) % CORES
  }
}
