# The tests that are not programs of ours: those of scripts/, and the check of what freestanding
# libraries refer to, which is a target as well: check-freestanding. Of firmware builds that target
# is a part.

get_property(freestanding_libraries GLOBAL PROPERTY MODMEM_FREESTANDING_LIBRARIES)
if(MODMEM_FIRMWARE)
  # Ports and boards refer to their machines.
  list(FILTER freestanding_libraries INCLUDE REGEX "^modmem_(page|record|heap|memory|module|capi)$")
endif()
get_property(c_libraries GLOBAL PROPERTY MODMEM_C_LIBRARIES)
# Sanitizers and --coverage add calls of their run-time libraries to whatever they instrument.
if(freestanding_libraries AND NOT MODMEM_SANITIZE AND NOT MODMEM_COVERAGE)
  set(check_freestanding "${MODMEM_PYTHON}" -B "${PROJECT_SOURCE_DIR}/scripts/check_freestanding.py"
    --nm "${CMAKE_NM}" --objdump "${CMAKE_OBJDUMP}")
  foreach(library ${freestanding_libraries})
    list(APPEND check_freestanding $<TARGET_FILE:${library}>)
  endforeach()
  foreach(library ${c_libraries})
    list(APPEND check_freestanding --c-library $<TARGET_FILE:${library}>)
  endforeach()
  set(part "")
  if(MODMEM_FIRMWARE)
    set(part ALL)
  endif()
  add_custom_target(check-freestanding ${part}
    COMMAND ${check_freestanding} DEPENDS ${freestanding_libraries} ${c_libraries} VERBATIM
    COMMENT "Checking what freestanding libraries refer to")
  if(MODMEM_BUILD_TESTS)
    add_test(NAME freestanding COMMAND ${check_freestanding})
  endif()
endif()

if(MODMEM_BUILD_TESTS)
  foreach(script gen_config edit_config check_layers check_freestanding install_packages size_report latency_report check_coverage)
    add_test(NAME ${script}_test
      COMMAND "${MODMEM_PYTHON}" -B "${PROJECT_SOURCE_DIR}/scripts/${script}_test.py")
    set_tests_properties(${script}_test PROPERTIES
      TIMEOUT 120
      ENVIRONMENT "CXX=${CMAKE_CXX_COMPILER}")
  endforeach()

  add_test(NAME run_images_test
    COMMAND "${MODMEM_PYTHON}" -B "${PROJECT_SOURCE_DIR}/firmware/run_images_test.py")
  add_test(NAME port_concept_test
    COMMAND "${MODMEM_PYTHON}" -B "${PROJECT_SOURCE_DIR}/port/port_concept_test.py"
      "-I${PROJECT_SOURCE_DIR}" "-I${MODMEM_GENERATED_DIR}")
  set_tests_properties(run_images_test port_concept_test PROPERTIES
    TIMEOUT 120
    ENVIRONMENT "CXX=${CMAKE_CXX_COMPILER}")

  # Programs without the run-time libraries of sanitizers and --coverage cannot link one that has them.
  if(NOT MODMEM_SANITIZE AND NOT MODMEM_COVERAGE)
    add_test(NAME install_library_test
      COMMAND "${MODMEM_PYTHON}" -B "${PROJECT_SOURCE_DIR}/scripts/install_library_test.py"
        "${PROJECT_BINARY_DIR}")
    add_test(NAME capi_docs_test
      COMMAND "${MODMEM_PYTHON}" -B "${PROJECT_SOURCE_DIR}/capi/docs_test.py"
        $<TARGET_FILE:modmem_c_shared> "${PROJECT_SOURCE_DIR}/capi/include")
    set_tests_properties(install_library_test capi_docs_test PROPERTIES TIMEOUT 300)
  endif()
endif()
