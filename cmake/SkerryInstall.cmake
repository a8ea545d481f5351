# What `cmake --install` puts in place: the public headers, a shared library with every room in it and one without
# importers, the programs, and the files by which CMake and pkg-config find them. The rooms themselves stay private: nobody links a part of the house.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# skerry_sum(TARGET NAME rooms...): a shared library that is the sum of its rooms.
function(skerry_sum target name)
  list(TRANSFORM ARGN PREPEND skerry_ OUTPUT_VARIABLE rooms)
  # CMake wants one source for a library, even for one that is only a sum.
  add_library(${target} SHARED "${PROJECT_SOURCE_DIR}/cmake/shared_library.cpp")
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME skerry${name} VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  # Whole archives, also where one room asks for another: nothing in the library itself calls into them.
  list(JOIN rooms "," whole)
  set_target_properties(${target} PROPERTIES LINK_LIBRARY_OVERRIDE "WHOLE_ARCHIVE,${whole}")
  target_link_libraries(${target} PRIVATE ${rooms})
  target_link_options(${target} PRIVATE -Wl,-z,defs $<$<CONFIG:Release>:-s>)
  target_include_directories(${target} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(${target} INTERFACE cxx_std_20)
  install(TARGETS ${target} EXPORT skerry-targets COMPONENT library)
endfunction()

get_property(rooms GLOBAL PROPERTY SKERRY_ROOMS)
# The server is a program, not a library: nobody who embeds Skerry links its sockets.
list(REMOVE_ITEM rooms serve)
skerry_sum(skerry_shared "" ${rooms})
set_target_properties(skerry_shared PROPERTIES EXPORT_NAME skerry)
# What a device links that only runs packages.
list(REMOVE_ITEM rooms frontend emit engine edge net wire)
skerry_sum(skerry_runtime_shared _runtime ${rooms})
set_target_properties(skerry_runtime_shared PROPERTIES EXPORT_NAME runtime)

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
foreach(SKERRY_PC_NAME skerry skerry_runtime)
  configure_file("${PROJECT_SOURCE_DIR}/cmake/skerry.pc.in" ${SKERRY_PC_NAME}.pc @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/${SKERRY_PC_NAME}.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
    COMPONENT library)
endforeach()

# A sanitizer's run-time library would have to be in the embedder's program too.
if(SKERRY_TESTS AND NOT SKERRY_SANITIZE)
  add_test(NAME install COMMAND "${PROJECT_SOURCE_DIR}/tests/install/run.sh" "${PROJECT_BINARY_DIR}")
endif()
