#include "ops/nn/random.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <skerry/error.hpp>
#include <string_view>

namespace skerry::ops {
namespace {

std::uint32_t hash_of(std::string_view text) {
  std::uint32_t hash = 0x811c9dc5U;  // FNV-1a
  for (const char letter : text) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x01000193U;
  return hash;
}

void require_real(const Node& node, DType dtype) {
  if (!kernels::Reals::contains(dtype))
    refuse(node, node.op + " cannot draw " + std::string(dtype_name(dtype)), "set its attribute dtype to a real type");
}

// Rounded once: through float a half would be rounded twice, so the float's last bit keeps whether something is below.
template <class T>
T rounded(double value) {
  if constexpr (!kernels::is_half<T>) return static_cast<T>(value);
  auto narrow = static_cast<float>(value);
  if (static_cast<double>(narrow) != value && std::isfinite(narrow)) {
    auto bits = std::bit_cast<std::uint32_t>(narrow);
    if (std::abs(static_cast<double>(narrow)) > std::abs(value)) --bits;
    narrow = std::bit_cast<float>(bits | 1U);
  }
  return kernels::convert<T>(narrow);
}

using Number = double (base::LegacyRandom::*)();

// Attributes are f32, and so is what is computed from them; a half is multiplied and added to as f32.
Prepared prepare(const Node& node, Number number, float offset, float scale) {
  return {[drawn = drawn_by(node), number, offset, scale](const KernelArguments& a) {
    base::LegacyRandom random = drawn.begin();
    kernels::visit(kernels::Reals{}, a.outputs[0].dtype(), [&]<class T>() {
      using C = kernels::Compute<T>;
      const auto factor = static_cast<C>(scale), shift = static_cast<C>(offset);
      for (T& y : a.outputs[0].as<T>()) {
        const T scaled = kernels::convert<T>(kernels::convert<C>(rounded<T>((random.*number)())) * factor);
        y = kernels::convert<T>(kernels::convert<C>(scaled) + shift);
      }
    });
  }};
}

}  // namespace

Drawn drawn_by(const Node& node) {
  Drawn drawn{.name = node.name.empty() && !node.outputs.empty() ? node.outputs[0] : hash_of(node.name)};
  const Attribute* seed = node.find("seed");
  if (seed == nullptr) return drawn;
  if (const auto* whole = std::get_if<std::int64_t>(seed)) {
    drawn.seed = static_cast<std::uint32_t>(*whole);
    return drawn;
  }
  const double given = node.real("seed", 0.0);
  if (std::isnan(given)) return drawn;
  if (!(std::abs(given) < 0x1p63)) refuse(node, "the seed is " + std::to_string(given), "give one below 2^32");
  drawn.seed = static_cast<std::uint32_t>(static_cast<std::int64_t>(given));
  return drawn;
}

bool draws_at_random(const Graph& graph, const Node& node) {
  const OpRecord* record = find_op(node.op);
  return record != nullptr && record->draws != nullptr && record->draws(graph, node);
}

void infer_drawn(TypeContext& context) {
  const Node& node = context.node;
  drawn_by(node);
  if (node.find("shape") == nullptr) refuse(node, node.op + " has no attribute shape");
  Dims dims;
  for (const std::int64_t extent : node.integers("shape")) {
    if (extent < 0) refuse(node, "an extent of " + std::to_string(extent));
    dims.emplace_back(extent);
  }
  const DType dtype = dtype_attribute(node, "dtype", DType::f32);
  require_real(node, dtype);
  set_output(context, 0, dtype, std::move(dims));
}

void infer_drawn_like(TypeContext& context) {
  drawn_by(context.node);
  const DType dtype = dtype_attribute(context.node, "dtype", input(context, 0).dtype);
  require_real(context.node, dtype);
  set_output(context, 0, dtype, input(context, 0).shape);
}

Cost can_draw(const Node&, const NodeTypes& types) {
  constexpr double kSteps = 40.0;
  return element_steps(types, kSteps);
}

Prepared prepare_uniform(const Node& node, const NodeTypes&) {
  const auto low = static_cast<float>(node.real("low", 0.0)), high = static_cast<float>(node.real("high", 1.0));
  return prepare(node, &base::LegacyRandom::uniform, low, high - low);
}

Prepared prepare_normal(const Node& node, const NodeTypes&) {
  return prepare(node, &base::LegacyRandom::normal, static_cast<float>(node.real("mean", 0.0)),
                 static_cast<float>(node.real("scale", 1.0)));
}

}  // namespace skerry::ops
