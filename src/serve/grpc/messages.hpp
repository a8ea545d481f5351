/// \file
/// Messages of the protocol as the door's plain values and as the JSON of HTTP, and back.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>

#include "kserve.pb.h"
#include "serve/grpc/door.hpp"

namespace skerry::serve::grpc_door {

/// Views of the message, which must live until the answer. key: of the caller.
InferRequest request_of(const inference::ModelInferRequest& message, std::string_view key);
void fill(inference::ModelInferResponse& message, const InferReply& reply, const std::string& id);

/// Bodies of the questions that HTTP is asked; empty where no setting is given, which only asks.
std::string region_json(const inference::SystemSharedMemoryRegisterRequest& request);
std::string repository_json(const inference::RepositoryIndexRequest& request);
std::string repository_json(const inference::RepositoryModelLoadRequest& request);
std::string repository_json(const inference::RepositoryModelUnloadRequest& request);
std::string settings_json(const inference::TraceSettingRequest& request);
std::string settings_json(const inference::LogSettingsRequest& request);

/// An answer of HTTP as a message; what that does not know is left out. False: it does not fit.
bool convert(const std::string& json, google::protobuf::Message& response);
bool convert(const std::string& json, inference::TraceSettingResponse& response);
bool convert(const std::string& json, inference::LogSettingsResponse& response);

}  // namespace skerry::serve::grpc_door
