#include "edge/model_cache.hpp"

#include <algorithm>
#include <chrono>
#include <type_traits>

#include "base/hash.hpp"
#include "ir/text/text.hpp"
#include "ops/nn/op_record.hpp"
#include "package/digest.hpp"
#include "package/package.hpp"

namespace skerry::edge {
namespace {

// Told by its elements only where they are few, and plain bytes.
bool is_large(const Tensor& constant) {
  return constant.dtype() == DType::string || constant.view().bytes() > kToldBytes;
}

// Whether a node that constants alone go into, and that may so be computed beforehand, reads a large one. One that only
// looks at it in another shape sees its elements as they are.
bool folds_large(const Graph& graph) {
  enum class Made : std::uint8_t { in_the_run, of_small, of_large };
  std::vector<Made> made(graph.values().size(), Made::in_the_run);
  for (ValueId id = 0; id < graph.values().size(); ++id) {
    const auto& constant = graph.value(id).constant;
    if (constant) made[id] = is_large(*constant) ? Made::of_large : Made::of_small;
  }
  for (const Node& node : graph.nodes()) {
    Made of = Made::of_small;
    for (const auto& [name, attribute] : node.attributes) {
      const auto* tensor = std::get_if<Tensor>(&attribute);
      if (tensor != nullptr && is_large(*tensor)) of = Made::of_large;
    }
    const bool tells_shape = node.op == "Shape" || node.op == "Size";
    for (const ValueId id : node.inputs) {
      if (id == kNoValue || tells_shape) continue;
      of = made[id] == Made::in_the_run || of == Made::in_the_run ? Made::in_the_run : std::max(of, made[id]);
    }
    const ops::OpRecord* record = ops::find_op(node.op);
    if (of == Made::of_large && (record == nullptr || !record->is_view)) return true;
    for (const ValueId id : node.outputs) {
      if (id != kNoValue) made[id] = of;
    }
  }
  return false;
}

// Writes a graph down; every text and list is told with its length, so that two graphs with one text are one.
class Writer {
 public:
  explicit Writer(bool by_content) : by_content_(by_content) {}

  void add(const Graph& graph) {
    if (!by_content_) out.folds_large = out.folds_large || folds_large(graph);
    number(graph.values().size());
    for (const Value& value : graph.values()) {
      word(value.name);
      word(value.type.text());
      number(value.producer);
      number(value.constant.has_value());
      if (value.constant) add(*value.constant);
    }
    number(graph.nodes().size());
    for (const Node& node : graph.nodes()) {
      word(node.op);
      word(node.name);
      ids(node.inputs);
      ids(node.outputs);
      number(node.attributes.size());
      for (const auto& [name, attribute] : node.attributes) {
        word(name);
        number(attribute.index());
        std::visit([this](const auto& value) { add(value); }, attribute);
      }
    }
    ids(graph.inputs());
    ids(graph.outputs());
  }
  void add(const TensorType& type) { word(type.text()); }
  void add(const std::string& text) { word(text); }
  void add(const Tensor& tensor) {
    word(TensorType::of(tensor.dtype(), tensor.shape()).text());
    if (!by_content_) {
      place(tensor.view().data(), tensor.owner());
      is_owned = is_owned && tensor.owner() != nullptr;
      has_large = has_large || is_large(tensor);
      if (!is_large(tensor)) word({reinterpret_cast<const char*>(tensor.view().data()), tensor.view().bytes()});
      return;
    }
    has_texts = has_texts || tensor.dtype() == DType::string;
    if (has_texts) return;
    const base::Hash128 hash = base::hash128(std::span(tensor.view().data(), tensor.view().bytes()));
    number(hash.high);
    number(hash.low);
  }

  ModelText out;
  bool has_texts = false, is_owned = true, has_large = false, has_body = false;

