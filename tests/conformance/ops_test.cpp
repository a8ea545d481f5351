// Every operator, attribute by attribute and in its older forms, against the answers in tests/data/ops (made by
// tools/op_vectors.py): each kernel by itself, folding, and a whole run.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <skerry/session.hpp>
#include <string>

#include "frontend/frontend.hpp"
#include "kernels/tensor/numeric.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(SKERRY_TEST_DATA) / "ops";

using Named = std::map<std::string, Tensor>;

struct Case {
  std::string model;
  Named inputs, outputs;
};

std::uint32_t read_length(std::istream& file) {
  std::uint32_t length = 0;
  file.read(reinterpret_cast<char*>(&length), sizeof length);
  return length;
}

std::string read_text(std::istream& file) {
  std::string text(read_length(file), '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  return text;
}

DType dtype_of_number(int number) {
#define SKERRY_DTYPE(name, bits, onnx) \
  if (number == (onnx)) return DType::name;
#include <skerry/dtypes.def>
#undef SKERRY_DTYPE
  throw std::runtime_error("no dtype " + std::to_string(number));
}

Tensor unpacked(const std::string& bytes) {
  std::vector<std::int64_t> dims(static_cast<std::size_t>(bytes[1]));
  // A scalar has no dims, an empty tensor no elements, and memcpy wants an address even for nothing.
  if (!dims.empty()) std::memcpy(dims.data(), bytes.data() + 2, dims.size() * sizeof(std::int64_t));
  Tensor tensor(dtype_of_number(bytes[0]), Shape(dims));
  const std::size_t header = 2 + dims.size() * sizeof(std::int64_t);
  if (bytes.size() != header + tensor.view().bytes()) throw std::runtime_error("a tensor of another size");
  if (bytes.size() > header) std::memcpy(tensor.mutable_view().data(), bytes.data() + header, bytes.size() - header);
  return tensor;
}

// `<case>/model`, `<case>/in/<name>`, `<case>/out/<name>`
std::map<std::string, Case> read_bundle(const std::string& op) {
  std::ifstream file(kFolder / (op + ".bin"), std::ios::binary);
  std::map<std::string, Case> cases;
  while (file.peek() != std::ifstream::traits_type::eof()) {
    const std::string name = read_text(file);
    const std::string content = read_text(file);
    const auto slash = name.find('/');
    Case& into = cases[name.substr(0, slash)];
    const std::string part = name.substr(slash + 1);
    if (part == "model") {
      into.model = content;
    } else if (part.starts_with("in/")) {
      into.inputs[part.substr(3)] = unpacked(content);
    } else {
      into.outputs[part.substr(4)] = unpacked(content);
    }
  }
  return cases;
}

Graph import_case(const Case& c) {
  return std::get<Graph>(frontend::import({.bytes = std::as_bytes(std::span(c.model)), .name = "case", .owner = {}}));
}

// Rounding of the functions themselves, a few units in the last place, times the length of a sum.
double tolerance(DType dtype) {
  if (dtype == DType::f64 || dtype == DType::c128) return 1e-12;
  if (dtype == DType::f16) return 2e-3;
  return 4e-6;
}

template <class T>
bool close(T found, T right, double allowed) {
  if constexpr (kernels::is_real<T>) {
    const auto a = static_cast<double>(kernels::convert<double>(found));
    const auto b = static_cast<double>(kernels::convert<double>(right));
    if (std::isnan(b) || std::isinf(b)) return std::isnan(b) ? std::isnan(a) : a == b;
    return std::abs(a - b) <= allowed * std::max(1.0, std::abs(b));
  } else {
    return found == right;
  }
}

template <class T>
void expect_elements(std::span<const T> found, std::span<const T> right, double allowed, const std::string& what) {
  for (std::size_t i = 0; i < right.size(); ++i) {
    if (close(found[i], right[i], allowed)) continue;
    ADD_FAILURE() << what << ": element " << i << " is " << kernels::convert<double>(found[i]) << " instead of "
                  << kernels::convert<double>(right[i]);
    return;
  }
}

void expect_equal(const TensorView& found, const Tensor& right, const std::string& what) {
  ASSERT_EQ(dtype_name(found.dtype()), dtype_name(right.dtype())) << what;
  ASSERT_EQ(found.shape().text(), right.shape().text()) << what;
  if (!kernels::NumbersAndBool::contains(right.dtype())) {
    EXPECT_EQ(std::memcmp(found.data(), right.view().data(), right.view().bytes()), 0) << what;
    return;
  }
  kernels::visit(kernels::NumbersAndBool{}, right.dtype(),
                 [&]<class T>() { expect_elements<T>(found.as<T>(), right.as<T>(), tolerance(right.dtype()), what); });
}

void expect_outputs(const Graph& graph, const std::map<ValueId, Tensor>& found, const Case& c,
                    const std::string& what) {
  for (const ValueId id : graph.outputs()) {
    const std::string& name = graph.value(id).name;
    const auto& constant = graph.value(id).constant;
    expect_equal(constant ? constant->view() : found.at(id).view(), c.outputs.at(name),
                 std::string(what).append(", ").append(name));
  }
}

ops::NodeTypes types_of(const Graph& graph, const Node& node) {
  ops::NodeTypes types;
  for (const ValueId id : node.inputs) {
    types.present.push_back(id != kNoValue);
    types.inputs.push_back(id == kNoValue ? TensorType{} : graph.value(id).type);
    types.constants.push_back(id != kNoValue && graph.value(id).constant ? &*graph.value(id).constant : nullptr);
  }
  for (const ValueId id : node.outputs) types.outputs.push_back(id == kNoValue ? TensorType{} : graph.value(id).type);
  return types;
}

TensorView input_view(const Graph& graph, ValueId id, const Case& c) {
  if (id == kNoValue) return {};
  const auto& constant = graph.value(id).constant;
  return constant ? constant->view() : c.inputs.at(graph.value(id).name).view();
}

// Runs the one node of a graph by one kernel; in place where the record allows it and it was asked for.
std::map<ValueId, Tensor> run_by(const ops::KernelRow& row, const Graph& graph, const Case& c, bool in_place) {
  const Node& node = graph.node(0);
  const ops::Prepared prepared = row.prepare(node, types_of(graph, node));
  std::vector<TensorView> inputs;
  for (const ValueId id : node.inputs) inputs.push_back(input_view(graph, id, c));
  std::map<ValueId, Tensor> results;
  std::vector<MutableTensorView> outputs;
  for (const ValueId id : node.outputs) {
    if (id == kNoValue) {
      outputs.emplace_back();
      continue;
    }
    Tensor& result = results[id];
    result = Tensor(graph.value(id).type.dtype, *graph.value(id).type.static_shape());
    outputs.push_back(result.mutable_view());
  }
  if (in_place) {
    TensorView& shared = inputs[static_cast<std::size_t>(ops::find_op(node.op)->in_place_input)];
    std::memcpy(outputs[0].data(), shared.data(), shared.bytes());
    shared = TensorView(shared.dtype(), shared.shape(), outputs[0].data());
  }
  Tensor scratch(DType::u8, Shape{static_cast<std::int64_t>(prepared.scratch_bytes)});
  prepared.run({inputs, outputs, std::span(scratch.mutable_view().data(), prepared.scratch_bytes)});
  return results;
}

bool can_share(const Graph& graph, const Case& c) {
  const Node& node = graph.node(0);
  const int shared = ops::find_op(node.op)->in_place_input;
  if (shared < 0 || static_cast<std::size_t>(shared) >= node.inputs.size()) return false;
  const auto& type = graph.value(node.outputs[0]).type;
  return input_view(graph, node.inputs[static_cast<std::size_t>(shared)], c).bytes() ==
         tensor_bytes(type.dtype, *type.static_shape());
}

std::vector<TensorType> input_types(const Graph& graph, const Case& c) {
  std::vector<TensorType> types;
  for (const ValueId id : graph.inputs()) {
    const Tensor& tensor = c.inputs.at(graph.value(id).name);
    types.push_back(TensorType::of(tensor.dtype(), tensor.shape()));
  }
  return types;
}

class Operators : public testing::TestWithParam<std::string> {
 protected:
  const std::map<std::string, Case> cases_ = read_bundle(GetParam());
};

TEST_P(Operators, GiveTheRightAnswerByEachOfTheirKernels) {
  const ops::OpRecord& record = *ops::find_op(GetParam());
  std::set<std::string_view> ran;
  std::size_t computed = 0;
  for (const auto& [name, c] : cases_) {
    const Graph imported = import_case(c);
    const Graph graph = ops::specialize(imported, input_types(imported, c));
    if (graph.nodes().empty()) {
      expect_outputs(graph, {}, c, name);
      continue;
    }
    if (record.is_view) continue;
    for (const ops::KernelRow& row : record.kernels) {
      if (!row.can(graph.node(0), types_of(graph, graph.node(0)))) continue;
      ran.insert(row.name);
      ++computed;
      const std::string what = name + " by " + std::string(row.name);
      expect_outputs(graph, run_by(row, graph, c, false), c, what);
      if (can_share(graph, c)) expect_outputs(graph, run_by(row, graph, c, true), c, what + " in place");
    }
  }
  // Every kernel of an operator whose cases are not constants from the start has had its turn.
  for (const ops::KernelRow& row : record.kernels) EXPECT_TRUE(computed == 0 || ran.contains(row.name)) << row.name;
}

TEST_P(Operators, FoldToTheRightAnswer) {
  for (const auto& [name, c] : cases_) {
    const Graph imported = import_case(c);
    auto values = imported.values();
    for (const ValueId id : imported.inputs()) values[id].constant = c.inputs.at(values[id].name);
    const Graph graph =
        ops::specialize(Graph::from_parts(std::move(values), imported.nodes(), {}, imported.outputs()), {});
    EXPECT_TRUE(graph.nodes().empty()) << name;
    if (graph.nodes().empty()) expect_outputs(graph, {}, c, name);
  }
}

TEST_P(Operators, RunThroughTheWholeHouse) {
  for (const auto& [name, c] : cases_) {
    Session session(std::make_shared<const Graph>(import_case(c)));
    const Result result = session.run(NamedTensors(c.inputs.begin(), c.inputs.end()));
    for (const auto& [output, tensor] : result.tensors) expect_equal(tensor.view(), c.outputs.at(output), name);
  }
}

std::vector<std::string> bundles() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".bin") names.push_back(entry.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, Operators, testing::ValuesIn(bundles()), [](const auto& info) { return info.param; });

TEST(OperatorRecords, AreKnownInTheirNewestForm) {
  std::ifstream file(kFolder / "versions.json");
  const auto versions = nlohmann::json::parse(file);
  for (const ops::OpRecord* record : ops::all_ops()) {
    const std::string name(record->name);
    if (!versions.contains(name)) continue;
    EXPECT_EQ(record->since_opset, versions[name].get<int>()) << name;
  }
}

}  // namespace
}  // namespace skerry
