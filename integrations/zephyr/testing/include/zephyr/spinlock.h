/* What modmem's glue uses of <zephyr/spinlock.h>. */
#ifndef MODMEM_TESTING_ZEPHYR_SPINLOCK_H_
#define MODMEM_TESTING_ZEPHYR_SPINLOCK_H_

#ifdef __cplusplus
extern "C" {
#endif

struct k_spinlock {
  int owner; /* 0: free */
};

struct z_spinlock_key {
  int key;
};
typedef struct z_spinlock_key k_spinlock_key_t;

k_spinlock_key_t k_spin_lock(struct k_spinlock* lock);
void k_spin_unlock(struct k_spinlock* lock, k_spinlock_key_t key);

#ifdef __cplusplus
}
#endif

#endif /* MODMEM_TESTING_ZEPHYR_SPINLOCK_H_ */
