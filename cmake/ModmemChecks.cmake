# The tests that are not programs of ours: those of scripts/, and the check of what freestanding
# libraries refer to, which is a target as well: check-freestanding.

get_property(freestanding_libraries GLOBAL PROPERTY MODMEM_FREESTANDING_LIBRARIES)
get_property(c_libraries GLOBAL PROPERTY MODMEM_C_LIBRARIES)
# Sanitizers and --coverage add calls of their run-time libraries to whatever they instrument.
if(freestanding_libraries AND NOT MODMEM_SANITIZE AND NOT MODMEM_COVERAGE)
  set(check_freestanding "${MODMEM_PYTHON}" -B "${PROJECT_SOURCE_DIR}/scripts/check_freestanding.py")
  foreach(library ${freestanding_libraries})
    list(APPEND check_freestanding $<TARGET_FILE:${library}>)
  endforeach()
  foreach(library ${c_libraries})
    list(APPEND check_freestanding --c-library $<TARGET_FILE:${library}>)
  endforeach()
  add_custom_target(check-freestanding
    COMMAND ${check_freestanding} DEPENDS ${freestanding_libraries} ${c_libraries} VERBATIM
    COMMENT "Checking what freestanding libraries refer to")
  if(MODMEM_BUILD_TESTS)
    add_test(NAME freestanding COMMAND ${check_freestanding})
  endif()
endif()

if(MODMEM_BUILD_TESTS)
  foreach(script gen_config edit_config check_layers check_freestanding install_packages)
    add_test(NAME ${script}_test
      COMMAND "${MODMEM_PYTHON}" -B "${PROJECT_SOURCE_DIR}/scripts/${script}_test.py")
    set_tests_properties(${script}_test PROPERTIES
      TIMEOUT 120
      ENVIRONMENT "CXX=${CMAKE_CXX_COMPILER}")
  endforeach()

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
