# Where the harts start, in machine mode, and where their traps arrive.
#
# Hart 0 clears .bss and runs main() in supervisor mode; the others sleep until a request of hart 0
# wakes them, then run modmem_other_main(). Traps of supervisor mode go to modmem_on_trap. What machine
# mode is left with is one request from another hart: to forget translations.

    .section .start, "ax"
    .globl modmem_start
modmem_start:
    csrw mie, zero
    csrr t0, mhartid
    la t1, modmem_stacks
    li t2, MODMEM_STACK_BYTES
    addi t3, t0, 1
    mul t2, t2, t3
    add sp, t1, t2              # the end of the hart's own stack
    mv tp, t0                   # the hart's number, for core_id()
    la t1, modmem_machine_trap
    csrw mtvec, t1
    la t1, modmem_machine_scratch
    slli t2, t0, 5
    add t1, t1, t2
    csrw mscratch, t1

    li t1, -1                   # all of memory may be accessed, as far as pages allow
    srli t1, t1, 10
    csrw pmpaddr0, t1
    li t1, 0x1f
    csrw pmpcfg0, t1
    li t1, 0xb1ff               # all exceptions but calls out of supervisor mode
    csrw medeleg, t1
    li t1, 7                    # cycle, time and instret
    csrw mcounteren, t1
    li t1, 8                    # machine software interrupts: requests from other harts
    csrw mie, t1
    li t1, 0x1800
    csrc mstatus, t1
    li t1, 0x2800               # to supervisor mode, with floating point
    csrs mstatus, t1
    la t1, modmem_supervisor_trap
    csrw stvec, t1

    bnez t0, modmem_wait
    la t1, modmem_bss_begin
    la t2, modmem_bss_end
1:  bgeu t1, t2, 2f
    sd zero, 0(t1)
    addi t1, t1, 8
    j 1b
2:  la t1, modmem_main
    csrw mepc, t1
    mret

# A hart that spun would count in the time, and in the instructions, of the one that runs. The request
# is answered in supervisor mode, where its interrupt is let through.
modmem_wait:
    wfi
    csrr t1, mip
    andi t1, t1, 8
    beqz t1, modmem_wait
    la t1, modmem_other_main
    csrw mepc, t1
    mret

# mscratch points at 32 bytes of the hart's own.
    .align 2
modmem_machine_trap:
    csrrw t0, mscratch, t0
    sd t1, 0(t0)
    sd t2, 8(t0)
    csrr t1, mcause
    bgez t1, 3f                 # an exception in machine mode: a fault of this file
    li t1, 0x2000000            # CLINT: the hart's request is seen
    slli t2, tp, 2
    add t1, t1, t2
    sw zero, 0(t1)
    fence o, w                  # before the answer, behind which the next request may come
    sfence.vma
    la t1, modmem_forgotten
    li t2, 1
    amoadd.w.rl zero, t2, (t1)
    ld t1, 0(t0)
    ld t2, 8(t0)
    csrrw t0, mscratch, t0
    mret
3:  la sp, modmem_stacks
    li t1, MODMEM_STACK_BYTES
    add sp, sp, t1
    csrr a0, mcause
    csrr a1, mepc
    csrr a2, mtval
    j modmem_on_trap

# Nothing returns from a trap of supervisor mode.
    .align 2
modmem_supervisor_trap:
    csrr a0, scause
    csrr a1, sepc
    csrr a2, stval
    j modmem_on_trap

    .section .bss
    .align 4
modmem_stacks:
    .skip MODMEM_STACK_BYTES * MODMEM_HARTS
modmem_machine_scratch:
    .skip 32 * MODMEM_HARTS
