#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/keeper.hpp"
#include "base/mutex.hpp"
#include "l2/cluster/lookout.hpp"
#include "l2/cluster/node_table.hpp"
#include "l2/cluster/replicas.hpp"
#include "l2/cluster/slot_map.hpp"
#include "l2/cluster/slots_query.hpp"
#include "l2/cluster/topology.hpp"

namespace vcache::l2::cluster {

// A Redis Cluster: 16,384 slots, each held by one of its primaries. What a node says of a single
// slot counts at once. Who holds all of them is asked of one node, any, by the keeper: one such
// look at a time, ten a second at most, when something went wrong, and now and then.
class Cluster final : public Topology, private base::Chore {
 public:
  // The references must outlive it. `changed` is called when servers() tells of others, before one
  // of them is asked; it does not throw, and does not call this. Requires: options.seeds is not
  // empty.
  Cluster(const RedisOptions& options, const base::Clock& clock, NodeTable& nodes,
          base::Keeper& keeper, std::function<void()> changed);
  ~Cluster() override;

  [[nodiscard]] base::Error ready(client::Deadline deadline) noexcept override;
  [[nodiscard]] Place place_of(std::string_view prefix,
                               std::string_view key) const noexcept override;
  [[nodiscard]] Place own_place() const noexcept override { return own_place_; }
  [[nodiscard]] Node* node_at(Place place) noexcept override { return slots_.at(place); }
  [[nodiscard]] Node* reader_of(std::string_view key, Place place) noexcept override;
  void on_write(std::string_view key) noexcept override;
  [[nodiscard]] Node* on_moved(Place place, const Endpoint& to) noexcept override;
  [[nodiscard]] std::vector<std::reference_wrapper<Node>> servers() const override;
  [[nodiscard]] Node* on_ask(const Endpoint& to) noexcept override;
  void on_trouble() noexcept override { lookout_.want(); }
  void describe(Status& status) const override;

 private:
  using Time = client::Deadline;
  // A server that holds keys.
  struct Member {
    Node* node;
    Time until;  // Time::max(): it owns slots; else it was asked for a key that is on its way there
  };

  [[nodiscard]] base::Millis run() noexcept override;
  void interrupt() noexcept override {}
  [[nodiscard]] base::Millis do_what_is_due();
  [[nodiscard]] base::Millis pause() const noexcept;
  void look();
  // Asks one node; false: it did not tell.
  [[nodiscard]] bool ask(const Endpoint& whom);
  void learn(std::span<const SlotRange> ranges, const std::string& host);
  // The node there, one of members_ from now on; nullptr when there are too many.
  [[nodiscard]] Node* meet(const Endpoint& address, Time holds_keys_until) noexcept
      VCACHE_EXCLUDES(members_mutex_);
  // These own the slots, and no others.
  void take_owners(std::span<Node* const> owners) VCACHE_EXCLUDES(members_mutex_);
  // Calls are meant for members_ and these replicas, and for no others.
  void attend(std::span<const Replicas::Pair> pairs) VCACHE_EXCLUDES(members_mutex_);
  // The primary of a range; notes it and its replicas.
  [[nodiscard]] Node* learn_servers(const SlotRange& range, const std::string& host,
                                    std::vector<Replicas::Pair>& pairs);
  // The nodes that may be asked, in random order.
  [[nodiscard]] std::vector<Endpoint> candidates();
  void end_look(bool known) noexcept;

  // Constant after construction.
  const RedisOptions& options_;
  const Place own_place_;
  const std::function<void()> changed_;

  // Own synchronization.
  NodeTable& nodes_;
  base::Keeper& keeper_;
  SlotMap slots_;
  Replicas replicas_;
  std::atomic<bool> known_{false};  // slots_ were told at least once
  Lookout lookout_;
  std::atomic<std::uint64_t> looks_{0};
  std::atomic<std::uint64_t> moved_{0};
  std::atomic<std::uint64_t> asked_{0};

  mutable base::Mutex members_mutex_;  // held while changed_ is called
  std::vector<Member> members_ VCACHE_GUARDED_BY(members_mutex_);

  // Of the chore.
  std::vector<Endpoint> told_;  // all nodes that the last look found
  std::minstd_rand random_;
  std::optional<client::Deadline> last_look_;
  std::optional<client::Deadline> last_check_;  // of the replicas
};

}  // namespace vcache::l2::cluster
