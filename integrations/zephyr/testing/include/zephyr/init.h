/* What modmem's glue uses of <zephyr/init.h>: tests call what one function was registered. */
#ifndef MODMEM_TESTING_ZEPHYR_INIT_H_
#define MODMEM_TESTING_ZEPHYR_INIT_H_

#define SYS_INIT(function, level, priority)                                    \
  static_assert((priority) >= 0 && (priority) < 1000, "priorities end there"); \
  extern "C" int fake_init_##level(void) { return function(); }                \
  static_assert(true)

#endif /* MODMEM_TESTING_ZEPHYR_INIT_H_ */
