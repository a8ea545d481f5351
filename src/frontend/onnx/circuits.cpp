#include "frontend/onnx/circuits.hpp"

#include <memory>
#include <skerry/error.hpp>

#include "ir/text/text.hpp"

namespace skerry::frontend::onnx {

bool is_circuit(const proto::Node& node) noexcept {
  return node.domain == "skerry" && node.op == "circuit";
}

void read_circuit(Node& node) {
  const Attribute* text = node.find("circuit");
  if (text == nullptr || !std::holds_alternative<std::string>(*text))
    throw Error(ErrorCode::semantic_error, "the attribute 'circuit' is no text", {}, "give the circuit in text form");
  auto circuit = std::make_shared<const Circuit>(ir::parse_circuit(std::get<std::string>(*text)));
  if (const Attribute* given = node.find("observables"); given != nullptr) {
    if (!std::holds_alternative<std::vector<std::string>>(*given))
      throw Error(ErrorCode::semantic_error, "the attribute 'observables' is no list of texts");
    std::vector<Observable> observables;
    for (const std::string& observable : std::get<std::vector<std::string>>(*given))
      observables.push_back(Observable::parse(observable, circuit->num_wires()));
    node.set("observables", std::move(observables));
  }
  node.set("circuit", std::move(circuit));
}

}  // namespace skerry::frontend::onnx
