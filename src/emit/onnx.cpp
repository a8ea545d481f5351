// Field numbers are those of onnx-ml.proto; the wire format is protobuf's: (number << 3 | type), then a varint, 4
// bytes, or a length and so many bytes.
#include "emit/onnx.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <map>
#include <set>
#include <skerry/error.hpp>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::emit {
namespace {

constexpr std::int64_t kOpset = 21;
constexpr std::size_t kMostBytes = std::size_t{1} << 31;
// Operators that came later, and the release of the format (IR version) that knows each opset.
constexpr std::array<std::pair<std::string_view, std::int64_t>, 10> kLater = {{{"Attention", 23},
                                                                               {"BitCast", 26},
                                                                               {"CausalConvWithState", 27},
                                                                               {"CumProd", 26},
                                                                               {"LinearAttention", 27},
                                                                               {"RMSNormalization", 23},
                                                                               {"RotaryEmbedding", 23},
                                                                               {"SwiGLU", 28},
                                                                               {"Swish", 24},
                                                                               {"TensorScatter", 24}}};
// Attributes that operators of opset 21 do not have.
constexpr std::array<std::pair<std::string_view, std::int64_t>, 4> kLaterAttributes = {
    {{"output_dtype", 23}, {"precision", 23}, {"round_mode", 24}, {"stash_type", 27}}};
constexpr std::array<std::string_view, 10> kCompiled = {"activation", "captures", "channels_last", "flatten",
                                                        "least",      "most",     "mask_hides",    "masked_score",
                                                        "packed",     "planes_in"};

std::int64_t onnx_number(DType dtype) {
  switch (dtype) {
#define SKERRY_DTYPE(name, bits, onnx) \
  case DType::name:                    \
    return onnx;
#include <skerry/dtypes.def>
#undef SKERRY_DTYPE
  }
  return 0;
}

/// A message under construction.
class Message {
 public:
  void integer(std::uint32_t number, std::int64_t value) {
    varint(number << 3U);
    varint(static_cast<std::uint64_t>(value));
  }
  void bytes(std::uint32_t number, std::string_view value) {
    varint(number << 3U | 2U);
    varint(value.size());
    text_ += value;
  }
  void message(std::uint32_t number, const Message& value) { bytes(number, value.text_); }
  void real(std::uint32_t number, float value) {
    varint(number << 3U | 5U);
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (unsigned shift = 0; shift < 32; shift += 8) text_ += static_cast<char>(bits >> shift & 0xFFU);
  }
  std::string take() { return std::move(text_); }
  std::size_t size() const { return text_.size(); }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 0x80U; value >>= 7U) text_ += static_cast<char>((value & 0x7FU) | 0x80U);
    text_ += static_cast<char>(value);
  }
  std::string text_;
};

Message tensor_message(const Tensor& tensor, std::string_view name) {
  if (tensor.dtype() == DType::string)
    throw Error(ErrorCode::unsupported, "a constant of strings cannot be written", std::string(name));
  Message out;
  for (const std::int64_t dim : tensor.shape().dims()) out.integer(1, dim);
  out.integer(2, onnx_number(tensor.dtype()));
  if (!name.empty()) out.bytes(8, name);
  out.bytes(9, {reinterpret_cast<const char*>(tensor.view().data()), tensor.view().bytes()});
  return out;
}

Message type_message(const TensorType& type) {
  if (!type.is_tensor())
    throw Error(ErrorCode::unsupported, type.text() + " cannot be written as ONNX yet", {},
                "save the model as a package");
  Message tensor;
  tensor.integer(1, onnx_number(type.dtype));
  if (type.shape) {
    Message shape;
    for (const Dim& dim : *type.shape) {
      Message one;
      if (dim.is_known()) {
        one.integer(1, dim.value);
      } else if (!dim.symbol.empty()) {
        one.bytes(2, dim.symbol);
      }
      shape.message(1, one);
    }
    tensor.message(2, shape);
  }
  Message out;
  out.message(1, tensor);
  return out;
}

// Values of AttributeProto.type, and the fields beside it.
struct AttributeWriter {
  Message& out;
  const Node& node;

  void operator()(std::int64_t value) const { out.integer(3, value), out.integer(20, 2); }
  void operator()(double value) const { out.real(2, static_cast<float>(value)), out.integer(20, 1); }
  void operator()(const std::string& value) const { out.bytes(4, value), out.integer(20, 3); }
  void operator()(const Tensor& value) const { out.message(5, tensor_message(value, {})), out.integer(20, 4); }
  void operator()(const std::vector<std::int64_t>& values) const {
    for (const std::int64_t value : values) out.integer(8, value);
    out.integer(20, 7);
  }
  void operator()(const std::vector<double>& values) const {
    for (const double value : values) out.real(7, static_cast<float>(value));
    out.integer(20, 6);
  }
  void operator()(const std::vector<std::string>& values) const {
    for (const std::string& value : values) out.bytes(9, value);
    out.integer(20, 8);
  }
  void operator()(const Subgraph&) const { refuse("a subgraph"); }
  void operator()(const CircuitRef&) const { refuse("a circuit"); }
  void operator()(const std::vector<Observable>&) const { refuse("observables"); }

