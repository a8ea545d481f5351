#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <skerry/error.hpp>
#include <skerry/metrics.hpp>
#include <skerry/profiler.hpp>

#include "bind.hpp"
#include "described.hpp"

namespace skerry::python {
namespace {

using Labels = std::map<std::string, std::string>;

MetricLabels labels_from(const Labels& labels) {
  return {labels.begin(), labels.end()};
}

// Until the with statement enters it, a session has not begun.
class PyProfilerSession {
 public:
  PyProfilerSession(std::shared_ptr<Profiler> profiler, std::string name)
      : profiler_(std::move(profiler)), name_(std::move(name)) {}
  void enter() {
    if (session_) throw Error(ErrorCode::invalid_argument, "the session has begun already", name_, "make another one");
    session_ = profiler_ ? profiler_->session(name_) : std::make_unique<ProfilerSession>(name_);
  }
  ProfilerSession& begun() const {
    if (!session_) throw Error(ErrorCode::invalid_argument, "the session has not begun", name_, "use it in a with");
    return *session_;
  }
  const std::string& name() const { return name_; }

 private:
  std::shared_ptr<Profiler> profiler_;
  std::string name_;
  std::unique_ptr<ProfilerSession> session_;
};

struct PyProfiler {
  std::shared_ptr<Profiler> profiler = std::make_shared<Profiler>();  // shared: sessions outlive the name
};

class PyCounter {
 public:
  explicit PyCounter(std::optional<std::vector<std::string>> names) {
    std::vector<HardwareEvent> events;
    for (const HardwareEvent event : hardware_events())
      if (!names || std::ranges::find(*names, hardware_event_name(event)) != names->end()) events.push_back(event);
    if (names && events.size() != names->size()) {
      std::string known;
      for (const HardwareEvent event : hardware_events())
        known += (known.empty() ? "" : ", ") + std::string(hardware_event_name(event));
      throw Error(ErrorCode::invalid_argument, "an event is unknown or named twice", "events", "use some of " + known);
    }
    counter_ = std::make_unique<PerformanceCounter>(events);
  }
  void start() { counter_->start(); }
  void stop() { counter_->stop(); }
  nb::dict values() const {
    nb::dict values;
    for (const auto& reading : counter_->read()) {
      const std::string name(hardware_event_name(reading.event));
      values[name.c_str()] = reading.refusal.empty() ? nb::object(nb::int_(reading.value)) : nb::object(nb::none());
    }
    return values;
  }
  std::map<std::string, std::string> refusals() const {
    std::map<std::string, std::string> refusals;
    for (const auto& reading : counter_->read())
      if (!reading.refusal.empty()) refusals.emplace(hardware_event_name(reading.event), reading.refusal);
    return refusals;
  }

