#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "l2/client/deadline.hpp"
#include "l2/l2.hpp"
#include "l2/node.hpp"
#include "l2/redis_options.hpp"

namespace vcache::l2::cluster {

// Where a key lies, in a topology's own numbers: a slot, or the place of a server in a list.
using Place = std::uint32_t;

// Which server holds which key. Thread-safe. The nodes live as long as the session.
class Topology {
 public:
  Topology() = default;
  virtual ~Topology() = default;
  Topology(const Topology&) = delete;
  Topology& operator=(const Topology&) = delete;

  // Waits until it is known where keys lie, if only roughly; an error when it is not.
  [[nodiscard]] virtual base::Error ready(client::Deadline /*deadline*/) noexcept { return {}; }

  // Of the key of these two parts, the second of which is the user's.
  [[nodiscard]] virtual Place place_of(std::string_view prefix,
                                       std::string_view key) const noexcept = 0;
  // Where the namespace's own keys lie, all in one place.
  [[nodiscard]] virtual Place own_place() const noexcept = 0;
  // The node that holds what lies there; nullptr: nobody knows at the moment.
  [[nodiscard]] virtual Node* node_at(Place place) noexcept = 0;
  // The same for a key that is only read, which a node that lags behind may answer.
  [[nodiscard]] virtual Node* reader_of(std::string_view /*key*/, Place place) noexcept {
    return node_at(place);
  }
  // The key is about to be changed.
  virtual void on_write(std::string_view /*key*/) noexcept {}

  // A node said that a slot is elsewhere: for good, or for this once. Returns the node to ask.
  [[nodiscard]] virtual Node* on_moved(Place place, const Endpoint& to) noexcept = 0;
  [[nodiscard]] virtual Node* on_ask(const Endpoint& to) noexcept = 0;
  // Something that a look at the servers may explain: no answer, a refusal, an unknown place.
  virtual void on_trouble() noexcept {}

  // Those that hold keys at the moment, as far as that is known.
  [[nodiscard]] virtual std::vector<std::reference_wrapper<Node>> servers() const = 0;
  // Adds what it has to tell of itself.
  virtual void describe(Status& /*status*/) const {}
};

}  // namespace vcache::l2::cluster
