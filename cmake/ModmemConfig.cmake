# Turns Kconfig, configs/${MODMEM_CONFIG}_defconfig and the MODMEM_FRAGMENTS on top of it into the
# generated headers, at configure time and again whenever one of them changes. Sets:
#
#   MODMEM_GENERATED_DIR        the include folder that holds modmem/config.hpp and its siblings
#   MODMEM_CONFIG_CHECKS_LEVEL  the level of invariant checks in force

# Debian's own Python, for which python3-kconfiglib is installed; another one that comes first in
# PATH does not see that module.
set(MODMEM_PYTHON "/usr/bin/python3" CACHE FILEPATH "The Python that has kconfiglib")
set(MODMEM_GENERATED_DIR "${PROJECT_BINARY_DIR}/generated")

# The folder itself changes with every file that comes or goes.
file(GLOB config_inputs "${PROJECT_SOURCE_DIR}/configs/*_defconfig")
list(APPEND config_inputs "${PROJECT_SOURCE_DIR}/configs"
  "${PROJECT_SOURCE_DIR}/Kconfig" "${PROJECT_SOURCE_DIR}/scripts/gen_config.py")
set(config_overrides "")
foreach(fragment IN LISTS MODMEM_FRAGMENTS)
  get_filename_component(fragment "${fragment}" ABSOLUTE BASE_DIR "${PROJECT_SOURCE_DIR}")
  list(APPEND config_overrides --fragment "${fragment}")
  list(APPEND config_inputs "${fragment}")
endforeach()
set_property(DIRECTORY "${PROJECT_SOURCE_DIR}" APPEND PROPERTY
  CMAKE_CONFIGURE_DEPENDS ${config_inputs})

if(NOT MODMEM_CHECKS_LEVEL STREQUAL "")
  list(APPEND config_overrides --set "CHECKS_LEVEL=${MODMEM_CHECKS_LEVEL}")
endif()
execute_process(
  COMMAND "${MODMEM_PYTHON}" "${PROJECT_SOURCE_DIR}/scripts/gen_config.py"
    --kconfig "${PROJECT_SOURCE_DIR}/Kconfig" --configs "${PROJECT_SOURCE_DIR}/configs"
    --config "${MODMEM_CONFIG}" ${config_overrides} --out "${MODMEM_GENERATED_DIR}/modmem"
  RESULT_VARIABLE result ERROR_VARIABLE errors)
if(NOT result EQUAL 0)
  string(STRIP "${errors}" errors)
  message(FATAL_ERROR "${errors}")
endif()

file(STRINGS "${MODMEM_GENERATED_DIR}/modmem/config.h" checks_line
  REGEX "^#define MODMEM_CONFIG_CHECKS_LEVEL ")
string(REGEX REPLACE ".* " "" MODMEM_CONFIG_CHECKS_LEVEL "${checks_line}")
message(STATUS
  "Configuration: ${MODMEM_CONFIG}, invariant checks level ${MODMEM_CONFIG_CHECKS_LEVEL}")
