# The functions of Zephyr's build system that integrations/zephyr/CMakeLists.txt calls, for a build
# without Zephyr: they collect what it says of its library, in global properties
#
#   MODMEM_ZEPHYR_SOURCES, _INCLUDES, _DEFINITIONS, _OPTIONS
#
# zephyr_configuration(DIRECTORY FILE...) does what Zephyr does before that: .config and autoconf.h in
# DIRECTORY, and the options as variables of the caller.

function(zephyr_configuration directory)
  execute_process(
    COMMAND "${MODMEM_PYTHON}" -B "${CMAKE_CURRENT_LIST_DIR}/make_config.py" "${directory}" ${ARGN}
    RESULT_VARIABLE result ERROR_VARIABLE errors)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "Zephyr's configuration: ${errors}")
  endif()
  file(STRINGS "${directory}/.config" lines REGEX "^CONFIG_")
  foreach(line IN LISTS lines)
    string(REGEX MATCH "^([A-Z0-9_]+)=\"?([^\"]*)\"?$" ignored "${line}")
    set(${CMAKE_MATCH_1} "${CMAKE_MATCH_2}" PARENT_SCOPE)
  endforeach()
endfunction()

function(collect property)
  set_property(GLOBAL APPEND PROPERTY MODMEM_ZEPHYR_${property} ${ARGN})
endfunction()

function(collect_paths property)
  foreach(path IN LISTS ARGN)
    get_filename_component(path "${path}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_SOURCE_DIR}")
    collect(${property} "${path}")
  endforeach()
endfunction()

function(zephyr_library_named name)
  foreach(property SOURCES INCLUDES DEFINITIONS OPTIONS)
    set_property(GLOBAL PROPERTY MODMEM_ZEPHYR_${property} "")
  endforeach()
endfunction()

function(zephyr_library_sources)
  collect_paths(SOURCES ${ARGN})
endfunction()

function(zephyr_library_sources_ifdef option)
  if(${option})
    zephyr_library_sources(${ARGN})
  endif()
endfunction()

function(zephyr_include_directories)
  collect_paths(INCLUDES ${ARGN})
endfunction()

function(zephyr_library_include_directories)
  collect_paths(INCLUDES ${ARGN})
endfunction()

function(zephyr_library_compile_definitions)
  collect(DEFINITIONS ${ARGN})
endfunction()

function(zephyr_library_compile_options)
  collect(OPTIONS ${ARGN})
endfunction()
