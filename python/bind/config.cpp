#include <nanobind/stl/string_view.h>

#include "base/machine.hpp"
#include "base/threads.hpp"
#include "bind.hpp"

namespace skerry::python {

void bind_config(nb::module_& m) {
  m.def("version", version, "Version of this library, `0.1.0`.");
  m.def("num_threads", base::thread_budget,
        "Threads that a run may use: what set_num_threads said, else SKERRY_NUM_THREADS, else OMP_NUM_THREADS, else "
        "the CPUs that this process may use.");
  m.def("set_num_threads", base::set_thread_budget, nb::arg("threads"),
        "Sets the threads of this process; 0 goes back to the default.");
  m.def("usable_cpus", base::usable_cpus, "CPUs that this process may use now, by its affinity and control group.");
}

}  // namespace skerry::python
