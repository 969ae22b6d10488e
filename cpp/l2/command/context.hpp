#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "base/clock.hpp"
#include "l2/codec/packing.hpp"
#include "l2/error_kind.hpp"
#include "l2/redis_options.hpp"
#include "l2/server_facts.hpp"

namespace vcache::l2::command {

// What comes before a key of the user's. In a cluster the empty braces have the whole key decide on
// its slot, whatever braces the user's part has.
[[nodiscard]] inline std::string key_prefix(const std::string& name, Layout layout) {
  return (layout == Layout::kCluster ? "{}" : "") + name + ":";
}

// What comes before the names of the namespace's own keys, which in a cluster share one slot.
[[nodiscard]] inline std::string own_prefix(const std::string& name, Layout layout) {
  return name + (layout == Layout::kCluster ? "!{" + name + "}" : "!");
}

// What every command needs to know. The references outlive the commands.
struct Context {
  Context(std::string name, std::size_t largest, ServerFacts& server, ErrorCounters& counters,
          Layout layout = Layout::kOneServer, codec::Packing form = {},
          base::Millis kept = base::Millis{0})
      : namespace_name(std::move(name)),
        key_prefix(command::key_prefix(namespace_name, layout)),
        own_prefix(command::own_prefix(namespace_name, layout)),
        generation_key(own_prefix + "gen"),
        stamp_key(own_prefix + "stamp"),
        tag_prefix(own_prefix + "tag:"),
        lease_prefix(own_prefix + "lease:"),
        generation_apart(layout == Layout::kShards || layout == Layout::kCluster),
        max_value(largest),
        packing(std::move(form)),
        grace(kept),
        facts(server),
        errors(counters) {}

  const std::string namespace_name;
  const std::string key_prefix;
  const std::string own_prefix;  // of all keys below, and of no entry
  const std::string generation_key;
  const std::string stamp_key;
  const std::string tag_prefix;
  const std::string lease_prefix;
  // Commands about a key read no generation: it lies elsewhere, and is read by LearnGeneration.
  const bool generation_apart;
  const std::size_t max_value;
  const codec::Packing packing;
  const base::Millis grace;  // how long Redis keeps what has expired
  ServerFacts& facts;
  ErrorCounters& errors;
};

}  // namespace vcache::l2::command
