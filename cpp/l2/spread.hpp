#pragma once

#include <span>
#include <string_view>

#include "l2/client/deadline.hpp"
#include "l2/command/context.hpp"
#include "l2/command/generation.hpp"
#include "l2/command/look.hpp"
#include "l2/l2.hpp"
#include "l2/session.hpp"

namespace vcache::l2 {

// The calls of an L2 whose keys lie on several servers: each key has commands of its own, which go
// to the server that has it, all servers at once. The generation, which lies on one of them, is
// read at the same time; what was judged by an older one is judged again. Used by one thread, once.
class Spread {
 public:
  // Requires: session.several().
  Spread(Session& session, client::Deadline deadline) noexcept
      : session_(session),
        topology_(session.topology()),
        context_(session.node().context()),
        deadline_(deadline) {}

  // Answers for all keys, also where memory is short.
  base::Error fetch(std::span<const std::string_view> keys, FetchSink& sink) noexcept;
  base::Error store(WriteSource& writes, std::span<Outcome> outcomes);
  base::Error erase(std::span<const std::string_view> keys, std::span<Outcome> outcomes);
  base::Error touch(std::string_view key, base::Millis ttl, Outcome& outcome, bool& has_tags);
  // As look() of l2/listing.hpp, but by the headers alone.
  base::Error look(std::span<const std::string_view> keys, std::span<command::Looked> looked);
  // Fills in what the servers tell of themselves.
  void probe(Status& status);

 private:
  class Stores;

  base::Error fetch_all(std::span<const std::string_view> keys, FetchSink& sink);

  // Where no generation is known yet: reads it before anything is judged by it, or bears it.
  void learn_first(command::LearnGeneration::IfNone if_none) noexcept;

  Session& session_;
  cluster::Topology& topology_;
  const command::Context& context_;  // any server's: they differ in nothing
  const client::Deadline deadline_;
};

}  // namespace vcache::l2
