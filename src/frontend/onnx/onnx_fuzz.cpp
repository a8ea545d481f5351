#include <skerry/error.hpp>

#include "frontend/frontend.hpp"
#include "ir/verify.hpp"

namespace skerry::frontend {
extern const Frontend onnx_frontend;
}

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer looks for this name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skerry;
  const frontend::Source source{
      .bytes = std::as_bytes(std::span(data, size)), .name = "fuzz", .folder = {}, .owner = {}};
  try {
    (void)frontend::onnx_frontend.sniff(source);
    const auto imported = frontend::onnx_frontend.import(source, {.max_nodes = 10'000});
    ir::verify(std::get<Graph>(imported));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::internal) throw;
  }
  return 0;
}
