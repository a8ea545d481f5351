#include <memory>
#include <skerry/skerry.hpp>

#include "base/file.hpp"
#include "emit/diagram.hpp"
#include "emit/emit.hpp"
#include "frontend/device/device.hpp"
#include "frontend/frontend.hpp"
#include "frontend/noise/noise.hpp"
#include "frontend/stim/reader.hpp"
#include "package/package.hpp"

namespace skerry {
namespace {

Program load_source(const frontend::Source& source, const LoadOptions& options) {
  if (package::is_package(source.bytes)) {
    const package::ReadOptions reading{
        .check = options.check_weights ? package::Check::full : package::Check::automatic, .trusted = options.trusted};
    return package::read(source.bytes, source.owner, reading, source.name).contents.program;
  }
  if (!options.trusted.empty()) {
    throw Error(ErrorCode::bad_signature, "only signed packages are accepted, and this is not a package", source.name,
                "save it with --sign, or run without --trust");
  }
  return frontend::import(source, options.limits);
}

}  // namespace

Program load(const std::filesystem::path& path, const LoadOptions& options) {
  return load_source(frontend::open_source(path), options);
}

Program loads(std::string_view text, const LoadOptions& options, std::string_view name) {
  auto copy = std::make_shared<const std::string>(text);
  return load_source({.bytes = std::as_bytes(std::span(*copy)), .name = std::string(name), .folder = {}, .owner = copy},
                     options);
}

NoiseModel load_noise(const std::filesystem::path& path, const ImportLimits& limits) {
  return loads_noise(base::read_file(path, limits.max_text_bytes), limits, path.filename().string());
}

NoiseModel loads_noise(std::string_view text, const ImportLimits& limits, std::string_view name) {
  return frontend::read_noise(text, name, limits);
}

std::string noise_text(const NoiseModel& model) {
  return frontend::write_noise(model);
}

StabilizerCircuit load_stabilizer(const std::filesystem::path& path, const LoadOptions& options) {
  const base::MappedFile file = base::MappedFile::open(path);
  return loads_stabilizer({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}, options,
                          path.filename().string());
}

StabilizerCircuit loads_stabilizer(std::string_view text, const LoadOptions& options, std::string_view name) {
  return frontend::stim::read_stim(text, options.limits, std::string(name));
}

bool is_stabilizer_text(std::string_view text) noexcept {
  return frontend::stim::looks_like_stim(text);
}

Target read_target(std::string_view json, std::string_view name) {
  try {
    return frontend::read_target(json);
  } catch (const Error& error) {
    throw error.at(name);
  }
}

Target load_target(const std::filesystem::path& path) {
  const auto file = base::MappedFile::open(path);
  const auto bytes = file.bytes();
  return read_target({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path.filename().string());
}

std::string emit_text(const Circuit& circuit, std::string_view format) {
  if (format == "blackbird") return emit::blackbird(circuit);
  if (acts_on_modes(circuit))
    throw Error(ErrorCode::unsupported, "a circuit over optical modes is not written as " + std::string(format),
                circuit.name, "use blackbird");
  if (format == "openqasm2") return emit::openqasm2(circuit);
  if (format == "openqasm3") return emit::openqasm3(circuit);
  if (format == "diagram") return emit::diagram_text(circuit);
  if (format == "svg") return emit::diagram_svg(circuit);
  throw Error(ErrorCode::invalid_argument, "unknown format '" + std::string(format) + "'", {},
              "use openqasm2, openqasm3, blackbird, diagram or svg");
}

}  // namespace skerry
