/* What modmem's glue uses of <zephyr/sys/util.h>. */
#ifndef MODMEM_TESTING_ZEPHYR_UTIL_H_
#define MODMEM_TESTING_ZEPHYR_UTIL_H_

#define FAKE_JOIN_(a, b) a##b
#define FAKE_JOIN(a, b) FAKE_JOIN_(a, b)
#define FAKE_REMOVE_PARENTHESES(...) __VA_ARGS__

/* 1 where the option is defined as 1, else 0. */
#define FAKE_ENABLED_1 ~, 1,
#define FAKE_SECOND(first, second, ...) second
#define FAKE_IS_ENABLED_(one) FAKE_SECOND(one 1, 0, 0)
#define FAKE_IS_ENABLED(value) FAKE_IS_ENABLED_(FAKE_JOIN(FAKE_ENABLED_, value))
#define IS_ENABLED(option) FAKE_IS_ENABLED(option)

/* The second or the third argument, without its parentheses, as the first one is 1 or 0. */
#define FAKE_CHOOSE_1(yes, no) FAKE_REMOVE_PARENTHESES yes
#define FAKE_CHOOSE_0(yes, no) FAKE_REMOVE_PARENTHESES no
#define COND_CODE_1(flag, yes, no) FAKE_JOIN(FAKE_CHOOSE_, flag)(yes, no)

#endif /* MODMEM_TESTING_ZEPHYR_UTIL_H_ */
