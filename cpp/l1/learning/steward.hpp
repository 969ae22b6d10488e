#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.hpp"
#include "base/page_allocator.hpp"
#include "l1/learning/tutor.hpp"
#include "l1/policy/any_policy.hpp"
#include "l1/policy/learned.hpp"
#include "l1/policy/notes.hpp"
#include "predictor/example.hpp"
#include "predictor/hour.hpp"

namespace vcache::l1::learning {

// An entry, as its shard tells of it where notes were lost.
struct Known {
  policy::Named named = {};
  policy::Candidate candidate = {};
};

// What a shard wants to evict beyond what is prepared.
struct Demand {
  std::uint64_t bytes = 0;
  std::size_t entries = 0;
};

// Whoever holds it has the turn.
class VCACHE_CAPABILITY("mutex") TurnTaking {
 public:
  [[nodiscard]] bool try_lock() noexcept VCACHE_TRY_ACQUIRE(true) { return mutex_.try_lock(); }
  void lock() noexcept VCACHE_ACQUIRE() { mutex_.lock(); }
  void unlock() noexcept VCACHE_RELEASE() { mutex_.unlock(); }

 private:
  base::Mutex mutex_;
};

// Learned eviction of one shard, apart from the shard's lock: works through the notes of what
// happened there and chooses what is to leave. Is its own lock: whoever holds it has the turn.
// All that it knows of entries is as old as the notes.
class Steward : public TurnTaking {
 public:
  // The tutor outlives it.
  Steward(policy::LearnedOptions options, Tutor& tutor);

  // Takes notice of them, in order. Throws std::bad_alloc: then it has to start again.
  void read(policy::NoteQueue& notes) VCACHE_REQUIRES(this);
  // Has this and nothing else be what the shard holds, and nothing chosen. Throws std::bad_alloc,
  // as read().
  void start_again(std::span<const Known> entries) VCACHE_REQUIRES(this);
  // Chooses entries of that many bytes, and that many, and a few more, the first to leave first.
  // Valid until the next call. Throws std::bad_alloc, as read().
  [[nodiscard]] std::span<const policy::Named> choose(const Demand& demand) VCACHE_REQUIRES(this);
  // Uses the newest model from now on, and gives what can be learned to the tutor.
  void meet_tutor() VCACHE_REQUIRES(this);
  // P(the key is read within the hour), by what is known of it; none where nothing is, or there is
  // no model. `id`: of its entry.
  [[nodiscard]] std::optional<double> predict(std::uint64_t key_hash, policy::EntryId id) const
      VCACHE_REQUIRES(this);
  // How right that was.
  [[nodiscard]] const predictor::Reliability& reliability() const noexcept VCACHE_REQUIRES(this) {
    return hour_.reliability();
  }
  // Whom to tell of notes that pile up.
  [[nodiscard]] policy::Prepared::Alarm& alarm() noexcept { return tutor_; }
  // As that of the policy; also of what it knows after rest().
  bool pin(std::string_view expert) VCACHE_REQUIRES(this);
  // Forgets everything but what is pinned, and the memory for it. Throws std::bad_alloc, having
  // changed nothing.
  void rest() VCACHE_REQUIRES(this);
  // Who is to decide meanwhile.
  [[nodiscard]] policy::AnyPolicy classic() const;
  // Whether most of what it keeps room for is of entries that there were once.
  [[nodiscard]] bool knows_of_gone() const noexcept VCACHE_REQUIRES(this);

  [[nodiscard]] policy::Learned& policy() VCACHE_REQUIRES(this) { return *policy_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept VCACHE_REQUIRES(this);

 private:
  [[nodiscard]] policy::LearnedOptions told() VCACHE_REQUIRES(this);
  void read(const policy::Note& note) VCACHE_REQUIRES(this);
  void insert(const Known& entry) VCACHE_REQUIRES(this);
  // Counts a read of the key for what is predicted of it, and may take a sample.
  void observe(const policy::Named& named, std::uint64_t key_hash) VCACHE_REQUIRES(this);
  [[nodiscard]] std::optional<predictor::Outlook> outlook(std::uint64_t key_hash,
                                                          policy::EntryId id) const
      VCACHE_REQUIRES(this);
  void settle_hours() VCACHE_REQUIRES(this);
  [[nodiscard]] bool is_known(const policy::Named& named) const noexcept VCACHE_REQUIRES(this);
  [[nodiscard]] bool is_known(const Known& entry) const noexcept VCACHE_REQUIRES(this);

  const policy::LearnedOptions options_;
  Tutor& tutor_;
  // Of whoever has the turn.
  std::string pinned_;  // the expert that always leads
  std::vector<predictor::Example> lessons_;
  std::unique_ptr<policy::Learned> policy_;
  base::Table<policy::Generation> generations_;  // by id
  std::vector<policy::Named> chosen_;
  std::uint64_t version_ = 0;  // of the online model
  predictor::AccessRate rate_;
  predictor::Hour hour_;
  base::Nanos read_at_{0};  // when notes were read last
};

}  // namespace vcache::l1::learning
