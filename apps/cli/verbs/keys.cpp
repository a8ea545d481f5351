#include "package/keys.hpp"

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/output.hpp"
#include "cli/verb.hpp"

namespace skerry::cli {
namespace {

struct Flags {
  std::string make, show;
};

Action declare(const Command& command) {
  auto flags = std::make_shared<Flags>();  // shared: std::function copies its target
  command.add_option("--make", flags->make, "Make a pair: STEM.key (secret, mode 600) and STEM.pub").type_name("STEM");
  command.add_option("--show", flags->show, "Print the short name of a public key file").type_name("FILE.pub");
  return [flags](Context& context) {
    if (flags->make.empty() == flags->show.empty()) {
      throw Error(ErrorCode::invalid_argument, "either --make or --show is wanted", "keys",
                  "make a pair with skerry keys --make STEM");
    }
    package::PublicKey key;
    if (!flags->make.empty()) {
      const package::KeyPair pair = package::make_key_pair();
      package::write_key_pair(pair, flags->make);
      key = pair.public_key;
    } else {
      key = package::read_public_key(flags->show);
    }
    if (context.json) {
      print_json({{"ok", true}, {"key", package::key_name(key)}});
    } else {
      std::printf("%s\n", package::key_name(key).c_str());
    }
    return 0;
  };
}

}  // namespace

extern const Verb keys_verb;
const Verb keys_verb = {
    "keys",
    "Make and name the keys that packages are signed with",
    "skerry keys --make team\n"
    "skerry keys --show team.pub\n",
    false,
    declare,
};

}  // namespace skerry::cli
