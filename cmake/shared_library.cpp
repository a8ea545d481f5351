/// \file
/// Nothing: the shared library is the sum of its rooms, but the linker wants one object to start from.
