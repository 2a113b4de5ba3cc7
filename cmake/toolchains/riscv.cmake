# A 64-bit RISC-V, with Debian's g++-riscv64-linux-gnu, of which only the compiler and the
# freestanding headers are used.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR riscv64)
set(MODMEM_PORT riscv)  # the folder of port/, what of it places the image, and of firmware/boards/
set(MODMEM_LINKER_SCRIPT virt.ld)
set(MODMEM_BOARD virt_riscv)
set(MODMEM_BOARD_CORES 2)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
foreach(language C CXX ASM)
  set(CMAKE_${language}_FLAGS_INIT
    "-march=rv64gc -mabi=lp64d -mcmodel=medany -fno-pic -fno-pie -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections")
endforeach()
set(CMAKE_C_COMPILER riscv64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER riscv64-linux-gnu-g++)
set(CMAKE_EXE_LINKER_FLAGS_INIT "-nostdlib -static -no-pie -Wl,--gc-sections -Wl,--build-id=none")
set(CMAKE_CXX_STANDARD_LIBRARIES "-lgcc")
