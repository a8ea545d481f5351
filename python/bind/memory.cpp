#include "memory.hpp"

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <skerry/backend.hpp>
#include <skerry/error.hpp>
#include <skerry/memory.hpp>
#include <skerry/tensor_pool.hpp>
#include <thread>

#include "arrays.hpp"
#include "base/file.hpp"
#include "collected.hpp"
#include "described.hpp"
#include "model.hpp"

namespace skerry::python {
namespace {

constexpr double kBytesPerMb = 1e6;
constexpr std::uint64_t kMostKeptBytes = std::uint64_t{256} << 20;  // by a pool of memory

MemoryKind kind_from_name(std::string_view name) {
  if (name == "system") return MemoryKind::system;
  if (name == "pool") return MemoryKind::pool;
  if (name == "device") return MemoryKind::device;
  if (name == "unified") return MemoryKind::unified;
  throw Error(ErrorCode::invalid_argument, "unknown kind of memory '" + std::string(name) + "'", "kind",
              "use system, pool, device or unified");
}

MemoryManager make_manager(std::optional<double> limit_mb, std::string_view kind, const MockGPUBackend* device) {
  if (limit_mb && !(*limit_mb >= 0.0 && std::isfinite(*limit_mb)))
    throw Error(ErrorCode::invalid_argument, "a limit of " + std::to_string(*limit_mb) + " MB", "limit_mb",
                "give a number of 10^6 bytes");
  const MemoryKind wanted = kind_from_name(kind);
  const std::uint64_t limit = limit_mb ? static_cast<std::uint64_t>(std::min(*limit_mb * kBytesPerMb, 1e18))
                                       : std::numeric_limits<std::uint64_t>::max();
  if (wanted == MemoryKind::system) return MemoryManager(limit);
  // What a pool keeps is not counted, so it is a small part of the limit.
  if (wanted == MemoryKind::pool)
    return MemoryManager(limit, std::make_shared<MemoryPool>(std::min(limit / 4, kMostKeptBytes)));
  if (wanted == MemoryKind::device && device != nullptr) return MemoryManager(limit, device->memory());
  return MemoryManager(limit, memory_allocator(wanted));
}

// What a with statement holds. A scope belongs to a thread.
class PyScope {
 public:
  PyScope(nb::object manager, std::string tag) : manager_(std::move(manager)), tag_(std::move(tag)) {}
  void enter() {
    if (scope_) throw Error(ErrorCode::invalid_argument, "the scope is entered already", tag_, "make another one");
    scope_ = std::make_unique<MemoryScope>(nb::cast<const PyMemoryManager&>(manager_), tag_);
    thread_ = std::this_thread::get_id();
  }
  void exit() {
    if (scope_ && thread_ != std::this_thread::get_id()) {
      throw Error(ErrorCode::invalid_argument, "the scope was entered on another thread", tag_,
                  "leave it where it was entered");
    }
    scope_.reset();
  }
  void held(auto visit) { visit(manager_); }

