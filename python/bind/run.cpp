#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "arrays.hpp"
#include "bind.hpp"
#include "collected.hpp"
#include "described.hpp"
#include "plan.hpp"
#include "result.hpp"
#include "steering.hpp"

namespace skerry::python {
namespace {

// Below this many amplitude updates a run takes milliseconds; it is done in place, without a thread to watch over it.
constexpr double kSmallWork = 1 << 20;

// No prediction, only a bound from above that costs nothing to know; loops may run for ever.
bool may_be_long(const Circuit& circuit, const RunOptions& options) {
  if (circuit.num_wires() > 16 || options.noise || options.want_density) return true;
  double instructions = 1.0;
  for (const Block& block : circuit.blocks()) instructions += static_cast<double>(block.size());
  instructions += static_cast<double>(options.amplitudes.size());
  for (const Observable& observable : options.observables)
    instructions += static_cast<double>(observable.terms().size());
  const bool loops = !circuit.branches().empty();
  const double work = std::ldexp(instructions, static_cast<int>(circuit.num_wires()));
  return loops || work * (1.0 + static_cast<double>(options.shots)) > kSmallWork;
}

RunResult run_circuit(const Circuit& circuit, const RunOptions& given, nb::object progress) {
  Steering steering(std::move(progress));
  RunOptions options = given;
  options.limits.control = steering.control();
  RunResult result;
  steering.run(may_be_long(circuit, options), [&] { result.result = skerry::run(circuit, options); });
  return result;
}

/// The shots of a run, an array at a time.
class PyShotStream {
 public:
  PyShotStream(const Circuit& circuit, const RunOptions& given, std::uint64_t chunk, nb::object progress)
      : steering_(std::move(progress)), chunk_(chunk) {
    if (chunk == 0) throw Error(ErrorCode::invalid_argument, "an array of no shots", "chunk", "give 1 or more");
    RunOptions options = given;
    options.limits.control = steering_.control();
    steering_.run(true, [&] { stream_.emplace(stream_shots(circuit, options)); });
  }

  nb::object next() {
    const std::uint64_t count = std::min(chunk_, stream_->remaining());
    if (count == 0) throw nb::stop_iteration();
    Tensor out(DType::u64, {static_cast<std::int64_t>(count), static_cast<std::int64_t>(stream_->words())});
    steering_.run(true, [&] { stream_->next(out.mutable_view().as<std::uint64_t>()); });
    return array_from(out, true);
  }

  std::uint32_t bits() const { return stream_->bits(); }
  std::string method() const { return stream_->method(); }
  std::uint64_t remaining() const { return stream_->remaining(); }
  void held(auto visit) { steering_.held(visit); }

 private:
  Steering steering_;
  std::optional<ShotStream> stream_;
  std::uint64_t chunk_;
};

PlanAnswer plan_circuit(const Circuit& circuit, const RunOptions& options) {
  const nb::gil_scoped_release release;
  PlanAnswer answer;
  static_cast<Plan&>(answer) = skerry::plan(circuit, options, &answer.refusal);
  return answer;
}

}  // namespace

void bind_run(nb::module_& m) {
  nb::class_<PyShotStream>(m, "ShotStream", collected<PyShotStream>(),
                           "Iterator over arrays of shots; skerry.stream() makes it.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def(nb::init<const Circuit&, const RunOptions&, std::uint64_t, nb::object>(), nb::arg("circuit"),
           nb::arg("options"), nb::arg("chunk"), nb::arg("progress").none(),
           nb::sig("def __init__(self, circuit: Circuit, options: RunOptions, chunk: int, progress: "
                   "collections.abc.Callable[[float, str], object] | None) -> None"))
      .def(
          "__iter__", [](PyShotStream& self) -> PyShotStream& { return self; }, nb::rv_policy::reference)
      .def("__next__", &PyShotStream::next, nb::sig("def __next__(self) -> numpy.typing.NDArray[numpy.uint64]"))
      .def_prop_ro("bits", &PyShotStream::bits, "Bits of an outcome; bit 0 is the least significant of its words.")
      .def_prop_ro("method", &PyShotStream::method)
      .def_prop_ro("remaining", &PyShotStream::remaining, "Shots not yet given.");
  m.def("run_circuit", run_circuit, nb::arg("circuit"), nb::arg("options"), nb::arg("progress").none(),
        nb::sig("def run_circuit(circuit: Circuit, options: RunOptions, progress: collections.abc.Callable[[float, "
                "str], object] | "
                "None) -> RunResult"));
  m.def("parameter_values", skerry::parameter_values, nb::arg("circuit"), nb::arg("options"),
        "The options' parameters in order of declaration.");
  m.def("plan_circuit", plan_circuit, nb::arg("circuit"), nb::arg("options"));
}

}  // namespace skerry::python
