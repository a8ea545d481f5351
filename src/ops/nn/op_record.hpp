/// \file
/// What each tensor operator means: one record per operator, read by the importer, inference, planner, executor and
/// docs.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <skerry/datum.hpp>
#include <skerry/graph.hpp>
#include <span>
#include <string_view>
#include <vector>

#include "base/expected.hpp"
#include "kernels/rates.hpp"

namespace skerry::ops {

/// What a type rule sees and fills in. Rules run on symbolic types after import and on concrete ones when a plan is
/// made.
struct TypeContext {
  const Node& node;
  std::span<const TensorType* const> inputs;  ///< null where an optional input is absent
  std::span<const Tensor* const> constants;   ///< values of inputs that are known, else null
  /// Values of one-dimensional (or scalar) integer inputs as far as known, else null: shapes that flow as data.
  std::span<const std::vector<Dim>* const> dims;
  std::vector<TensorType> outputs;                           ///< to be filled: as many as the node has outputs
  std::vector<std::optional<std::vector<Dim>>> output_dims;  ///< may be filled: known values of integer outputs
};

/// Turns a node of an older opset into the newest form, in place; may add constants to the graph.
struct UpgradeContext {
  Graph& graph;
  Node& node;
  int from_opset;
  /// Adds a constant and gives its value.
  std::function<ValueId(Tensor)> add_constant;
};

/// Concrete types of one node when a kernel is chosen.
struct NodeTypes {
  std::vector<TensorType> inputs;        ///< static shapes; dtype of an absent optional input is meaningless
  std::vector<bool> present;             ///< of each input
  std::vector<const Tensor*> constants;  ///< of each input, else null
  std::vector<TensorType> outputs;
};

/// Buffers of one execution of one node. Views of absent optional inputs and outputs are empty().
struct KernelArguments {
  std::span<const TensorView> inputs;
  std::span<const MutableTensorView> outputs;
  std::span<std::byte> scratch;  ///< as many bytes as the kernel asked for, 64-byte aligned, contents arbitrary
};

/// A kernel ready to run: attributes decoded, weights possibly repacked. Called from one thread at a time; parallel
/// inside through base/threads. Never allocates.
using PreparedKernel = std::function<void(const KernelArguments&)>;

/// A prepared kernel and what it needs.
struct Prepared {
  PreparedKernel run;
  std::uint64_t scratch_bytes = 0;
  std::uint64_t packed_bytes = 0;  ///< memory the kernel keeps for repacked weights
  /// Constant inputs that run() does not read any more; their views may be empty then.
  std::vector<std::size_t> packed_inputs = {};
};

/// One way to compute an operator. A record lists its kernels, most special first, the reference last.
struct KernelRow {
  std::string_view name;  ///< `conv_f32_im2col`, `conv_onednn`, `conv_ref`
  /// Cost if this kernel takes such a node, else the reason why not (for `plan`'s explanation).
  Expected<std::vector<kernels::Work>> (*can)(const Node&, const NodeTypes&);
  Prepared (*prepare)(const Node&, const NodeTypes&);
};

struct DataNode;

/// One operator in its newest form. Constant data in src/ops/nn/<name>.cpp and a row of ops.def.
struct OpRecord {
  std::string_view name;  ///< `Conv`; `com.microsoft.Gelu` outside ONNX's own domain
  int since_opset = 1;    ///< opset of the newest form that is understood here
  std::string_view help;  ///< semantics in two or three sentences with constraints, for reference pages
  std::size_t inputs =
      0;  ///< how many of the first must be there; a node with fewer is refused before its rule is asked
  void (*infer)(TypeContext&) = nullptr;
  void (*upgrade)(UpgradeContext&) = nullptr;  ///< null: all older forms are the same
  std::span<const KernelRow> kernels;
  /// Input whose buffer output 0 may reuse when it is not needed any more (-1: none).
  int in_place_input = -1;
  /// Output 0 is the first input's elements under another shape: no work, no buffer (Reshape, Squeeze, Flatten,
  /// Identity).
  bool is_view = false;
  /// Output 0 may be left out where another is wanted (the recurrent operators).
  bool first_output_optional = false;
  /// Computes the outputs from values that are there: for sequences, optionals, maps and strings, which kernels do not
  /// take. A record that has kernels too is asked only where one of these is among its inputs or outputs.
  std::vector<Datum> (*carry_out)(DataNode&) = nullptr;
  /// Its rule understands types that are not tensors; all others are refused such inputs.
  bool takes_wrapped = false;
  /// Whether such a node draws random numbers, which are a run's: it is not computed beforehand, nor once for two, nor
  /// in a batch with others' requests. Null: it never does.
  bool (*draws)(const Graph&, const Node&) = nullptr;
};

/// For operators that do so whatever their inputs are.
inline bool always_draws(const Graph&, const Node&) {
  return true;
}

/// The record of an operator, null when there is none.
const OpRecord* find_op(std::string_view name);
std::span<const OpRecord* const> all_ops();
/// Newest opset of ONNX's own domain that every record was checked against.
int newest_opset();

/// Fills in the types of all values from the graph inputs', following shapes that flow as data; subgraphs included.
/// Errors: type_mismatch whose where is the node's name; unsupported for an operator without a record.
void infer_types(Graph& graph);

/// The graph for these input types: inference again, whatever the graph said before, and everything that became
/// constant folded away (with concrete types Shape chains vanish). inputs: one type per graph input. Constants are
/// shared with the original.
Graph specialize(const Graph& graph, std::span<const TensorType> inputs);

/// Kernels read elements at addresses that fit their type, but a weight may stand anywhere in a mapped file. Copies the
/// constants that a node reads as elements (a table that is only gathered from is not) where they do not fit, once the
/// memory is agreed upon and before the kernel is prepared; the file's memory goes back.
void align_constants(Graph& graph, NodeId node);
/// The tensor itself where it stands right, else a copy.
Tensor aligned_copy(const Tensor& tensor);

}  // namespace skerry::ops
