# How our own code is compiled; third-party headers come in as SYSTEM includes and keep their warnings to themselves.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_INTERPROCEDURAL_OPTIMIZATION OFF)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND};-E;env;CCACHE_BASEDIR=${PROJECT_SOURCE_DIR};CCACHE_NOHASHDIR=1;CCACHE_SLOPPINESS=time_macros;${CCACHE_PROGRAM}")
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

add_library(skerry_options INTERFACE)
target_compile_options(skerry_options INTERFACE -Wall -Wextra -Wconversion -Werror -Wno-missing-field-initializers -fno-math-errno
  # Checks that all shall run are joined by &, which clang takes for a slip.
  $<$<CXX_COMPILER_ID:Clang>:-Wno-bitwise-instead-of-logical>)
target_include_directories(skerry_options INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src> $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
# The oldest CPU that a release runs on; kernels have faster forms for newer ones, chosen when they run.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  add_compile_options(-march=x86-64-v2)
  add_compile_definitions(HWY_DISABLE_PCLMUL_AES)
endif()
# g++ looks for garbage each time it has grown by a third: a tenth of a build's work, for a few hundred MB.
add_compile_options($<$<CXX_COMPILER_ID:GNU>:--param=ggc-min-heapsize=524288>)
# Unused functions of a static room must not reach a device: skerry-run is small because of these two lines.
add_compile_options(-ffunction-sections -fdata-sections)
add_link_options(-Wl,--gc-sections)

set(SKERRY_SANITIZE "" CACHE STRING "Comma-separated -fsanitize= list, empty for none")
if(SKERRY_SANITIZE)
  add_compile_options(-fsanitize=${SKERRY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SKERRY_SANITIZE})
endif()
if(SKERRY_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# Reading headers is half of a build's work. In release and sanitizer builds by g++ each target reads the common ones
# once; debug builds show that each file includes what it uses.
if((CMAKE_BUILD_TYPE STREQUAL "Release" OR SKERRY_SANITIZE) AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # ccache asks for the first; the others are false inside std::string (GCC bug 105651) and no longer known to be there.
  set(SKERRY_PRECOMPILED -fpch-preprocess -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow)
  set(CMAKE_PCH_WARN_INVALID OFF)  # a file with options of its own reads the headers itself
endif()

# skerry_precompile(TARGET headers...): the target's own common headers.
function(skerry_precompile target)
  if(SKERRY_PRECOMPILED)
    target_precompile_headers(${target} PRIVATE ${ARGN})
    target_compile_options(${target} PRIVATE ${SKERRY_PRECOMPILED})
  endif()
endfunction()

# skerry_precompile_like(TARGET kind): the common headers of a kind of target, which skerry_common(kind) has made.
function(skerry_precompile_like target kind)
  if(SKERRY_PRECOMPILED)
    target_precompile_headers(${target} REUSE_FROM skerry_common_${kind})
    target_compile_options(${target} PRIVATE ${SKERRY_PRECOMPILED})
  endif()
endfunction()

# skerry_common(kind level headers...): the standard library's headers and others, read once at one level of optimisation.
function(skerry_common kind level)
  if(SKERRY_PRECOMPILED)
    add_library(skerry_common_${kind} STATIC "${PROJECT_BINARY_DIR}/common.cpp")
    target_link_libraries(skerry_common_${kind} PRIVATE skerry_options)
    target_compile_options(skerry_common_${kind} PRIVATE $<$<CONFIG:Release>:-O${level}>)
    skerry_precompile(skerry_common_${kind} <algorithm> <array> <atomic> <bit> <chrono> <cmath> <complex> <cstdint> <cstring>
      <functional> <map> <memory> <mutex> <numeric> <optional> <span> <string> <string_view> <unordered_map> <utility>
      <variant> <vector> ${ARGN})
  endif()
endfunction()

file(CONFIGURE OUTPUT common.cpp CONTENT "")
foreach(level 1 2 s)
  skerry_common(${level} ${level})
endforeach()
if(SKERRY_TESTS AND SKERRY_PRECOMPILED)
  skerry_common(test 1 <random> <gtest/gtest.h> <rapidcheck.h> <rapidcheck/gtest.h> <skerry/error.hpp>)
  target_link_libraries(skerry_common_test PRIVATE GTest::gtest rapidcheck)
endif()

# skerry_test_code(TARGET): a test program's own code, which does little of a test's work.
function(skerry_test_code target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  skerry_precompile_like(${target} test)
endfunction()

# skerry_optimise(LEVEL files...): a level of their own in a release, for files of this folder. g++ takes the level from a
# precompiled header, whatever the command says and without a word; so these read their headers themselves.
function(skerry_optimise level)
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "$<$<CONFIG:Release>:-O${level}>"
    SKIP_PRECOMPILE_HEADERS ON)
endfunction()
