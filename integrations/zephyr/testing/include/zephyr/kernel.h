/*
 * What modmem's glue uses of <zephyr/kernel.h> and what that includes: declarations alone, of the
 * functions and macros that Zephyr documents. fake_zephyr.cpp is behind them.
 */
#ifndef MODMEM_TESTING_ZEPHYR_KERNEL_H_
#define MODMEM_TESTING_ZEPHYR_KERNEL_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zephyr/sys/util.h>

#define __weak __attribute__((__weak__))
#define __noinit

#ifdef __cplusplus
extern "C" {
#endif

/* Its members are Zephyr's own. */
struct k_heap {
  int members;
};

struct k_thread;
typedef struct k_thread* k_tid_t;

k_tid_t k_current_get(void);
bool k_is_in_isr(void);
uint64_t k_cycle_get_64(void);
int64_t k_uptime_ticks(void);
void k_panic(void);

/* 400 MHz, 10,000 ticks a second. */
#define k_cyc_to_us_floor64(cycles) ((uint64_t)(cycles) / 400U)
#define k_ticks_to_us_floor64(ticks) ((uint64_t)(ticks)*100U)

typedef struct {
  uint8_t id;
} _cpu_t;

unsigned int arch_irq_lock(void);
void arch_irq_unlock(unsigned int key);
_cpu_t* arch_curr_cpu(void);
unsigned int arch_num_cpus(void);

#ifdef __cplusplus
}
#endif

#endif /* MODMEM_TESTING_ZEPHYR_KERNEL_H_ */
