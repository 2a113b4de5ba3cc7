/* What modmem's glue uses of <zephyr/shell/shell.h>. */
#ifndef MODMEM_TESTING_ZEPHYR_SHELL_H_
#define MODMEM_TESTING_ZEPHYR_SHELL_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct shell {
  char printed[1024];
};

struct fake_command {
  const char* name;
  int (*handler)(const struct shell* sh, size_t argc, char** argv);
  size_t mandatory;
};

__attribute__((format(printf, 2, 3))) void shell_print(const struct shell* sh, const char* format,
                                                       ...);
__attribute__((format(printf, 2, 3))) void shell_error(const struct shell* sh, const char* format,
                                                       ...);

/* The subcommands of `modmem`. */
extern const struct fake_command* const fake_command_modmem;

#ifdef __cplusplus
}
#endif

#define SHELL_CMD_ARG(syntax, subcommands, help, function, count, more) \
  { #syntax, function, count }
#define SHELL_SUBCMD_SET_END \
  { NULL, NULL, 0 }
#define SHELL_STATIC_SUBCMD_SET_CREATE(set, ...) \
  static const struct fake_command set[] = {__VA_ARGS__}
#define SHELL_CMD_REGISTER(syntax, set, help, function) \
  const struct fake_command* const fake_command_##syntax = *(set)

#endif /* MODMEM_TESTING_ZEPHYR_SHELL_H_ */
