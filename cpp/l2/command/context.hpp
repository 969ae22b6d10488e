#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "l2/codec/packing.hpp"
#include "l2/error_kind.hpp"
#include "l2/server_facts.hpp"

namespace vcache::l2::command {

// What every command needs to know. The references outlive the commands.
struct Context {
  Context(std::string name, std::size_t largest, ServerFacts& server, ErrorCounters& counters,
          codec::Packing form = {})
      : namespace_name(std::move(name)),
        key_prefix(namespace_name + ":"),
        generation_key(namespace_name + "!gen"),
        max_value(largest),
        packing(std::move(form)),
        facts(server),
        errors(counters) {}

  const std::string namespace_name;
  const std::string key_prefix;
  const std::string generation_key;
  const std::size_t max_value;
  const codec::Packing packing;
  ServerFacts& facts;
  ErrorCounters& errors;
};

}  // namespace vcache::l2::command