  [[noreturn]] void refuse(const char* what) const {
    throw Error(ErrorCode::unsupported, std::string(what) + " cannot be written as ONNX yet", node.name,
                "save the model as a package");
  }
};

class Writer {
 public:
  explicit Writer(const Graph& graph) : graph_(graph), names_(graph.values().size()) {}

  std::string write() {
    // What callers know by name keeps it.
    for (const auto* ids : {&graph_.inputs(), &graph_.outputs()})
      for (const ValueId id : *ids) name(id);
    Message graph;
    for (const Node& node : graph_.nodes()) graph.message(1, node_message(node));
    graph.bytes(2, graph_.name.empty() ? "model" : graph_.name);
    for (ValueId id = 0; id < graph_.values().size(); ++id) {
      if (!graph_.value(id).constant || names_[id].empty()) continue;
      graph.message(5, tensor_message(*graph_.value(id).constant, names_[id]));
      require_size(graph);
    }
    for (const ValueId id : graph_.inputs()) graph.message(11, value_message(id));
    for (const ValueId id : graph_.outputs()) graph.message(12, value_message(id));

    Message model;
    model.integer(1, opset_ <= 22 ? 10 : opset_ == 23 ? 11 : opset_ <= 25 ? 12 : 13);
    model.bytes(2, "skerry");
    model.message(7, graph);
    for (const auto& [domain, version] : domains()) {
      Message opset;
      opset.bytes(1, domain);
      opset.integer(2, version);
      model.message(8, opset);
    }
    require_size(model);
    return model.take();
  }

 private:
  static void require_size(const Message& message) {
    if (message.size() < kMostBytes) return;
    throw Error(ErrorCode::limit_exceeded, "an ONNX file of more than 2 GiB cannot be written", {},
                "save the model as a package");
  }

  std::map<std::string, std::int64_t> domains() const {
    std::map<std::string, std::int64_t> out = {{"", opset_}};
    for (const std::string& domain : domains_) out[domain] = domain == "ai.onnx.ml" ? 3 : 1;
    return out;
  }

  const std::string& name(ValueId id) {
    static const std::string kNone;
    if (id == kNoValue) return kNone;
    std::string& given = names_[id];
    if (!given.empty()) return given;
    const std::string wanted = graph_.value(id).name.empty() ? "value" : graph_.value(id).name;
    given = wanted;
    for (int i = 1; !taken_.insert(given).second; ++i) given = wanted + "_" + std::to_string(i);
    return given;
  }

  Message value_message(ValueId id) {
    Message out;
    out.bytes(1, name(id));
    out.message(2, type_message(graph_.value(id).type));
    return out;
  }

  void need(std::int64_t opset) { opset_ = std::max(opset_, opset); }

  Message node_message(const Node& node) {
    const std::size_t dot = node.op.rfind('.');
    const std::string domain = dot == std::string::npos ? "" : node.op.substr(0, dot);
    if (!domain.empty()) domains_.insert(domain);
    for (const auto& [op, opset] : kLater)
      if (node.op == op) need(opset);
    Message out;
    for (const ValueId id : node.inputs) out.bytes(1, name(id));
    for (const ValueId id : node.outputs) out.bytes(2, name(id));
    if (!node.name.empty()) out.bytes(3, node.name);
    out.bytes(4, dot == std::string::npos ? node.op : node.op.substr(dot + 1));
    for (const auto& [key, value] : node.attributes) {
      const auto* number = std::get_if<std::int64_t>(&value);
      if (std::ranges::find(kCompiled, key) != kCompiled.end()) {
        if (number != nullptr && *number == 0) continue;
        throw Error(ErrorCode::unsupported, node.op + " has the attribute '" + key + "', which ONNX does not know",
                    node.name, "write the model before it is compiled");
      }
      for (const auto& [attribute, opset] : kLaterAttributes)
        if (key == attribute && !node.op.ends_with("Normalization")) need(opset);
      Message attribute;
      attribute.bytes(1, key);
      std::visit(AttributeWriter{attribute, node}, value);
      out.message(5, attribute);
    }
    if (!domain.empty()) out.bytes(7, domain);
    return out;
  }

  const Graph& graph_;
  std::vector<std::string> names_;
  std::set<std::string> taken_;
  std::set<std::string> domains_;
  std::int64_t opset_ = kOpset;
};

}  // namespace

std::string onnx(const Graph& graph) {
  return Writer(graph).write();
}

}  // namespace skerry::emit
