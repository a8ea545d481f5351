#include "package/reader.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <skerry/error.hpp>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/file.hpp"
#include "base/memory.hpp"
#include "ir/verify.hpp"
#include "package/circuit_codec.hpp"
#include "package/graph_codec.hpp"
#include "package/unpack.hpp"

namespace skerry::package {
namespace {

constexpr std::uint32_t kCircuitDepth = 8;
// A graph within a graph is a node and an attribute further down; below the last stands a circuit.
constexpr std::uint32_t kGraphDepth = 3 * kMaxNesting + kCircuitDepth;

/// What a builder or verifier refuses in a file is damage to the file: the user gave no wrong argument.
ErrorCode code_of_damage(ErrorCode code) {
  const bool is_argument = code == ErrorCode::invalid_argument || code == ErrorCode::out_of_range ||
                           code == ErrorCode::semantic_error || code == ErrorCode::type_mismatch ||
                           code == ErrorCode::internal;
  return is_argument ? ErrorCode::corrupt : code;
}

template <class Decode>
auto decoded(Decode&& decode) {
  try {
    return decode();
  } catch (const Error& error) {
    throw Error(code_of_damage(error.code()), error.message(), error.where(), error.hint());
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::budget_exceeded, "the system refused memory for the program");
  } catch (const std::length_error&) {
    throw Error(ErrorCode::corrupt, "a list is longer than memory");
  }
}

/// The bytes, moved to where sections may be used in place, if they are not there already.
struct AlignedFile {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

AlignedFile aligned_file(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % kSectionAlignment == 0) return {bytes, std::move(owner)};
  // Shared: every tensor of the program keeps the copy alive.
  auto copy = std::make_shared<base::Buffer>(
      base::Buffer::allocate(bytes.size(), base::MemoryBudget(), "aligned copy of a package"));
  std::memcpy(copy->data(), bytes.data(), bytes.size());
  const std::span<const std::byte> view(copy->data(), bytes.size());
  return {view, std::move(copy)};
}

/// The plain bytes of a section, in place or unpacked.
Weights opened(const Section& section, const std::shared_ptr<const void>& owner) {
  if (section.encoding == Encoding::plain) return {section.stored, owner};
  try {
    // Shared: every tensor of the program keeps the buffer alive.
    auto buffer = std::make_shared<base::Buffer>(unpack(section.stored, section.bytes, section.planes));
    const std::span<const std::byte> view(buffer->data(), section.bytes);
    return {view, std::move(buffer)};
  } catch (const Error& error) {
    throw error.at(section.name);
  }
}

const Section* find(const std::vector<Section>& sections, std::string_view name) {
  const auto found = std::ranges::find(sections, name, &Section::name);
  return found == sections.end() ? nullptr : &*found;
}

std::variant<Circuit, Graph> program_of(const std::vector<Section>& sections,
                                        const std::shared_ptr<const void>& owner) {
  const Section* circuit = find(sections, kCircuitSection);
  const Section* graph = find(sections, kGraphSection);
  const Section* section = circuit != nullptr ? circuit : graph;
  if (section == nullptr) throw Error(ErrorCode::corrupt, "the package holds no program", "index");
  const Weights program = opened(*section, owner);
  const Section* weights_section = find(sections, kWeightsSection);
  const Weights weights = weights_section == nullptr ? Weights{} : opened(*weights_section, owner);
  try {
    if (circuit != nullptr) return read_circuit(program.bytes);
    return read_graph(program.bytes, weights.bytes, weights.owner);
  } catch (const Error& error) {
    throw error.at(section->name);
  }
}

std::vector<StoredPlan> plans_of(const std::vector<Section>& sections, const std::shared_ptr<const void>& owner) {
  std::vector<StoredPlan> plans;
  for (const Section& section : sections) {
    if (!section.name.starts_with(kPlanPrefix)) continue;
    const Weights plan = opened(section, owner);
    plans.push_back({section.name.substr(kPlanPrefix.size()), {plan.bytes.begin(), plan.bytes.end()}});
  }
  return plans;
}

}  // namespace

Circuit read_circuit(std::span<const std::byte> section) {
  return decoded([&] {
    Fields fields(section.size());
    Circuit circuit = decode_circuit(verified_root<fbs::Circuit>(section, kCircuitIdentifier, kCircuitDepth), fields);
    ir::verify(circuit);
    return circuit;
  });
}

Graph read_graph(std::span<const std::byte> section, std::span<const std::byte> weights,
                 std::shared_ptr<const void> weights_owner) {
  return decoded([&] {
    Fields fields(section.size());
    Graph graph = decode_graph(verified_root<fbs::Graph>(section, kGraphIdentifier, kGraphDepth), fields,
                               {weights, std::move(weights_owner)});
    ir::verify(graph);
    return graph;
  });
}

Loaded read_file(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const ReadOptions& options,
                 std::string_view name, Hashes hashes) {
  try {
    const AlignedFile file = aligned_file(bytes, std::move(owner));
    const Container container(file.bytes, options, hashes);
    Contents contents{program_of(container.sections(), file.owner), container.info().metadata,
                      plans_of(container.sections(), file.owner)};
    const auto* graph = std::get_if<Graph>(&contents.program);
    if ((graph != nullptr && has_wraps(*graph)) != ((container.features() & kFeatureWraps) != 0))
      throw Error(ErrorCode::corrupt, "the features are not those of the program", "header");
    return {std::move(contents), container.info()};
  } catch (const Error& error) {
    throw error.at(name);
  }
}

Loaded read(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const ReadOptions& options,
            std::string_view name) {
  return read_file(bytes, std::move(owner), options, name, Hashes::check);
}

Loaded read(const std::filesystem::path& path, const ReadOptions& options) {
  // Shared: every tensor of the program keeps the mapping alive.
  auto map = std::make_shared<base::MappedFile>(base::MappedFile::open(path));
  const auto bytes = map->bytes();
  return read(bytes, std::move(map), options, path.string());
}

Info inspect(const std::filesystem::path& path, const ReadOptions& options) {
  const auto map = base::MappedFile::open(path);
  try {
    return Container(map.bytes(), options, Hashes::check).info();
  } catch (const Error& error) {
    throw error.at(path.string());
  }
}

}  // namespace skerry::package