 private:
  void number(std::uint64_t value) { out.text.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void word(std::string_view text) {
    number(text.size());
    out.text += text;
  }
  void ids(const std::vector<std::uint32_t>& list) {
    number(list.size());
    out.text.append(reinterpret_cast<const char*>(list.data()), list.size() * sizeof(std::uint32_t));
  }
  // Where it lies, if nothing else.
  template <class Owner>
  void place(const void* address, const Owner& owner) {
    number(reinterpret_cast<std::uintptr_t>(address));
    if (owner) out.owners.emplace_back(owner);
  }

  void add(const Subgraph& graph) {
    has_body = true;
    if (!by_content_) place(graph.get(), graph);
    add(*graph);
  }
  void add(const CircuitRef& circuit) { by_content_ ? word(ir::print(*circuit)) : place(circuit.get(), circuit); }
  void add(const std::vector<Observable>& list) {
    number(list.size());
    for (const Observable& one : list) {
      number(one.num_wires());
      word(one.text());
    }
  }
  void add(const std::vector<std::string>& list) {
    number(list.size());
    for (const std::string& one : list) word(one);
  }
  template <class T>
    requires std::is_arithmetic_v<T>
  void add(T value) {
    out.text.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  template <class T>
    requires std::is_arithmetic_v<T>
  void add(const std::vector<T>& list) {
    number(list.size());
    out.text.append(reinterpret_cast<const char*>(list.data()), list.size() * sizeof(T));
  }

  const bool by_content_;
};

// What is told by where it lies is itself only while nothing of it has gone.
template <class T>
std::shared_ptr<const T> alive(std::shared_ptr<const T> found) {
  const bool is_gone = found && std::ranges::any_of(found->owners, [](const std::weak_ptr<const void>& owner) {
                         return owner.expired();
                       });
  return is_gone ? nullptr : found;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::shared_ptr<const ModelPackage> packed(const Graph& graph) {
  const auto bytes = package::encode({.program = graph, .metadata = {}, .plans = {}}, {.compress = true});
  return std::make_shared<const ModelPackage>(ModelPackage{
      std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), package::hex(package::sha256(bytes))});
}

}  // namespace

ModelText momentary_text(const Graph& graph, std::span<const TensorType> inputs) {
  Writer writer(false);
  writer.add(graph);
  for (const TensorType& type : inputs) writer.add(type);
  if (!writer.is_owned) writer.out.text.clear();
  // Of the bodies of control flow nothing more is known than what constants they have.
  writer.out.folds_large = writer.out.folds_large || (writer.has_large && writer.has_body);
  return std::move(writer.out);
}

std::string content_text(const Graph& graph) {
  Writer writer(true);
  writer.add(graph);
  return writer.has_texts ? std::string() : std::move(writer.out.text);
}

std::string question_key(const Graph& graph, const NamedTensors& inputs) {
  Writer writer(true);
  writer.add(graph);
  for (const auto& [name, tensor] : inputs) {
    writer.add(name);
    writer.add(tensor);
  }
  if (writer.has_texts) return {};
  return package::hex(package::sha256(std::as_bytes(std::span(writer.out.text))));
}

std::shared_ptr<const ModelPlan> ModelCache::plan(const std::string& text) {
  const std::scoped_lock lock(mutex_);
  return alive(plans_.use(text));
}

std::shared_ptr<const ModelCut> ModelCache::cut(const std::string& text) {
  const std::scoped_lock lock(mutex_);
  return alive(cuts_.use(text));
}

void ModelCache::keep(const std::string& text, std::shared_ptr<const ModelPlan> plan, double seconds) {
  if (text.empty()) return;
  const std::uint64_t bytes = text.size() + sizeof(ModelPlan) + 16 * plan->owners.size();
  const std::scoped_lock lock(mutex_);
  plans_.keep(text, std::move(plan), bytes, seconds);
}

void ModelCache::keep(const std::string& text, std::shared_ptr<const ModelCut> cut, double seconds) {
  if (text.empty()) return;
  std::uint64_t bytes = text.size() + sizeof(ModelCut);
  if (cut->cut) bytes += weight_bytes(cut->cut->head) + weight_bytes(cut->cut->tail);
  const std::scoped_lock lock(mutex_);
  cuts_.keep(text, std::move(cut), bytes, seconds);
}

std::shared_ptr<const ModelPackage> ModelCache::package(const Graph& graph) {
  const auto start = std::chrono::steady_clock::now();
  const std::string text = content_text(graph);
  if (text.empty()) return packed(graph);
  {
    const std::scoped_lock lock(mutex_);
    if (auto found = packages_.use(text)) return found;
  }
  auto made = packed(graph);
  const std::scoped_lock lock(mutex_);
  packages_.keep(text, made, text.size() + made->bytes.size(), seconds_since(start));
  return made;
}

void ModelCache::clear() {
  const std::scoped_lock lock(mutex_);
  plans_.clear();
  cuts_.clear();
  packages_.clear();
}

std::uint64_t weight_bytes(const Graph& graph) {
  std::uint64_t bytes = 0;
  for (const Value& value : graph.values()) bytes += value.constant ? value.constant->view().bytes() : 0;
  return bytes;
}

}  // namespace skerry::edge
