/// \file
/// For tests: what error a call ends with.
#pragma once

#include <gtest/gtest.h>

#include <skerry/error.hpp>

namespace skerry::base {

/// The Error that `call` throws; the test fails when it throws none.
template <class Call>
Error thrown_by(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(ErrorCode::internal, "nothing was thrown");
}

}  // namespace skerry::base
