#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "l1/policy/arc.hpp"
#include "l1/policy/gdsf.hpp"
#include "l1/policy/history.hpp"
#include "l1/policy/lru.hpp"
#include "l1/policy/s3fifo.hpp"
#include "l1/policy/scored.hpp"
#include "l1/policy/shadow.hpp"
#include "l1/policy/wtinylfu.hpp"

namespace vcache::l1::policy {

// Who may lead: policies, then models.
enum class Expert : std::uint8_t { kS3Fifo, kLru, kArc, kWTinyLfu, kGdsf, kFrozen, kOnline };
inline constexpr std::array<std::string_view, 7> kExpertNames = {
    S3Fifo::kName, Lru::kName, Arc::kName, WTinyLfu::kName, Gdsf::kName, "frozen", "online"};

[[nodiscard]] std::optional<Expert> expert_of(std::string_view name) noexcept;
[[nodiscard]] constexpr std::string_view name_of(Expert expert) noexcept {
  return kExpertNames[static_cast<std::size_t>(expert)];
}
[[nodiscard]] constexpr bool is_model(Expert expert) noexcept { return expert >= Expert::kFrozen; }

// An expert's record.
struct ExpertRecord {
  std::string_view name;
  std::uint64_t misses = 0;  // of `accesses`, since the start
  double recent = 0;         // misses or their cost, older ones counted less
};

// As many uses of an entry as a classic policy tells apart.
[[nodiscard]] std::size_t uses_of(const History& history, const Scored& entries,
                                  EntryId id) noexcept;

// What each expert would have missed of late: each manages a shadow, a cache of metadata that sees
// the same accesses, of one key in so many, by its hash, that each holds a few hundred. Until the
// cache is full no expert differs from another, so that the shadows begin then.
class Experts {
 public:
  // Requires: the history outlives it, and is told of each access before this is.
  Experts(History& history, Scored::Model frozen, Objective objective, std::uint64_t seed);

  // A full cache, of these entries, holds this much; whether that is news. Throws std::bad_alloc.
  bool set_capacity(const Scored& entries, std::uint64_t bytes);
  // Counts an access; true where it is time to look who is best. Throws std::bad_alloc.
  bool access(const Candidate& candidate, Expert leader);
  // Counts a value that was written over another one, which no look-up missed. Throws as access().
  void write(const Candidate& candidate);
  void erase(std::uint64_t key_hash) noexcept;

  [[nodiscard]] bool takes_part(Expert expert) const noexcept { return account(expert).takes_part; }
  // Of those that take part the one that missed least of late; `otherwise` if none missed less.
  [[nodiscard]] Expert best(Expert otherwise) const noexcept;
  // By enough to change for it.
  [[nodiscard]] bool is_better(Expert one, Expert other) const noexcept;
  // It gave no usable score: it does not take part for a while, and is then as good as the leader
  // until it shows what it is.
  void bench(Expert expert) noexcept;

  // None where there is none.
  [[nodiscard]] const Scored::Model& model(Expert expert) const noexcept {
    return expert == Expert::kOnline ? online_ : frozen_;
  }
  // The online one; it begins as good as the frozen one, or the leader.
  void set_online(Scored::Model model, Expert leader);

  // Those that take part; others have no name.
  [[nodiscard]] std::array<ExpertRecord, kExpertNames.size()> records() const noexcept;
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

 private:
  using Shadows = std::tuple<Shadow<S3Fifo>, Shadow<Lru>, Shadow<Arc>, Shadow<WTinyLfu>,
                             Shadow<Gdsf>, Shadow<Scored>, Shadow<Scored>>;

  struct Account {
    std::uint64_t misses = 0;
    double recent = 0;
    bool takes_part = false;
    std::size_t benched = 0;  // accesses until one that failed takes part again
  };

  [[nodiscard]] Account& account(Expert expert) noexcept {
    return accounts_[static_cast<std::size_t>(expert)];
  }
  [[nodiscard]] const Account& account(Expert expert) const noexcept {
    return accounts_[static_cast<std::size_t>(expert)];
  }
  [[nodiscard]] Scored scored(Expert expert);
  void begin(const Scored& entries, std::uint64_t bytes);
  [[nodiscard]] bool is_seen(std::uint64_t key_hash) const noexcept {
    const std::uint64_t mask = (std::uint64_t{1} << sampled_bits_) - 1;
    return shadows_ != nullptr && ((key_hash >> 24) & mask) == 0;
  }
  [[nodiscard]] std::uint64_t share(std::uint64_t bytes) const noexcept {
    return std::max<std::uint64_t>(bytes >> sampled_bits_, 1);
  }
  // work(account, shadow) of each.
  template <class Work>
  void each(Work work) const {
    if (shadows_ == nullptr) return;
    [&]<std::size_t... kPlaces>(std::index_sequence<kPlaces...>) {
      (work(kPlaces, std::get<kPlaces>(*shadows_)), ...);
    }(std::make_index_sequence<kExpertNames.size()>());
  }

  History* history_;
  Scored::Model frozen_;
  Scored::Model online_;
  Objective objective_;
  std::uint64_t seed_;
  std::unique_ptr<Shadows> shadows_;  // none until the cache was full
  std::array<Account, kExpertNames.size()> accounts_;
  std::uint64_t capacity_ = 0;
  unsigned sampled_bits_ = 0;  // shadows see one key in two to this
  double rate_;
  std::size_t period_ = 1;
  std::size_t unchecked_ = 0;
};

}  // namespace vcache::l1::policy
