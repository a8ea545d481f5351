/// \file
/// Messages of the Open Inference Protocol (KServe v2) about one inference, as values and as HTTP bodies.
#pragma once

#include <cstdint>
#include <optional>
#include <skerry/tensor.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "wire/body.hpp"

namespace skerry::wire {

/// A stretch of a shared memory region that client and server both mapped, in place of elements in the message.
struct SharedStretch {
  std::string region;
  std::uint64_t offset = 0, bytes = 0;
};

struct InferInput {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  Tensor tensor;  ///< empty when the elements lie in shared memory
  std::optional<SharedStretch> shared;
};

struct RequestedOutput {
  std::string name;
  bool binary = false;
  std::optional<SharedStretch> shared;
};

struct InferRequest {
  std::string id;
  std::vector<InferInput> inputs;
  std::vector<RequestedOutput> outputs;  ///< none: all of the model's
  bool binary_output = false;            ///< for outputs that say nothing themselves
  std::uint64_t timeout_us = 0;          ///< from arrival to answer, queue included; 0: the server's own limit
  std::uint64_t priority = 0;            ///< 1 is served first; 0: the middle
};

struct InferOutput {
  std::string name;
  Tensor tensor;
  bool binary = false;
  std::optional<SharedStretch> shared;  ///< the elements were written there
};

struct InferReply {
  std::string model, version, id;
  std::vector<InferOutput> outputs;
};

/// Errors: syntax_error, limit_exceeded, invalid_argument, unsupported (classification).
InferRequest decode_infer_request(const BodyView& body);
Body encode(const InferReply& reply);

}  // namespace skerry::wire
