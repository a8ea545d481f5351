# What `cmake --install` puts in place: the public headers, one shared library with every room in it, the programs, and
# the files by which CMake and pkg-config find them. The rooms themselves stay private: nobody links a part of the house.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(rooms GLOBAL PROPERTY SKERRY_ROOMS)
list(TRANSFORM rooms PREPEND skerry_)

# CMake wants one source for a library, even for one that is only the sum of its rooms.
add_library(skerry_shared SHARED "${PROJECT_SOURCE_DIR}/cmake/shared_library.cpp")
add_library(skerry::skerry ALIAS skerry_shared)
set_target_properties(skerry_shared PROPERTIES
  OUTPUT_NAME skerry EXPORT_NAME skerry VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
# Whole archives, also where one room asks for another: nothing in the library itself calls into them.
list(JOIN rooms "," whole)
set_target_properties(skerry_shared PROPERTIES LINK_LIBRARY_OVERRIDE "WHOLE_ARCHIVE,${whole}")
target_link_libraries(skerry_shared PRIVATE ${rooms})
target_link_options(skerry_shared PRIVATE -Wl,-z,defs)
target_include_directories(skerry_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(skerry_shared INTERFACE cxx_std_20)

install(TARGETS skerry_shared EXPORT skerry-targets COMPONENT library)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/skerry" DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library)
foreach(program skerry_cli skerry_run)
  if(TARGET ${program})
    install(TARGETS ${program} COMPONENT programs)
  endif()
endforeach()
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT library)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/skerry)
install(EXPORT skerry-targets NAMESPACE skerry:: DESTINATION ${package_dir} COMPONENT library)
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/skerry-config.cmake.in" skerry-config.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(skerry-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/skerry-config.cmake" "${PROJECT_BINARY_DIR}/skerry-config-version.cmake"
  DESTINATION ${package_dir} COMPONENT library)

# The pkg-config file finds its prefix from where it lies, so that an install tree can be moved.
file(RELATIVE_PATH SKERRY_PC_PREFIX "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
configure_file("${PROJECT_SOURCE_DIR}/cmake/skerry.pc.in" skerry.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/skerry.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)

# A sanitizer's run-time library would have to be in the embedder's program too.
if(SKERRY_TESTS AND NOT SKERRY_SANITIZE)
  add_test(NAME install COMMAND "${PROJECT_SOURCE_DIR}/tests/install/run.sh" "${PROJECT_BINARY_DIR}")
endif()