 private:
  nb::object manager_;  // Python's, whose callbacks live as long as it does
  std::string tag_;
  std::unique_ptr<MemoryScope> scope_;
  std::thread::id thread_;
};

std::map<std::string, std::uint64_t> tags_of(const MemoryUsage& usage) {
  std::map<std::string, std::uint64_t> tags;
  for (const TagUsage& tag : usage.tags) tags.emplace(tag.tag, tag.used);
  return tags;
}

nb::object memory_map_file(const std::filesystem::path& path) {
  static constexpr std::byte kNothing{};
  auto file = std::make_shared<base::MappedFile>(base::MappedFile::open(path));
  const auto bytes = file->bytes();
  const TensorView view(DType::u8, {static_cast<std::int64_t>(bytes.size())}, bytes.empty() ? &kNothing : bytes.data());
  return array_from(Tensor(view, std::move(file)));
}

// Errors: type_mismatch for what is neither an extent nor a sequence of them.
Shape shape_from(nb::handle shape) {
  const auto extent = [](nb::handle dim) {
    std::int64_t value = 0;
    if (!nb::try_cast(dim, value))
      throw Error(ErrorCode::type_mismatch, std::string(nb::repr(dim).c_str()) + " is no extent", "shape",
                  "give whole numbers, like (2, 3)");
    return value;
  };
  std::vector<std::int64_t> dims;
  if (nb::isinstance<nb::int_>(shape) || !nb::isinstance<nb::iterable>(shape)) {
    dims.push_back(extent(shape));
  } else {
    for (const nb::handle dim : shape) dims.push_back(extent(dim));
  }
  try {
    return Shape(dims);
  } catch (const Error& error) {
    throw error.at("shape");
  }
}

DType dtype_from(nb::handle dtype) {
  const nb::module_ numpy = nb::module_::import_("numpy");
  return tensor_from_object(numpy.attr("zeros")(0, nb::arg("dtype") = dtype)).dtype();
}

void preallocate(TensorPool& pool, const nb::args& shapes) {
  std::vector<Shape> all;
  for (const nb::handle shape : shapes) all.push_back(shape_from(shape));
  pool.preallocate_buffers(all);
}

std::vector<std::string> weight_names(const Model& model) {
  std::vector<std::string> names;
  for (const Value& value : model.graph->values())
    if (value.constant) names.push_back(value.name);
  return names;
}

nb::object weight(const Model& model, std::string_view name) {
  for (const Value& value : model.graph->values())
    if (value.constant && value.name == name) return array_from(*value.constant);
  throw nb::key_error(std::string(name).c_str());
}

void bind_manager(nb::module_& m) {
  nb::class_<MemoryUsage>(m, "MemoryUsage", "Who holds how many bytes; `used` is the sum over the tags.")
      .def_ro("used", &MemoryUsage::used)
      .def_ro("peak", &MemoryUsage::peak)
      .def_prop_ro(
          "limit",
          [](const MemoryUsage& self) {
            return self.limit == std::numeric_limits<std::uint64_t>::max() ? std::nullopt : std::optional(self.limit);
          },
          "Bytes, or None.")
      .def_ro("allocations", &MemoryUsage::allocations, "Charges since the beginning.")
      .def_prop_ro("tags", tags_of, "Bytes in use by tag.")
      .def("__repr__", [](const MemoryUsage& self) {
        return "<MemoryUsage: " + std::to_string(self.used) + " bytes, " + std::to_string(self.tags.size()) + " tags>";
      });
  nb::class_<PyScope>(m, "MemoryScope", collected<PyScope>(), "What MemoryManager.scope() gives to a with statement.")
      .def(
          "__enter__",
          [](PyScope& self) -> PyScope& {
            self.enter();
            return self;
          },
          nb::rv_policy::reference)
      .def(
          "__exit__", [](PyScope& self, const nb::args&) { self.exit(); },
          nb::sig("def __exit__(self, *args: object) -> None"));
  nb::class_<PyMemoryManager>(m, "MemoryManager", collected<PyMemoryManager>(),
                              R"(Counts and limits the memory that is taken in its scopes: tensors, arenas, packed
weights, states of simulators. Mapped files are not counted: their pages are the system's to take back.

limit_mb: 10^6 bytes, beyond which BudgetExceeded is raised. kind: `system`; `pool`, where freed blocks are kept by size
for the next; `unified`, seen by an accelerator as well; `device`, that of the simulated device which is given with it.
Unavailable says why the machine has none.

>>> import skerry, skerry.memory
>>> memory = skerry.memory.MemoryManager(limit_mb=1)
>>> with memory.scope("bell"):
...     result = skerry.run(skerry.Circuit(2).h(0).cx(0, 1), state=True)
>>> memory.usage().tags["bell"] > 0
True
>>> with memory.scope("large"):
...     try:
...         state = skerry.run(skerry.Circuit(20).h(0), state=True)
...     except skerry.BudgetExceeded as error:
...         print(error.message[:34])
state vector needs 16777216 bytes,
)")
      .def(
          "__init__",
          [](PyMemoryManager* self, std::optional<double> limit_mb, std::string_view kind,
             const MockGPUBackend* device) { new (self) PyMemoryManager(make_manager(limit_mb, kind, device)); },
          nb::kw_only(), nb::arg("limit_mb") = nb::none(), nb::arg("kind") = "system", nb::arg("device") = nb::none(),
          nb::sig("def __init__(self, *, limit_mb: float | None = None, kind: str = 'system', device: MockGPUBackend | "
                  "None = None) -> None"))
      .def("usage", [](const PyMemoryManager& self) { return self.usage(); })
      .def(
          "scope",
          [](nb::handle_t<PyMemoryManager> self, std::string tag) { return PyScope(nb::borrow(self), std::move(tag)); },
          nb::arg("tag"), nb::sig("def scope(self, tag: str) -> MemoryScope"),
          "For a with statement: what this thread takes within is counted under `tag`.")
      .def("on_pressure", &PyMemoryManager::on_pressure, nb::arg("share"), nb::arg("relieve"),
           nb::sig("def on_pressure(self, share: float, relieve: collections.abc.Callable[[int, int], object]) -> int"),
           "Calls relieve(used, limit) when more than this share of the limit comes into use, and before a charge is "
           "refused, after which it is tried again, as long as this object is there. Gives a number for "
           "remove_pressure().")
      .def("remove_pressure", &PyMemoryManager::remove_pressure, nb::arg("number"))
      .def_static(
          "memory_map_file", memory_map_file, nb::arg("path"),
          nb::sig("def memory_map_file(path: str | os.PathLike[str]) -> numpy.typing.NDArray[numpy.uint8]"),
          "The bytes of a file, mapped read-only: pages are shared with other processes and read at first use.");
}

}  // namespace

PyMemoryManager::~PyMemoryManager() {
  for (const auto& [number, callback] : callbacks_) MemoryManager::remove_pressure(number);
}

// Called by whichever thread is short of memory.
std::uint64_t PyMemoryManager::on_pressure(double share, nb::object relieve) {
  const auto callback = std::make_shared<nb::object>(std::move(relieve));
  const std::weak_ptr<nb::object> known = callback;
  const std::uint64_t number = MemoryManager::on_pressure(share, [known](std::uint64_t used, std::uint64_t limit) {
    if (!nb::is_alive()) return;
    const nb::gil_scoped_acquire acquire;
    const auto called = known.lock();  // dropped before the GIL is
    if (called == nullptr || !called->is_valid()) return;
    try {
      (*called)(used, limit);
    } catch (nb::python_error& error) {
      error.discard_as_unraisable("a callback for memory pressure");
    }
  });
  callbacks_.emplace(number, callback);
  return number;
}

void PyMemoryManager::remove_pressure(std::uint64_t number) {
  MemoryManager::remove_pressure(number);
  callbacks_.erase(number);
}

void bind_memory(nb::module_& m) {
  bind_manager(m);
  nb::class_<TensorPool>(m, "TensorPool", R"(Keeps buffers by shape and dtype for the next who asks. At most max_buffers
wait, of all shapes; when one more comes, the one that waited longest goes.

>>> from skerry.memory import TensorPool
>>> pool = TensorPool()
>>> buffer = pool.get_buffer((2, 3))
>>> buffer.dtype, buffer.any().item()
(dtype('float32'), False)
>>> pool.return_buffer(buffer)
>>> pool.waiting
1
)")
      .def("__repr__", [](nb::handle self) { return described(self); })
      .def(nb::init<std::size_t>(), nb::arg("max_buffers") = TensorPool::kMaxBuffers)
      .def("preallocate_buffers", preallocate, nb::arg("shapes"),
           nb::sig("def preallocate_buffers(self, *shapes: int | collections.abc.Sequence[int]) -> None"),
           "Makes min(10, max_buffers // len(shapes)) float32 buffers of each shape.")
      .def(
          "get_buffer",
          [](TensorPool& self, nb::handle shape, nb::handle dtype) {
            return array_over(self.get_buffer(shape_from(shape), dtype.is_none() ? DType::f32 : dtype_from(dtype)));
          },
          nb::arg("shape"), nb::arg("dtype") = nb::none(),
          nb::sig(
              "def get_buffer(self, shape: int | collections.abc.Sequence[int], dtype: numpy.typing.DTypeLike | None = "
              "None) -> numpy.typing.NDArray[typing.Any]"),
          "Zeros, from the pool or new; float32 unless another dtype is asked for.")
      .def(
          "return_buffer",
          [](TensorPool& self, nb::handle buffer) { self.return_buffer(tensor_from_object(buffer).view().data()); },
          nb::arg("buffer"), nb::sig("def return_buffer(self, buffer: numpy.typing.NDArray[typing.Any]) -> None"),
          "Clears the buffer and keeps it; whoever still has it must not use it. Raises InvalidArgument for one that "
          "was returned before or came from elsewhere.")
      .def("clear", &TensorPool::clear, "Drops what waits.")
      .def_prop_ro("waiting", [](const TensorPool& self) { return self.statistics().waiting; })
      .def_prop_ro("lent", [](const TensorPool& self) { return self.statistics().lent; })
      .def_prop_ro("waiting_bytes", [](const TensorPool& self) { return self.statistics().waiting_bytes; });
  m.def("weight_names", weight_names, nb::arg("model"));
  m.def("weight", weight, nb::arg("model"), nb::arg("name"),
        nb::sig("def weight(model: Model, name: str) -> numpy.typing.NDArray[typing.Any]"));
}

}  // namespace skerry::python
