/// \file
/// A value or the reason why there is none, for questions whose "no" is an ordinary answer.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace skerry {

/// The reason carried by an Expected that holds no value: one lower-case sentence.
struct Unexpected {
  std::string reason;
};

/// Names follow std::expected (C++23); the error is always a sentence.
template <class T>
class Expected {
 public:
  Expected(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Expected(Unexpected no)
      : state_(std::in_place_index<1>, std::move(no.reason)) {}  // NOLINT(google-explicit-constructor)

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  /// Precondition: has_value().
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  const T& operator*() const { return value(); }
  const T* operator->() const { return &value(); }
  /// Precondition: !has_value().
  const std::string& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, std::string> state_;
};

}  // namespace skerry
