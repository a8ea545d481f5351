#include "known_run.hpp"

#include <array>

#include "arrays.hpp"

namespace skerry::python {
namespace {

// Models with more are none of a few microseconds.
constexpr std::size_t kMost = 8;

// Given back whatever happens.
class Buffers {
 public:
  Buffers() = default;
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;
  ~Buffers() {
    for (std::size_t i = 0; i < count_; ++i) PyBuffer_Release(&buffers_[i]);
  }
  Py_buffer& next() {
    Py_buffer& buffer = buffers_[count_++];
    buffer.obj = nullptr;
    return buffer;
  }

 private:
  std::array<Py_buffer, kMost> buffers_;
  std::size_t count_ = 0;
};

}  // namespace

bool KnownRun::add(std::vector<Known>& to, const Value& value, const TensorType& type) {
  const auto shape = type.is_tensor() ? type.static_shape() : std::nullopt;
  if (!shape || !is_plain(type.dtype)) return false;
  to.push_back({nb::str(value.name.c_str()), type.dtype, *shape, shape_tuple(*shape)});
  return true;
}

std::shared_ptr<const KnownRun> KnownRun::of(const Graph& graph, std::span<const TensorType> inputs,
                                             std::span<const TensorType> outputs) {
  if (inputs.size() > kMost || outputs.size() > kMost) return nullptr;
  const auto out = std::make_shared<KnownRun>();
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!add(out->inputs_, graph.value(graph.inputs()[i]), inputs[i])) return nullptr;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!add(out->outputs_, graph.value(graph.outputs()[i]), outputs[i])) return nullptr;
    bytes += tensor_bytes(out->outputs_[i].dtype, out->outputs_[i].shape);
  }
  return bytes <= kSmallArray ? out : nullptr;
}

std::optional<nb::dict> KnownRun::run(nb::handle inputs, Run* run, void* context) const {
  if (PyDict_CheckExact(inputs.ptr()) == 0) return std::nullopt;
  if (PyDict_Size(inputs.ptr()) != static_cast<Py_ssize_t>(inputs_.size())) return std::nullopt;
  Buffers buffers;
  std::array<TensorView, kMost> read;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const Known& known = inputs_[i];
    const nb::handle given = PyDict_GetItemWithError(inputs.ptr(), known.name.ptr());
    if (!given.is_valid()) {
      PyErr_Clear();
      return std::nullopt;
    }
    const auto view = view_of_buffer(given, buffers.next());
    if (!view || view->dtype() != known.dtype || view->shape() != known.shape) return std::nullopt;
    read[i] = *view;
  }
  nb::dict results;
  std::array<MutableTensorView, kMost> written;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const Known& known = outputs_[i];
    const NewArray made = new_array(known.dtype, known.dims);
    written[i] = MutableTensorView(known.dtype, known.shape, made.data);
    results[known.name] = made.array;
  }
  run(context, std::span(read).first(inputs_.size()), std::span(written).first(outputs_.size()));
  return results;
}

}  // namespace skerry::python
