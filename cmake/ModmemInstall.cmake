# Installs the C interface: `make install`, or `cmake --install BUILD --component c`.
#
# Headers, libmodmem as a shared and a static library, the test double, a pkg-config file and a CMake
# package, none of which names the place where it lies: what is installed can be moved as a whole. The
# libraries need the C library only.
# The C++ interface is not installed; who uses it builds modmem as part of his own firmware.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/modmem")
set(pkgconfig_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
set(generated_dir "${PROJECT_BINARY_DIR}/install")

file(RELATIVE_PATH MODMEM_PREFIX_FROM_PKGCONFIG "/prefix/${pkgconfig_dir}" "/prefix")
string(REGEX REPLACE "/$" "" MODMEM_PREFIX_FROM_PKGCONFIG "${MODMEM_PREFIX_FROM_PKGCONFIG}")
configure_file("${PROJECT_SOURCE_DIR}/cmake/modmem.pc.in" "${generated_dir}/modmem.pc" @ONLY)
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/modmemConfig.cmake.in"
  "${generated_dir}/modmemConfig.cmake"
  INSTALL_DESTINATION "${package_dir}" PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR
  NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file("${generated_dir}/modmemConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)

set(installed_targets modmem_c_shared modmem_c_static modmem_testing)
add_custom_target(modmem_installed DEPENDS ${installed_targets})
install(TARGETS ${installed_targets}
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT c
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT c)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/capi/include/"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT c
  FILES_MATCHING PATTERN "*.h")
install(FILES "${generated_dir}/modmem.pc" DESTINATION "${pkgconfig_dir}" COMPONENT c)
install(FILES "${generated_dir}/modmemConfig.cmake" "${generated_dir}/modmemConfigVersion.cmake"
  DESTINATION "${package_dir}" COMPONENT c)
