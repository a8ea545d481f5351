#include "frontend/onnx/types.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "frontend/frontend.hpp"

namespace skerry::frontend {
namespace {

namespace fs = std::filesystem;

int onnx_number(DType dtype) {
  static constexpr int numbers[] = {
#define SKERRY_DTYPE(name, bits, onnx) onnx,
#include <skerry/dtypes.def>
#undef SKERRY_DTYPE
  };
  return numbers[static_cast<std::size_t>(dtype)];
}

std::string extent(const Dim& dim) {
  if (dim.is_known()) return std::to_string(dim.value);
  return dim.symbol.empty() ? "?" : dim.symbol;
}

/// Why our type says less than, or something other than, the extents that onnx inferred; empty when it does not.
std::string shortfall(const TensorType& ours, const std::string& theirs) {
  std::vector<std::string> extents;
  std::stringstream list(theirs == "-" ? "" : theirs);
  for (std::string each; std::getline(list, each, ',');) extents.push_back(each);
  if (!ours.shape) return "unknown rank";
  if (ours.shape->size() != extents.size()) return "another rank";
  for (std::size_t axis = 0; axis < extents.size(); ++axis) {
    if (extents[axis] != "?" && extents[axis] != extent((*ours.shape)[axis])) return "axis " + std::to_string(axis);
  }
  return "";
}

// types.txt was written by tools/models/make_type_golden.py from onnx.shape_inference.
TEST(OnnxTypes, AreAtLeastWhatOnnxInfers) {
  const fs::path data = SKERRY_TEST_DATA;
  std::ifstream golden(data / "models/types.txt");
  std::map<std::string, Graph> graphs;
  std::string model, name, extents;
  std::size_t values = 0;
  for (int number = 0; golden >> model >> name >> number >> extents; ++values) {
    if (!graphs.contains(model)) {
      const fs::path kept = data / "models" / (model + ".onnx");
      const fs::path path = fs::exists(kept) ? kept : data.parent_path() / "fuzz/corpus/onnx" / (model + ".onnx");
      graphs.emplace(model, std::get<Graph>(import(open_source(path))));
    }
    const auto& all = graphs.at(model).values();
    const auto found = std::ranges::find(all, name, &Value::name);
    ASSERT_NE(found, all.end()) << model << " " << name;
    EXPECT_EQ(onnx_number(found->type.dtype), number) << model << " " << name;
    EXPECT_EQ(shortfall(found->type, extents), "")
        << model << " " << name << ": " << found->type.text() << ", onnx says " << extents;
  }
  EXPECT_GT(values, 200U);
}

}  // namespace
}  // namespace skerry::frontend
