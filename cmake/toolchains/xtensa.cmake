# An Xtensa of the call0 ABI, with Debian's gcc-xtensa-lx106 and picolibc, of which only the compiler
# and the headers are used. That package has no C++ headers; those of the Arm compiler serve a
# freestanding build for 32 bits and little endian.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR xtensa)
# The folder of port/, what of it places the image, and of firmware/boards/
set(MODMEM_PORT xtensa)
set(MODMEM_LINKER_SCRIPT sim_dc232b.ld)
set(MODMEM_BOARD sim_xtensa)
set(MODMEM_BOARD_CORES 1)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
foreach(language C CXX ASM)
  set(CMAKE_${language}_FLAGS_INIT
    "--specs=/usr/lib/xtensa-lx106-elf/picolibc.specs -ffunction-sections -fdata-sections -mtext-section-literals")
endforeach()
file(GLOB cxx_headers /usr/include/newlib/c++/*)
string(APPEND CMAKE_CXX_FLAGS_INIT " -isystem ${cxx_headers} -isystem ${cxx_headers}/arm-none-eabi")
set(CMAKE_C_COMPILER xtensa-lx106-elf-gcc)
set(CMAKE_CXX_COMPILER xtensa-lx106-elf-g++)
set(CMAKE_EXE_LINKER_FLAGS_INIT "-nostdlib -Wl,--gc-sections")
set(CMAKE_CXX_STANDARD_LIBRARIES "-lgcc")
