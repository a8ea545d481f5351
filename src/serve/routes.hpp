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

/// What tools are told of a route. Schemas are rows of openapi_schemas.inc.
struct Operation {
  std::string_view id;
  std::string_view gives;      ///< schema of the answer with 200; a media type where it is no JSON
  std::string_view takes;      ///< schema of the body; empty: none is looked at
  bool needs_body = false;     ///< it is refused without one
  bool has_raw_bytes = false;  ///< body and answer may have raw bytes behind their JSON
  std::string_view accepted;   ///< schema of an answer with 202; empty: there is none
  std::string_view parameter;  ///< a number that the query may hold

  // So that rows of the table read as sentences.
  constexpr Operation to(std::string_view body) const {
    return changed([&](auto& o) { o.takes = body, o.needs_body = true; });
  }
  constexpr Operation perhaps_to(std::string_view body) const {
    return changed([&](auto& o) { o.takes = body; });
  }
  constexpr Operation with_raw_bytes() const {
    return changed([](auto& o) { o.has_raw_bytes = true; });
  }
  constexpr Operation or_accepts(std::string_view schema) const {
    return changed([&](auto& o) { o.accepted = schema; });
  }
  constexpr Operation asked_for(std::string_view name) const {
    return changed([&](auto& o) { o.parameter = name; });
  }

  template <class Change>
  constexpr Operation changed(Change change) const {
    Operation other = *this;
    change(other);
    return other;
  }
};
constexpr Operation answers(std::string_view id, std::string_view gives) {
  return {.id = id, .gives = gives, .takes = {}, .accepted = {}, .parameter = {}};
}

struct Route {
  std::string_view method, path;  ///< `{model}` stands for one word, percent-decoded
  Role role = Role::nobody;
  void (Service::*handler)(const std::shared_ptr<Call>&) = nullptr;
  bool is_slow = false;  ///< answered away from the threads that read sockets
  std::string_view summary;
  Operation operation;
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
