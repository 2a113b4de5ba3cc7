# Where the processor starts, and where its exceptions arrive.

    .section .reset, "ax"
    .align 4
    .globl modmem_reset
modmem_reset:
    j 1f
    .align 4
.Lstart:
    .word modmem_start
1:  l32r a0, .Lstart
    jx a0

    .section .vectors, "ax"
    .globl modmem_vectors
modmem_vectors:
    .org modmem_vectors + 0x300     # kernel mode
    j modmem_exception
    .org modmem_vectors + 0x340     # user mode, which nothing runs in
    j modmem_exception
    .org modmem_vectors + 0x3c0     # an exception while another one is dealt with
    j modmem_exception

    .text
    .align 4
    .literal_position
    .globl modmem_start
modmem_start:
    movi a1, modmem_stack_end
    movi a2, 0
    wsr.ps a2
    rsync
    movi a2, modmem_bss_begin
    movi a3, modmem_bss_end
    movi a4, 0
1:  bgeu a2, a3, 2f
    s32i a4, a2, 0
    addi a2, a2, 4
    j 1b
2:  movi a0, modmem_main
    jx a0

# Saves what functions may change, and asks modmem_on_exception. That returns where the instruction is
# to be tried again. The stack is in memory that never misses.
    .align 4
    .literal_position
modmem_exception:
    wsr.excsave1 a0
    addi a1, a1, -80
    s32i a2, a1, 0
    s32i a3, a1, 4
    s32i a4, a1, 8
    s32i a5, a1, 12
    s32i a6, a1, 16
    s32i a7, a1, 20
    s32i a8, a1, 24
    s32i a9, a1, 28
    s32i a10, a1, 32
    s32i a11, a1, 36
    s32i a12, a1, 40
    s32i a13, a1, 44
    s32i a14, a1, 48
    s32i a15, a1, 52
    rsr.sar a2
    s32i a2, a1, 56
    rsr.exccause a2
    rsr.epc1 a3
    rsr.excvaddr a4
    movi a0, modmem_on_exception
    callx0 a0
    l32i a2, a1, 56
    wsr.sar a2
    l32i a2, a1, 0
    l32i a3, a1, 4
    l32i a4, a1, 8
    l32i a5, a1, 12
    l32i a6, a1, 16
    l32i a7, a1, 20
    l32i a8, a1, 24
    l32i a9, a1, 28
    l32i a10, a1, 32
    l32i a11, a1, 36
    l32i a12, a1, 40
    l32i a13, a1, 44
    l32i a14, a1, 48
    l32i a15, a1, 52
    addi a1, a1, 80
    rsr.excsave1 a0
    rfe
