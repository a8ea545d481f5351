/// \file
/// The table of routes: method, path, who may, which function answers. Docs and OpenAPI are made from it.
#pragma once

#include <exception>
#include <skerry/error.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "serve/auth.hpp"

namespace skerry::serve {

class Service;
struct Call;

struct Route {
  std::string_view method, path;  ///< `{model}` stands for one word, percent-decoded
  Role role = Role::nobody;
  void (Service::*handler)(const std::shared_ptr<Call>&) = nullptr;
  bool is_slow = false;  ///< answered away from the threads that read sockets
  std::string_view summary;
};

std::span<const Route> routes();

struct RouteMatch {
  const Route* route = nullptr;
  std::vector<std::string> words;
  std::string query;
};

/// A refusal with a status of its own.
struct RouteError {
  Error error;
  int status;
  double retry_seconds = 1.0;  ///< when to try again, for 429 and 503
};

/// Any error as a refusal: what is not known is an internal one.
RouteError refusal_of(const std::exception_ptr& error);

/// Errors: RouteError 404 (no such path), 405 (path known, method not), 400 (a percent sign without its digits).
RouteMatch find_route(std::string_view method, std::string_view target);

}  // namespace skerry::serve
