/*
 * What modmem's glue uses of <zephyr/devicetree.h>, on a tree as the example of the binding
 * (dts/bindings/modmem,pool.yaml) has it, on a small chip: 64 frames in 8 banks, of which the
 * reserve takes the first bank and half of the second.
 */
#ifndef MODMEM_TESTING_ZEPHYR_DEVICETREE_H_
#define MODMEM_TESTING_ZEPHYR_DEVICETREE_H_

#include <stdint.h>
#include <zephyr/sys/util.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Virtual addresses that this process has free. */
uintptr_t fake_window_address(void);
uintptr_t fake_low_power_address(void);
uintptr_t fake_l3_address(void);

#ifdef __cplusplus
}
#endif

#define FAKE_JOIN3_(a, b, c) a##b##c
#define FAKE_JOIN3(a, b, c) FAKE_JOIN3_(a, b, c)
#define FAKE_JOIN4_(a, b, c, d) a##b##c##d
#define FAKE_JOIN4(a, b, c, d) FAKE_JOIN4_(a, b, c, d)

#define DT_INST(number, compatible) FAKE_JOIN3(compatible, _, number)
#define DT_PROP(node, property) FAKE_JOIN3(node, _, property)
#define DT_NODE_HAS_PROP(node, property) FAKE_JOIN4(node, _, property, _EXISTS)
#define DT_PHANDLE(node, property) FAKE_JOIN3(node, _, property)
#define DT_REG_ADDR(node) FAKE_JOIN(node, _ADDRESS)
#define DT_REG_SIZE(node) FAKE_JOIN(node, _BYTES)

#define modmem_pool_0_reg_EXISTS 1
#define modmem_pool_0_ADDRESS fake_window_address()
#define modmem_pool_0_BYTES 0x100000U
#define modmem_pool_0_sram_EXISTS 1
#define modmem_pool_0_sram sram0
#define sram0_ADDRESS 0xa0020000U
#define sram0_BYTES 0x40000U
#define modmem_pool_0_reserved_size 0xc000U
#define modmem_pool_0_bank_size 0x8000U
#define modmem_pool_0_dma_alignment 128U
#define modmem_pool_0_low_power_memory_EXISTS 1
#define modmem_pool_0_low_power_memory lp_sram
#define modmem_pool_0_l3_memory_EXISTS 1
#define modmem_pool_0_l3_memory imr
#define lp_sram_ADDRESS fake_low_power_address()
#define lp_sram_BYTES 0x4000U
#define imr_ADDRESS fake_l3_address()
#define imr_BYTES 0x10000U

#endif /* MODMEM_TESTING_ZEPHYR_DEVICETREE_H_ */
