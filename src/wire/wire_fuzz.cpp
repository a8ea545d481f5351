// Bodies of HTTP requests and answers: the first byte says how much of the rest is JSON and which decoder gets it.
// Whatever is accepted must survive being encoded and decoded again; what answers an inference must be JSON.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <skerry/error.hpp>
#include <string_view>

#include "wire/circuits.hpp"
#include "wire/infer.hpp"
#include "wire/json_node.hpp"

namespace {

using namespace skerry;

void infer(const wire::BodyView& body) {
  const wire::InferRequest request = wire::decode_infer_request(body);
  wire::InferReply reply{"m", "1", request.id, {}};
  for (const auto& input : request.inputs) {
    if (!input.shared) reply.outputs.push_back({input.name, input.tensor, true, std::nullopt});
  }
  const wire::Body body_of_reply = wire::encode(reply);
  const wire::JsonText text(wire::BodyView(body_of_reply).json());
  for (const auto& [name, value] : text.root().members()) {
    if (name == "outputs" && value.items().size() != reply.outputs.size()) std::abort();
  }
}

void circuit(const wire::BodyView& body) {
  const wire::Body once = wire::encode(wire::decode_circuit_request(body));
  if (wire::encode(wire::decode_circuit_request(once)).bytes != once.bytes) std::abort();
}

void reply(const wire::BodyView& body) {
  const wire::Body once = wire::encode(wire::decode_circuit_reply(body), true);
  if (wire::encode(wire::decode_circuit_reply(once), true).bytes != once.bytes) std::abort();
}

void status(const wire::BodyView& body) {
  const wire::Body once = wire::encode(wire::decode_job_status(body.json()));
  if (wire::encode(wire::decode_job_status(once)).bytes != once.bytes) std::abort();
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const unsigned choice = data[0];
  try {
    // The upper bits cut binary data off the end: 0 leaves everything JSON.
    const std::size_t binary = std::min<std::size_t>(bytes.size(), std::size_t{8} * (choice >> 3U));
    const wire::BodyView body(bytes, bytes.size() - binary);
    if (choice % 4 == 0) infer(body);
    if (choice % 4 == 1) circuit(body);
    if (choice % 4 == 2) reply(body);
    if (choice % 4 == 3) status(body);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::internal) std::abort();
  }
  return 0;
}
