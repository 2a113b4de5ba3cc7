/* Takes some memory and gives it back. Nothing has to be started first. */
#include <rtos/alloc.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  const char greeting[] = "1 kB of module memory";
  char* text = rmalloc(SOF_MEM_FLAG_USER, 1024);

  if (text == NULL) {
    return 1;
  }
  memcpy(text, greeting, sizeof(greeting));
  puts(text);
  rfree(text);
  return 0;
}