 private:
  std::unique_ptr<PerformanceCounter> counter_;
};

void bind_profiler(nb::module_& m) {
  nb::class_<ProfileTotal>(m, "ProfileTotal", "What was done under one name while a session was open.")
      .def_ro("name", &ProfileTotal::name)
      .def_ro("category", &ProfileTotal::category)
      .def_ro("count", &ProfileTotal::count)
      .def_ro("seconds", &ProfileTotal::seconds)
      .def_ro("self_seconds", &ProfileTotal::self_seconds, "Without what was done inside on the same thread.")
      .def("__repr__", [](const ProfileTotal& self) {
        return "<ProfileTotal " + self.name + ": " + std::to_string(self.count) + ">";
      });
  nb::class_<PyProfilerSession>(m, "ProfilerSession",
                                R"(Records what ends while its with statement runs, on all threads:
runs, steps of models, passes, and sessions within it.

>>> import numpy, skerry
>>> from skerry.profiling import ProfilerSession
>>> g = skerry.GraphBuilder()
>>> g.output(g.add("Exp", [g.input("x", [4])], name="y"))
>>> model = g.build().session()
>>> with ProfilerSession("work") as session:
...     y = model.run({"x": numpy.zeros(4, numpy.float32)})
>>> [total.count for total in session.totals() if total.name == "Exp"]
[1]
)")
      .def("__repr__",
           [](nb::handle self) {
             return described(self, {"name", "seconds", "dropped"});
           })
      .def(
          "__init__",
          [](PyProfilerSession* self, std::string name) { new (self) PyProfilerSession(nullptr, std::move(name)); },
          nb::arg("name"))
      .def(
          "__enter__",
          [](PyProfilerSession& self) -> PyProfilerSession& {
            self.enter();
            return self;
          },
          nb::rv_policy::reference)
      .def(
          "__exit__", [](PyProfilerSession& self, const nb::args&) { self.begun().end(); },
          nb::sig("def __exit__(self, *args: object) -> None"))
      .def_prop_ro("name", &PyProfilerSession::name)
      .def_prop_ro("seconds", [](const PyProfilerSession& self) { return self.begun().seconds(); })
      .def_prop_ro("events", [](const PyProfilerSession& self) { return self.begun().events(); })
      .def_prop_ro("dropped", [](const PyProfilerSession& self) { return self.begun().dropped(); })
      .def(
          "totals", [](const PyProfilerSession& self) { return self.begun().totals(); },
          "By name, most time of its own first.")
      .def(
          "write", [](const PyProfilerSession& self, const std::filesystem::path& path) { self.begun().write(path); },
          nb::arg("path"), nb::sig("def write(self, path: str | os.PathLike[str]) -> None"),
          "Chrome's trace JSON, for Perfetto.");
  nb::class_<PyProfiler>(m, "Profiler", "Keeps the sessions that were made with it, for one report of all.")
      .def(nb::init<>())
      .def(
          "session",
          [](const PyProfiler& self, std::string name) { return PyProfilerSession(self.profiler, std::move(name)); },
          nb::arg("name"), "For a with statement; sessions nest.")
      .def(
          "ended", [](const PyProfiler& self) { return self.profiler->ended(); },
          "Names of the sessions that have ended, in the order of their beginning.")
      .def(
          "write", [](const PyProfiler& self, const std::filesystem::path& path) { self.profiler->write(path); },
          nb::arg("path"), nb::sig("def write(self, path: str | os.PathLike[str]) -> None"),
          "What all sessions recorded, each event once, as one trace for Perfetto.");
}

}  // namespace

void bind_profiling(nb::module_& m) {
  bind_profiler(m);
  nb::class_<Counter>(m, "Counter", "Something that only grows.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def("add", &Counter::add, nb::arg("more") = 1)
      .def_prop_ro("value", &Counter::value);
  nb::class_<Gauge>(m, "Gauge", "Something that goes up and down.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def("set", &Gauge::set, nb::arg("value"))
      .def("add", &Gauge::add, nb::arg("more"))
      .def_prop_ro("value", &Gauge::value);
  nb::class_<Histogram>(m, "Histogram", "How often values fell between bounds.")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def("record", &Histogram::record, nb::arg("value"))
      .def(
          "percentile", [](const Histogram& self, double share) { return self.snapshot().percentile(share); },
          nb::arg("share"), "The value below which this share lies, interpolated inside a bin.")
      .def_prop_ro("counts", [](const Histogram& self) { return self.snapshot().counts; })
      .def_prop_ro("sum", [](const Histogram& self) { return self.snapshot().sum; });
  nb::class_<MetricsCollector>(m, "MetricsCollector",
                               R"(Counters, gauges and histograms by name and labels, as Prometheus
reads them.

>>> from skerry.profiling import MetricsCollector
>>> metrics = MetricsCollector()
>>> metrics.counter("runs_total", "Runs of models", {"model": "digits"}).add()
>>> print(metrics.text(), end="")
# HELP runs_total Runs of models
# TYPE runs_total counter
runs_total{model="digits"} 1
)")
      .def(nb::init<>())
      .def(
          "counter",
          [](MetricsCollector& self, std::string_view name, std::string_view help, const Labels& labels) -> Counter& {
            return self.counter(name, help, labels_from(labels));
          },
          nb::arg("name"), nb::arg("help"), nb::arg("labels") = Labels(), nb::rv_policy::reference_internal,
          "The counter of this name and labels, made when it is asked for first.")
      .def(
          "gauge",
          [](MetricsCollector& self, std::string_view name, std::string_view help, const Labels& labels) -> Gauge& {
            return self.gauge(name, help, labels_from(labels));
          },
          nb::arg("name"), nb::arg("help"), nb::arg("labels") = Labels(), nb::rv_policy::reference_internal)
      .def(
          "histogram",
          [](MetricsCollector& self, std::string_view name, std::string_view help, const std::vector<double>& bounds,
             const Labels& labels) -> Histogram& { return self.histogram(name, help, bounds, labels_from(labels)); },
          nb::arg("name"), nb::arg("help"), nb::arg("bounds"), nb::arg("labels") = Labels(),
          nb::rv_policy::reference_internal, "bounds: upper ones, ascending; those of the first call stay.")
      .def("text", &MetricsCollector::text, "The page that Prometheus reads.");
  nb::class_<PyCounter>(m, "PerformanceCounter", R"(What the processor did while the with statement ran, on this thread
and threads it made meanwhile. events: names of HARDWARE_EVENTS, all without it.

>>> from skerry.profiling import PerformanceCounter
>>> with PerformanceCounter(["instructions"]) as counter:
...     total = sum(range(100_000))
>>> counter.values["instructions"] is not None or "instructions" in counter.refusals
True
)")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def(nb::init<std::optional<std::vector<std::string>>>(), nb::arg("events") = nb::none())
      .def("start", &PyCounter::start, "From zero.")
      .def("stop", &PyCounter::stop)
      .def(
          "__enter__",
          [](PyCounter& self) -> PyCounter& {
            self.start();
            return self;
          },
          nb::rv_policy::reference)
      .def(
          "__exit__", [](PyCounter& self, const nb::args&) { self.stop(); },
          nb::sig("def __exit__(self, *args: object) -> None"))
      .def_prop_ro("values", &PyCounter::values, nb::sig("def values(self) -> dict[str, int | None]"),
                   "By event; None where the kernel refused to count.")
      .def_prop_ro("refusals", &PyCounter::refusals, "Why there is no value, by event.");
}

}  // namespace skerry::python
