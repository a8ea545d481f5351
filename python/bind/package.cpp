#include "package/package.hpp"

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "bind.hpp"
#include "model.hpp"
#include "package/keys.hpp"

namespace skerry::python {
namespace {

using Path = std::filesystem::path;

LoadOptions load_options(const std::vector<Path>& trusted, bool check_weights) {
  LoadOptions options;
  options.check_weights = check_weights;
  for (const Path& key : trusted) options.trusted.push_back(package::read_public_key(key));
  return options;
}

nb::object load_file(const Path& path, const std::vector<Path>& trusted, bool check_weights) {
  std::optional<Program> program;
  {
    const nb::gil_scoped_release release;
    program = skerry::load(path, load_options(trusted, check_weights));
  }
  return program_object(*std::move(program));
}

nb::object load_text(std::string_view text, const std::string& name) {
  std::optional<Program> program;
  {
    const nb::gil_scoped_release release;
    program = skerry::loads(text, {}, name);
  }
  return program_object(*std::move(program));
}

void save_file(nb::handle program, const Path& path, bool compress, const std::optional<Path>& key,
               std::map<std::string, std::string> metadata) {
  const Program given = program_of(program);
  const nb::gil_scoped_release release;
  SaveOptions options{.compress = compress, .key = std::nullopt, .metadata = std::move(metadata)};
  if (key) options.key = package::read_secret_key(*key);
  skerry::save(given, path, options);
}

std::string make_keys(const Path& stem) {
  const package::KeyPair pair = package::make_key_pair();
  package::write_key_pair(pair, stem);
  return package::key_name(pair.public_key);
}

}  // namespace

void bind_package(nb::module_& m) {
  m.def("load", load_file, nb::arg("path"), nb::arg("trusted"), nb::arg("check_weights"),
        nb::sig("def load(path: str | os.PathLike[str], trusted: collections.abc.Sequence[str | os.PathLike[str]], "
                "check_weights: "
                "bool) -> Circuit | Model"));
  m.def(
      "loads",
      [](const nb::bytes& bytes, const std::string& name) {
        return load_text({bytes.c_str(), bytes.size()}, name);
      },
      nb::arg("data"), nb::arg("name"), nb::sig("def loads(data: bytes, name: str) -> Circuit | Model"));
  m.def("save", save_file, nb::arg("program"), nb::arg("path"), nb::arg("compress"), nb::arg("key").none(),
        nb::arg("metadata"),
        nb::sig("def save(program: Circuit | Model, path: str | os.PathLike[str], compress: bool, key: str | "
                "os.PathLike[str] | None, metadata: collections.abc.Mapping[str, str]) -> None"));
  m.def("make_keys", make_keys, nb::arg("stem"), nb::sig("def make_keys(stem: str | os.PathLike[str]) -> str"),
        "Makes a pair to sign packages with, STEM.key (secret) and STEM.pub, and gives the key's short name.");
}

}  // namespace skerry::python
