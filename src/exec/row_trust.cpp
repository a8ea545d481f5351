#include "exec/row_trust.hpp"

#include <algorithm>
#include <cstring>
#include <skerry/error.hpp>
#include <utility>

#include "exec/rows.hpp"

namespace skerry::exec {
namespace {

bool have_same_inputs(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::ranges::equal(a, b, [](const Tensor& x, const Tensor& y) {
    return x.view().bytes() == y.view().bytes() && std::memcmp(x.view().data(), y.view().data(), x.view().bytes()) == 0;
  });
}

bool have_one_length(std::span<const RowsAsked> batch) {
  return std::ranges::all_of(batch, [&](const RowsAsked& one) { return one.length == batch[0].length; });
}

bool is_as_long(const Tensor& tensor, int axis, std::int64_t length) {
  return tensor.shape().rank() > axis && tensor.shape()[axis] == length;
}

}  // namespace

RowTrust::Way RowTrust::way_of(std::span<const RowsAsked> batch) const {
  if (batch.size() < 2 || state_ == State::broken) return Way::alone;
  // Of inputs of one length nobody learns which outputs are as long as they.
  return state_ == State::proven && (follows_ || have_one_length(batch)) ? Way::together : Way::both;
}

StackedRows RowTrust::stacked(std::span<const RowsAsked> batch) const {
  StackedRows all;
  std::uint64_t sent = 0;
  std::vector<const Tensor*> parts;
  for (std::size_t k = 0; k < batch[0].inputs->size(); ++k) {
    parts.clear();
    for (const RowsAsked& one : batch) {
      parts.push_back(&(*one.inputs)[k]);
      sent += static_cast<std::uint64_t>(parts.back()->shape().elements());
    }
    all.inputs.push_back(exec::stacked(parts, ragged_axis_));
    all.elements += static_cast<std::uint64_t>(all.inputs.back().shape().elements());
  }
  all.padding = all.elements - sent;
  return all;
}

RowTrust::Outputs RowTrust::parts(const std::vector<Tensor>& outputs, std::span<const RowsAsked> batch) const {
  std::int64_t rows = 0, longest = 0;
  for (const RowsAsked& one : batch) {
    rows += one.rows;
    longest = std::max(longest, one.length);
  }
  Outputs parts(batch.size());
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    const Tensor& output = outputs[k];
    if (output.shape().rank() == 0 || output.shape()[0] != rows)
      throw Error(ErrorCode::type_mismatch, "an output has not a row for each row of the input");
    const bool is_ragged = follows_ && k < follows_->size() && (*follows_)[k];
    if (is_ragged && !is_as_long(output, ragged_axis_, longest))
      throw Error(ErrorCode::type_mismatch, "an output is not as long as the input");
    std::int64_t row = 0;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      Tensor part = rows_from(output, row, batch[i].rows);
      row += batch[i].rows;
      parts[i].push_back(is_ragged ? cut(part, ragged_axis_, batch[i].length) : std::move(part));
    }
  }
  return parts;
}

void RowTrust::prove(std::span<const RowsAsked> batch, const Outputs& alone, const std::function<Outputs()>& together) {
  if (std::ranges::all_of(batch, [&](const RowsAsked& one) { return have_same_inputs(*one.inputs, *batch[0].inputs); }))
    return;
  if (!have_one_length(batch)) {
    follows_.emplace();
    for (std::size_t k = 0; k < alone[0].size(); ++k) {
      bool is_so = true;
      for (std::size_t i = 0; i < batch.size(); ++i)
        is_so = is_so && k < alone[i].size() && is_as_long(alone[i][k], ragged_axis_, batch[i].length);
      follows_->push_back(is_so);
    }
  }
  try {
    const auto same = [](const Tensor& a, const Tensor& b) { return same_answer(a, b); };
    const bool agree = std::ranges::equal(together(), alone,
                                          [&](const auto& a, const auto& b) { return std::ranges::equal(a, b, same); });
    state_ = agree ? State::proven : State::broken;
  } catch (const std::exception&) {
    state_ = State::broken;
  }
}

}  // namespace skerry::exec
