/* The shell command `modmem`: what the system holds, of one heap, and whether its invariants hold.
 */

#include <errno.h>
#include <modmem/modmem.h>
#include <zephyr/shell/shell.h>

static int show_info(const struct shell* sh, size_t argc, char** argv) {
  struct modmem_info info;
  (void)argc;
  (void)argv;

  if (modmem_info(&info) != 0 || info.platform == NULL) {
    shell_error(sh, "not booted");
    return -ENODEV;
  }
  shell_print(sh, "%s, policy %s, %u owners, %u misuses", info.platform, info.policy,
              (unsigned int)info.owners, (unsigned int)info.faults);
  shell_print(sh, "pool %zu B, mapped %zu B, live %zu B, metadata %zu B", info.pool_bytes,
              info.mapped_bytes, info.live_bytes, info.metadata_bytes);
  shell_print(sh, "%u of %u banks on", (unsigned int)info.banks_on, (unsigned int)info.banks);
  return 0;
}

static int show_heap(const struct shell* sh, size_t argc, char** argv) {
  struct modmem_heap_info info;
  (void)argc;

  if (modmem_named_heap_info(argv[1], &info) != 0) {
    shell_error(sh, "no heap %s", argv[1]);
    return -ENOENT;
  }
  shell_print(sh, "live %zu B, peak %zu B, mapped %zu B", info.live_bytes, info.peak_live_bytes,
              info.mapped_bytes);
  return 0;
}

static int check(const struct shell* sh, size_t argc, char** argv) {
  (void)argc;
  (void)argv;

  if (!modmem_check(true)) {
    shell_error(sh, "an invariant does not hold");
    return -EIO;
  }
  shell_print(sh, "all invariants hold");
  return 0;
}

SHELL_STATIC_SUBCMD_SET_CREATE(
    modmem_commands, SHELL_CMD_ARG(info, NULL, "What the system holds.", show_info, 1, 0),
    SHELL_CMD_ARG(heap, NULL, "What the heap with that name holds.", show_heap, 2, 0),
    SHELL_CMD_ARG(check, NULL, "Whether all invariants hold.", check, 1, 0), SHELL_SUBCMD_SET_END);
SHELL_CMD_REGISTER(modmem, &modmem_commands, "The memory system for audio modules", NULL);
