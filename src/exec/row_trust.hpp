/// \file
/// When rows of different requests may stand in one tensor.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <skerry/tensor.hpp>
#include <span>
#include <vector>

namespace skerry::exec {

/// One request's part of a batch; the inputs are its owner's.
struct RowsAsked {
  const std::vector<Tensor>* inputs;
  std::uint32_t rows = 1;
  std::int64_t length = 0;  ///< along the ragged axis
};

/// The inputs of a batch as one.
struct StackedRows {
  std::vector<Tensor> inputs;
  std::uint64_t elements = 0, padding = 0;  ///< padding: the part of the elements that nobody sent
};

/// What is known of a model's rows, by its own answers: the first batch whose requests differ is run alone and
/// together, and only a model that gave the same both ways is trusted with the next. One thread at a time.
class RowTrust {
 public:
  enum class Way : std::uint8_t { alone, both, together };
  using Outputs = std::vector<std::vector<Tensor>>;  ///< of each request

  /// ragged_axis: inputs may differ along it; outputs as long as they are cut. 0: none.
  explicit RowTrust(int ragged_axis) : ragged_axis_(ragged_axis) {}

  /// How to run these.
  Way way_of(std::span<const RowsAsked> batch) const;
  /// Inputs below each other. Errors: type_mismatch.
  StackedRows stacked(std::span<const RowsAsked> batch) const;
  /// Each request's rows of what the model gave for all. Errors: type_mismatch where there is not a row for each.
  Outputs parts(const std::vector<Tensor>& outputs, std::span<const RowsAsked> batch) const;
  /// Compares what each gave alone with what they give together. Requests that are all equal tell nothing: their mean,
  /// for one, is the same as each of them.
  void prove(std::span<const RowsAsked> batch, const Outputs& alone, const std::function<Outputs()>& together);
  /// Whether the rows were seen to depend on each other.
  bool is_broken() const noexcept { return state_ == State::broken; }

 private:
  enum class State : std::uint8_t { unknown, proven, broken };
  int ragged_axis_;
  State state_ = State::unknown;
  std::optional<std::vector<bool>> follows_;  // which outputs are as long as the inputs, if known
};

}  // namespace skerry::exec
