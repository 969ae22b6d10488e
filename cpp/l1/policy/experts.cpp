#include "l1/policy/experts.hpp"

#include <algorithm>
#include <cmath>

namespace vcache::l1::policy {

namespace {

constexpr double kWindow = 16;             // of what counts as recent, in shadows' entries,
constexpr double kShortestWindow = 2000;   // and in accesses
constexpr double kMargin = 0.02;           // by which a new leader is better
constexpr std::size_t kShadowed = 512;     // entries of a shadow, at least, of those that it may
constexpr std::size_t kAllShadowed = 128;  // entries up to which a shadow may have all
constexpr std::size_t kFewestBits = 2;     // of more, a shadow has one in two to this, at most
constexpr std::size_t kBenched = 10'000;   // accesses
constexpr std::size_t kUsesTold = 4;       // of an entry, to a policy that is set up
constexpr std::size_t kChecks = 20;        // while a shadow's entries are replaced once

}  // namespace

std::optional<Expert> expert_of(std::string_view name) noexcept {
  const auto place = std::ranges::find(kExpertNames, name);
  if (place == kExpertNames.end()) return std::nullopt;
  return static_cast<Expert>(place - kExpertNames.begin());
}

std::size_t uses_of(const History& history, const Scored& entries, EntryId id) noexcept {
  return std::min<std::size_t>(history.past(entries.slot(id)).accesses, kUsesTold);
}

Experts::Experts(History& history, Scored::Model frozen, Objective objective, std::uint64_t seed)
    : history_(&history),
      frozen_(std::move(frozen)),
      objective_(objective),
      seed_(seed),
      rate_(1 / kShortestWindow) {
  for (const Expert expert : {Expert::kS3Fifo, Expert::kLru, Expert::kArc, Expert::kWTinyLfu}) {
    account(expert).takes_part = true;
  }
  account(Expert::kGdsf).takes_part = objective_ == Objective::kCost;
  account(Expert::kFrozen).takes_part = frozen_ != nullptr;
}

// Of another stream of random numbers than any other.
Scored Experts::scored(Expert expert) {
  Scored policy(*history_, model(expert), objective_,
                seed_ + 4 + static_cast<std::uint64_t>(expert));
  policy.set_sampling(std::ldexp(1, static_cast<int>(sampled_bits_)));
  return policy;
}

// Has the shadows begin, from the entries, in the order of their last access.
void Experts::begin(const Scored& entries, std::uint64_t bytes) {
  sampled_bits_ = entries.size() <= kAllShadowed ? 0 : kFewestBits;
  // Where few misses cost most, more of them are needed to tell experts apart.
  const std::size_t most = objective_ == Objective::kCost ? 2 * kShadowed : kShadowed;
  while ((entries.size() >> (sampled_bits_ + 1)) >= most) ++sampled_bits_;
  capacity_ = bytes;
  const std::uint64_t each_holds = share(bytes);
  shadows_.reset();
  shadows_ = std::make_unique<Shadows>(
      Shadow<S3Fifo>(S3Fifo(), each_holds), Shadow<Lru>(Lru(), each_holds),
      Shadow<Arc>(Arc(), each_holds), Shadow<WTinyLfu>(WTinyLfu(seed_), each_holds),
      Shadow<Gdsf>(Gdsf(), each_holds), Shadow<Scored>(scored(Expert::kFrozen), each_holds),
      Shadow<Scored>(scored(Expert::kOnline), each_holds));
  for (const EntryId id : entries.by_age()) {
    const Candidate candidate = entries.candidate(id);
    if (!is_seen(candidate.key_hash)) continue;
    const std::size_t uses = uses_of(*history_, entries, id);
    each([&](std::size_t place, auto& shadow) {
      if (!accounts_[place].takes_part) return;
      for (std::size_t use = 0; use < uses; ++use) shadow.access(candidate);
    });
  }
}

bool Experts::set_capacity(const Scored& entries, std::uint64_t bytes) {
  const std::size_t shadowed = entries.size() >> sampled_bits_;
  const bool is_of_another_size =
      shadowed >= 4 * kShadowed || (sampled_bits_ > 0 && shadowed < kShadowed / 4);
  if (shadows_ == nullptr || (is_of_another_size && bytes != capacity_)) {
    begin(entries, bytes);
  } else if (bytes != capacity_) {
    capacity_ = bytes;
    each([each_holds = share(bytes)](std::size_t, auto& shadow) {
      shadow.set_capacity(each_holds, [](std::uint64_t) {});
    });
  } else {
    return false;
  }
  const std::size_t each_holds =
      std::max<std::size_t>(std::max<std::size_t>(entries.size(), 1) >> sampled_bits_, 1);
  rate_ = 1 / std::max(kWindow * static_cast<double>(each_holds), kShortestWindow);
  period_ = std::max<std::size_t>(each_holds / kChecks, 1);
  return true;
}

bool Experts::access(const Candidate& candidate, Expert leader) {
  if (!is_seen(candidate.key_hash)) return false;
  const double weight = objective_ == Objective::kMisses ? 1
                        : candidate.cost > 0             ? candidate.cost
                                                         : 1;
  each([&](std::size_t place, auto& shadow) {
    Account& mine = accounts_[place];
    mine.recent *= 1 - rate_;
    if (mine.benched == 1) {
      mine.takes_part = true;
      mine.recent = account(leader).recent;
    }
    if (mine.benched > 0) --mine.benched;
    if (!mine.takes_part) return;
    if (shadow.access(candidate)) return;
    ++mine.misses;
    mine.recent += weight;
  });
  if (++unchecked_ < period_) return false;
  unchecked_ = 0;
  return true;
}

void Experts::write(const Candidate& candidate) {
  if (!is_seen(candidate.key_hash)) return;
  each([&](std::size_t place, auto& shadow) {
    if (!accounts_[place].takes_part) return;
    if (!shadow.update(candidate, [](std::uint64_t) {})) shadow.access(candidate);
  });
}

void Experts::erase(std::uint64_t key_hash) noexcept {
  each([&](std::size_t, auto& shadow) { (void)shadow.erase(key_hash); });
}

Expert Experts::best(Expert otherwise) const noexcept {
  Expert best = otherwise;
  for (std::size_t i = 0; i < accounts_.size(); ++i) {
    if (accounts_[i].takes_part && accounts_[i].recent < account(best).recent) {
      best = static_cast<Expert>(i);
    }
  }
  return best;
}

bool Experts::is_better(Expert one, Expert other) const noexcept {
  return account(one).recent < account(other).recent * (1 - kMargin);
}

void Experts::bench(Expert expert) noexcept {
  account(expert).takes_part = false;
  account(expert).benched = kBenched;
}

void Experts::set_online(Scored::Model model, Expert leader) {
  online_ = std::move(model);
  constexpr auto kPlace = static_cast<std::size_t>(Expert::kOnline);
  if (shadows_ != nullptr) std::get<kPlace>(*shadows_).policy().set_model(online_);
  Account& mine = account(Expert::kOnline);
  if (mine.takes_part) return;
  mine = account(Expert::kFrozen);
  if (!mine.takes_part) mine.recent = account(leader).recent;
  mine.benched = 0;
  mine.takes_part = true;
}

std::array<ExpertRecord, kExpertNames.size()> Experts::records() const noexcept {
  std::array<ExpertRecord, kExpertNames.size()> records;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Account& mine = accounts_[i];
    if (!mine.takes_part) continue;
    records[i] = {.name = kExpertNames[i], .misses = mine.misses, .recent = mine.recent};
  }
  return records;
}

std::size_t Experts::memory_bytes() const noexcept {
  std::size_t bytes = 0;
  each([&](std::size_t place, const auto& shadow) {
    if (accounts_[place].takes_part) bytes += shadow.memory_bytes();
  });
  return bytes;
}

}  // namespace vcache::l1::policy
