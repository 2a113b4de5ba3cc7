/* What modmem's glue uses of <zephyr/logging/log.h>. */
#ifndef MODMEM_TESTING_ZEPHYR_LOG_H_
#define MODMEM_TESTING_ZEPHYR_LOG_H_

#ifdef __cplusplus
extern "C" {
#endif

__attribute__((format(printf, 2, 3))) void fake_log(char level, const char* format, ...);

#ifdef __cplusplus
}
#endif

#define LOG_MODULE_REGISTER(name, level) \
  static_assert((level) >= 0 && (level) <= 4, "levels are LOG_LEVEL_NONE to LOG_LEVEL_DBG")
#define LOG_ERR(...) fake_log('E', __VA_ARGS__)
#define LOG_WRN(...) fake_log('W', __VA_ARGS__)
#define LOG_INF(...) fake_log('I', __VA_ARGS__)
#define LOG_DBG(...) fake_log('D', __VA_ARGS__)

#endif /* MODMEM_TESTING_ZEPHYR_LOG_H_ */
