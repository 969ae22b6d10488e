#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "l2/client/deadline.hpp"
#include "l2/node.hpp"

namespace vcache::l2::cluster {

// Which replicas may be read: those that were found, a moment ago, linked to their primary and in
// possession of all that it had at the look before. Never for a key that this process wrote itself
// in the last seconds. reader(), on_write() and reset() are thread-safe; check() is one thread's.
class Replicas {
 public:
  struct Pair {
    Node* primary = nullptr;
    Node* replica = nullptr;

    friend bool operator==(const Pair&, const Pair&) = default;
  };

  explicit Replicas(const base::Clock& clock) : clock_(clock), written_(kWritten) {}

  // A replica of `primary` to read `key` from; nullptr: none at the moment.
  [[nodiscard]] Node* reader(std::string_view key, const Node& primary) noexcept;
  void on_write(std::string_view key) noexcept;

  // The replicas that there are. Those beyond the first 256 are not read.
  void reset(std::span<const Pair> pairs) noexcept;
  // Asks all of them how far they are.
  void check(client::Deadline deadline) noexcept;

 private:
  static constexpr std::size_t kMost = 256;
  static constexpr std::size_t kWritten = std::size_t{1} << 14;
  // Longer than a look holds, so that a replica which is read has the key by then.
  static constexpr base::Nanos kOwnFor = std::chrono::seconds(5);
  static constexpr base::Nanos kLookHolds = std::chrono::milliseconds(1'000);

  struct Entry {
    std::atomic<Node*> primary{nullptr};
    std::atomic<Node*> replica{nullptr};
    std::atomic<std::int64_t> good_until{0};  // steady nanoseconds
  };

  [[nodiscard]] std::atomic<std::int64_t>& written(std::string_view key) noexcept;
  [[nodiscard]] std::int64_t now() const noexcept { return clock_.steady().count(); }

  // Constant after construction.
  const base::Clock& clock_;

  // Own synchronization.
  std::array<Entry, kMost> entries_;
  std::atomic<std::size_t> count_{0};
  std::atomic<std::size_t> turn_{0};
  std::vector<std::atomic<std::int64_t>> written_;  // when a key of that hash was, last

  // Of the thread that checks.
  std::map<const Node*, std::int64_t> offsets_;  // of the primaries, at the look before
};

}  // namespace vcache::l2::cluster
