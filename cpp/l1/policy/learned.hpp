#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "l1/policy/experts.hpp"
#include "l1/policy/policy.hpp"
#include "l1/policy/scored.hpp"
#include "predictor/example.hpp"

namespace vcache::l1::policy {

struct LearnedOptions {
  Scored::Model frozen = {};  // none: the classic experts alone
  Objective objective = Objective::kMisses;
  std::uint64_t seed = 0;
  std::function<void(const predictor::Example&)> examples = {};  // told of what can be learned
  std::size_t ghosts = 2;        // keys remembered for each entry, at most, beside the entries
  std::string_view pinned = {};  // the expert that always leads; empty: the best
};

// What is known of a key, and what a model makes of it.
struct Judgement {
  predictor::Snapshot snapshot = {};
  bool is_held = false;  // else it is a ghost
  bool is_scored = false;
  std::array<float, predictor::kHeads> heads = {};
  double mean_residence = 0;  // accesses
  std::string_view leader = {};
};

// Follows the expert that would have missed least of late. Experts are policies and models; each
// manages a shadow, a cache of metadata that sees the same accesses. The entries are ranked by the
// leader's rule: a model needs nothing but their past for that, a classic policy is set up anew
// from the entries in the order of their last access.
// Until the cache is full no expert differs from another, so that the shadows begin then. They see
// one key in so many, by its hash, that each holds a few hundred.
// Follow the leader with a discount (Herbster, Warmuth, "Tracking the Best Expert", 1998) and a
// margin against switching to and fro.
class Learned {
 public:
  static constexpr std::string_view kName = "learned";
  static constexpr std::size_t kExperts = kExpertNames.size();

  explicit Learned(LearnedOptions options);
  ~Learned();
  Learned(Learned&&) noexcept;
  Learned& operator=(Learned&&) = delete;

  void on_miss(const Candidate& candidate) noexcept;
  void on_insert(EntryId id, const Candidate& candidate);
  void on_update(EntryId id, const Candidate& candidate);
  void on_hit(EntryId id) noexcept;
  void on_erase(EntryId id) noexcept;
  [[nodiscard]] EntryId evict();

  // evict() in two steps, for an owner that prepares evictions ahead. The entry to leave next,
  // which stays; it is chosen once until it is hit or updated. kNoEntry where none was found that
  // is not chosen. Throws std::bad_alloc.
  [[nodiscard]] EntryId choose();
  // The owner evicted an entry, chosen or not.
  void on_evict(EntryId id) noexcept;
  // Whether an entry has that id, and whether that is chosen.
  [[nodiscard]] bool holds(EntryId id) const noexcept;
  [[nodiscard]] bool is_chosen(EntryId id) const noexcept;
  // As it was given.
  [[nodiscard]] Candidate candidate(EntryId id) const noexcept;
  // Of its key. Requires: holds(id).
  [[nodiscard]] predictor::KeyPast past(EntryId id) const noexcept;
  // Every id that was ever held is below that.
  [[nodiscard]] std::size_t ids() const noexcept;

  // Of a key that has an entry of that id, or none: kNoEntry. By the online model, where there is
  // one, else by the frozen one. None where nothing is known of the key.
  [[nodiscard]] std::optional<Judgement> judge(std::uint64_t key_hash, EntryId id) const noexcept;
  // Accesses that were counted; wraps.
  [[nodiscard]] predictor::AccessTime now() const noexcept;

  // Serves the expert `online` from now on. Requires: same inputs and outputs as the frozen one.
  void set_online(Scored::Model model);
  [[nodiscard]] std::string_view leader() const noexcept;
  // Has that expert lead whatever the others do; empty: the best. False where none of that name
  // takes part. Throws std::bad_alloc.
  bool pin(std::string_view expert);
  [[nodiscard]] std::uint64_t switches() const noexcept;
  // How often a model that led gave no usable score: the best of the others led from then on.
  [[nodiscard]] std::uint64_t failures() const noexcept;
  // The experts that take part.
  [[nodiscard]] std::array<ExpertRecord, kExperts> experts() const noexcept;

  [[nodiscard]] std::size_t size() const noexcept;
  [[nodiscard]] std::uint64_t bytes() const noexcept;
  [[nodiscard]] std::size_t memory_bytes() const noexcept;
  // Whether it keeps room for many times the keys that it is to remember of a full cache.
  [[nodiscard]] bool knows_of_gone() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

static_assert(EvictionPolicy<Learned>);
static_assert(LearnsOfMisses<Learned>);

}  // namespace vcache::l1::policy
