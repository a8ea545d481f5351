# Finds the Python that the extension is built for, and nanobind beside it: the virtual environment's in the development
# tree (tools/setup made it), the one that pip runs when a wheel is built.
if(NOT SKBUILD AND NOT DEFINED Python_EXECUTABLE AND EXISTS "${PROJECT_SOURCE_DIR}/.venv/bin/python")
  set(Python_EXECUTABLE "${PROJECT_SOURCE_DIR}/.venv/bin/python")
endif()
find_package(Python 3.11 REQUIRED COMPONENTS Interpreter Development.Module)
execute_process(COMMAND "${Python_EXECUTABLE}" -m nanobind --cmake_dir
  OUTPUT_VARIABLE nanobind_ROOT OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
find_package(nanobind CONFIG REQUIRED)

# Where the development tree's importable package is put together; a .pth of the virtual environment leads here.
set(SKERRY_PYTHON_DIR "${PROJECT_BINARY_DIR}/python/skerry")
