/// \file
/// A run like the one before, without what surrounds it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "bind.hpp"

namespace skerry::python {

/// Dense arrays in, small new arrays out: what a run through Python costs beside a model of a few microseconds, once
/// names and types are known. Immutable; made, used and dropped with the GIL.
class KnownRun {
 public:
  /// Runs with such inputs give such outputs, both in the graph's order. Null where one of them is no plain tensor of
  /// known shape, there are many, or the outputs are not small.
  static std::shared_ptr<const KnownRun> of(const Graph& graph, std::span<const TensorType> inputs,
                                            std::span<const TensorType> outputs);

  using Run = void(void* context, std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs);
  /// Calls `run` with the arrays' elements and gives the outputs by name; nothing where the inputs are others than
  /// these: then it was not called. Errors: those of `run`.
  std::optional<nb::dict> run(nb::handle inputs, Run* run, void* context) const;

 private:
  struct Known {
    nb::object name;
    DType dtype;
    Shape shape;
    nb::object dims;  ///< the shape as a tuple
  };
  static bool add(std::vector<Known>& to, const Value& value, const TensorType& type);

  std::vector<Known> inputs_, outputs_;
};

}  // namespace skerry::python
