#include "fine_tuning.hpp"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <mutex>
#include <skerry/fine_tuning.hpp>
#include <skerry/pruning.hpp>

#include "arrays.hpp"
#include "model.hpp"

namespace skerry::python {
namespace {

using train::FineTuner;

// Threads may share it: one at a time, and whoever waits does so without the GIL.
class PyFineTuner {
 public:
  PyFineTuner(const Graph& model, const train::FineTuneOptions& options) : tuner_(model, options) {}
  template <class Work>
  auto alone(Work work) {
    const nb::gil_scoped_release release;
    const std::lock_guard busy(mutex_);
    return work(tuner_);
  }

 private:
  std::mutex mutex_;
  FineTuner tuner_;
};

void construct(PyFineTuner* self, const Model& model, const std::string& loss, double rate, int weight_bits,
               int activation_bits, bool keep_zeros, std::vector<std::string> keep) {
  if (loss != "cross_entropy" && loss != "mean_squared")
    throw Error(ErrorCode::invalid_argument, "unknown loss '" + loss + "'", "loss",
                "take cross_entropy or mean_squared");
  new (self) PyFineTuner(*model.graph,
                         {.loss = loss == "cross_entropy" ? train::Loss::cross_entropy : train::Loss::mean_squared,
                          .rate = rate,
                          .weight_bits = weight_bits,
                          .activation_bits = activation_bits,
                          .keep_zeros = keep_zeros,
                          .keep = std::move(keep)});
}

template <double (FineTuner::*Call)(const NamedTensors&, const Tensor&)>
double of_batch(PyFineTuner& self, const nb::dict& inputs, nb::handle targets) {
  const NamedTensors given = named_tensors(inputs);
  const Tensor wanted = tensor_from_object(targets);
  return self.alone([&](FineTuner& tuner) { return (tuner.*Call)(given, wanted); });
}

nb::list parameters(PyFineTuner& self) {
  nb::list found;
  for (const train::TrainedParameter& one : self.alone([](FineTuner& tuner) { return tuner.parameters(); }))
    found.append(nb::make_tuple(one.name, one.layer, one.op, one.is_bias, array_from(one.value), one.left));
  return found;
}

nb::list dependencies(const Model& model) {
  nb::list found;
  for (const ChannelDependency& one : channel_dependencies(*model.graph))
    found.append(nb::make_tuple(one.channels, one.layers, one.depthwise, one.users, one.importance));
  return found;
}

}  // namespace

void bind_fine_tuning(nb::module_& m) {
  nb::class_<PyFineTuner>(m, "FineTuner", "Adam on a model's weights; use skerry.QuantizationAwareTrainer.")
      .def("__init__", construct, nb::arg("model"), nb::arg("loss"), nb::arg("rate"), nb::arg("weight_bits"),
           nb::arg("activation_bits"), nb::arg("keep_zeros"), nb::arg("keep"))
      .def("loss", of_batch<&FineTuner::loss>, nb::arg("inputs"), nb::arg("targets"),
           nb::sig("def loss(self, inputs: dict[str, object], targets: object) -> float"), "The loss of a batch.")
      .def("step", of_batch<&FineTuner::step>, nb::arg("inputs"), nb::arg("targets"),
           nb::sig("def step(self, inputs: dict[str, object], targets: object) -> float"),
           "The loss of a batch, and an update after it.")
      .def(
          "model",
          [](PyFineTuner& self) {
            return Model{self.alone([](FineTuner& tuner) { return std::make_shared<const Graph>(tuner.model()); })};
          },
          "The model with the weights as they are now.")
      .def("parameters", parameters,
           nb::sig("def parameters(self) -> list[tuple[str, str, str, bool, numpy.typing.NDArray[Any], int]]"),
           "Name, layer, operator, whether a bias, values, and how many of them may change.");
  m.def("channel_dependencies", dependencies, nb::arg("model"),
        nb::sig("def channel_dependencies(model: Model) -> list[tuple[int, list[str], list[str], list[str], "
                "list[float]]]"),
        "Use skerry.ModelPruner.analyze_dependencies.");
}

}  // namespace skerry::python
