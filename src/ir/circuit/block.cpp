#include <skerry/circuit.hpp>
#include <skerry/error.hpp>

namespace skerry {

Instruction Block::operator[](std::size_t i) const noexcept {
  const auto end = [i](const std::vector<std::uint32_t>& begins, std::size_t total) {
    return i + 1 < begins.size() ? begins[i + 1] : total;
  };
  const std::size_t wire = wire_begin_[i];
  const std::size_t param = param_begin_[i];
  return {ops_[i],
          controls_[i],
          aux_[i],
          {wires_.data() + wire, end(wire_begin_, wires_.size()) - wire},
          {params_.data() + param, end(param_begin_, params_.size()) - param}};
}

void Block::append(Op op, std::span<const Wire> wires, std::span<const Param> params, std::uint16_t controls,
                   std::uint32_t aux) {
  constexpr std::size_t kMost = 0xffffffffU;
  if (wires_.size() > kMost - wires.size() || params_.size() > kMost - params.size()) {
    throw Error(ErrorCode::limit_exceeded, "a block holds at most 2^32 wires and parameters in all");
  }
  wire_begin_.push_back(static_cast<std::uint32_t>(wires_.size()));
  param_begin_.push_back(static_cast<std::uint32_t>(params_.size()));
  wires_.insert(wires_.end(), wires.begin(), wires.end());
  params_.insert(params_.end(), params.begin(), params.end());
  ops_.push_back(op);
  controls_.push_back(controls);
  aux_.push_back(aux);
}

void Block::reserve(std::size_t instructions, std::size_t wires, std::size_t params) {
  ops_.reserve(instructions);
  controls_.reserve(instructions);
  aux_.reserve(instructions);
  wire_begin_.reserve(instructions);
  param_begin_.reserve(instructions);
  wires_.reserve(wires);
  params_.reserve(params);
}

std::uint64_t Block::bytes() const noexcept {
  return ops_.capacity() * sizeof(Op) + controls_.capacity() * sizeof(std::uint16_t) +
         (aux_.capacity() + wire_begin_.capacity() + param_begin_.capacity()) * sizeof(std::uint32_t) +
         wires_.capacity() * sizeof(Wire) + params_.capacity() * sizeof(Param);
}

}  // namespace skerry
