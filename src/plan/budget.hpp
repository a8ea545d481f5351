/// \file
/// Limits against predictions: refuse before anything is allocated, with need, limit and what to change.
#pragma once

#include <cstdint>
#include <skerry/options.hpp>
#include <skerry/plan.hpp>
#include <string>

namespace skerry::planning {

/// `1.5 GiB`, `12 MiB`, `100 bytes`.
std::string bytes_text(std::uint64_t bytes);
/// `1.2 s`, `3.4 ms`, `5.6 us`.
std::string seconds_text(double seconds);

/// The memory a run that needs `need` bytes may take: the user's limit, else what the machine has free now. Asking the
/// machine costs a dozen files of /proc and /sys, so a need that any machine can meet is not asked about.
std::uint64_t memory_limit(const Limits& limits, std::uint64_t need);

/// Throws budget_exceeded or deadline_exceeded if the prediction passes a limit.
void enforce(const Plan& plan, const Limits& limits, const std::string& hint);

/// Errors: invalid_argument naming the field (negative or non-finite time, ...).
void check_limits(const Limits& limits);

}  // namespace skerry::planning
