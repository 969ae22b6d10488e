#include "l1/policy/learned.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#include "l1/policy/label_sampler.hpp"

namespace vcache::l1::policy {

namespace {

enum Place : std::uint8_t { kS3Fifo, kLru, kArc, kWTinyLfu, kGdsf, kFrozen, kOnline };

constexpr std::array<std::string_view, Learned::kExperts> kNames = {
    S3Fifo::kName, Lru::kName, Arc::kName, WTinyLfu::kName, Gdsf::kName, "frozen", "online"};

constexpr double kWindow = 16;             // of what counts as recent, in shadows' entries,
constexpr double kShortestWindow = 2000;   // and in accesses
constexpr double kMargin = 0.02;           // by which a new leader is better
constexpr std::size_t kShadowed = 512;     // entries of a shadow, at least, of those that it may
constexpr std::size_t kAllShadowed = 128;  // entries up to which a shadow may have all
constexpr std::size_t kFewestBits = 2;     // of more, a shadow has one in two to this, at most
constexpr std::size_t kBenched = 10'000;   // accesses
constexpr std::size_t kUsesTold = 4;       // of an entry, to a policy that is set up
constexpr std::size_t kBytesForGhost = 1'600;  // of an entry, for each ghost of some 32
constexpr std::size_t kChecks = 20;            // while a shadow's entries are replaced once

}  // namespace

struct Learned::State {
  using Classic = std::variant<std::monostate, S3Fifo, Lru, Arc, WTinyLfu, Gdsf>;
  using Shadows = std::tuple<Shadow<S3Fifo>, Shadow<Lru>, Shadow<Arc>, Shadow<WTinyLfu>,
                             Shadow<Gdsf>, Shadow<Scored>, Shadow<Scored>>;

  struct Account {
    std::uint64_t misses = 0;
    double recent = 0;
    bool takes_part = false;
    std::size_t benched = 0;  // accesses until one that failed takes part again
  };

  explicit State(LearnedOptions given)
      : options(std::move(given)),
        entries(history, options.frozen, options.objective, options.seed),
        sampler(history, options.seed + 3) {
    for (const Place place : {kS3Fifo, kLru, kArc, kWTinyLfu}) accounts[place].takes_part = true;
    accounts[kGdsf].takes_part = options.objective == Objective::kCost;
    accounts[kFrozen].takes_part = options.frozen != nullptr;
    leader = accounts[kFrozen].takes_part ? kFrozen : kS3Fifo;
    const auto named = std::ranges::find(kNames, options.pinned);
    is_pinned = named != kNames.end();
    if (is_pinned) leader = pinned = static_cast<Place>(named - kNames.begin());
    options.pinned = {};  // its owner's
    follow();
  }

  // Of another stream of random numbers than any other.
  [[nodiscard]] Scored scored(Place place) {
    Scored policy(history, place == kFrozen ? options.frozen : online, options.objective,
                  options.seed + 4 + place);
    policy.set_sampling(std::ldexp(1, static_cast<int>(sampled_bits)));
    return policy;
  }

  // Has the shadows begin, from the entries, in the order of their last access. Throws
  // std::bad_alloc, having changed nothing.
  void begin(std::uint64_t bytes) {
    sampled_bits = entries.size() <= kAllShadowed ? 0 : kFewestBits;
    // Where few misses cost most, more of them are needed to tell experts apart.
    const std::size_t most = options.objective == Objective::kCost ? 2 * kShadowed : kShadowed;
    while ((entries.size() >> (sampled_bits + 1)) >= most) ++sampled_bits;
    capacity = bytes;
    const std::uint64_t share = std::max<std::uint64_t>(bytes >> sampled_bits, 1);
    shadows.reset();
    shadows = std::make_unique<Shadows>(
        Shadow<S3Fifo>(S3Fifo(), share), Shadow<Lru>(Lru(), share), Shadow<Arc>(Arc(), share),
        Shadow<WTinyLfu>(WTinyLfu(options.seed), share), Shadow<Gdsf>(Gdsf(), share),
        Shadow<Scored>(scored(kFrozen), share), Shadow<Scored>(scored(kOnline), share));
    for (const EntryId id : entries.by_age()) {
      const Candidate candidate = entries.candidate(id);
      if (!is_sampled(candidate.key_hash)) continue;
      const std::size_t uses = uses_of(id);
      each([&](Place place, auto& shadow) {
        if (!accounts[place].takes_part) return;
        for (std::size_t use = 0; use < uses; ++use) shadow.access(candidate);
      });
    }
  }

  // Counts an access in the history.
  void note(std::uint64_t key_hash) {
    history.access(key_hash);
    if (options.examples) sampler.on_access(entries, options.examples);
  }

  // Counts an access in the history and in the shadows.
  void access(const Candidate& candidate) {
    note(candidate.key_hash);
    if (shadows == nullptr || !is_sampled(candidate.key_hash)) return;
    const double weight = options.objective == Objective::kMisses ? 1
                          : candidate.cost > 0                    ? candidate.cost
                                                                  : 1;
    each([&](Place place, auto& shadow) {
      Account& account = accounts[place];
      account.recent *= 1 - rate;
      if (account.benched == 1) take_back(place);
      if (account.benched > 0) --account.benched;
      if (!account.takes_part) return;
      if (shadow.access(candidate)) return;
      ++account.misses;
      account.recent += weight;
    });
    if (++unchecked >= period) check();
  }

  // The same for a value that was written over another one, which no look-up missed.
  void write(const Candidate& candidate) {
    note(candidate.key_hash);
    if (shadows == nullptr || !is_sampled(candidate.key_hash)) return;
    each([&](Place place, auto& shadow) {
      if (!accounts[place].takes_part) return;
      if (!shadow.update(candidate, [](std::uint64_t) {})) shadow.access(candidate);
    });
  }

  // told(policy) of the classic policy that leads, which an entry returns to that had been chosen.
  // Where there is no memory for that it stays chosen.
  template <class Told>
  void return_to_leader(EntryId id, bool was_chosen, Told told) {
    with_classic([&](auto& policy) {
      if (was_chosen) {
        entries.set_chosen(id);
        policy.on_insert(id, entries.candidate(id));
        entries.set_held(id);
      }
      told(policy);
    });
  }

  template <class Work>
  void each(Work work) {
    if (shadows == nullptr) return;
    [&]<std::size_t... kPlaces>(std::index_sequence<kPlaces...>) {
      (work(static_cast<Place>(kPlaces), std::get<kPlaces>(*shadows)), ...);
    }(std::make_index_sequence<kExperts>());
  }

  [[nodiscard]] bool is_sampled(std::uint64_t key_hash) const noexcept {
    const std::uint64_t mask = (std::uint64_t{1} << sampled_bits) - 1;
    return ((key_hash >> 24) & mask) == 0;
  }

  // The model that leads gave no usable score: the best of the others leads at once.
  void bench_leader() {
    ++failures;
    accounts[leader].takes_part = false;
    accounts[leader].benched = kBenched;
    leader = kS3Fifo;
    for (std::size_t i = 0; i < kExperts; ++i) {
      if (accounts[i].takes_part && accounts[i].recent < accounts[leader].recent) {
        leader = static_cast<Place>(i);
      }
    }
    ++switches;
    follow();
  }

  // As good as the leader until it shows what it is. One that is pinned leads again.
  void take_back(Place place) {
    accounts[place].takes_part = true;
    accounts[place].recent = accounts[leader].recent;
    if (!is_pinned || place != pinned) return;
    leader = pinned;
    ++switches;
    follow();
  }

  void check() {
    unchecked = 0;
    Place best = leader;
    for (std::size_t i = 0; i < kExperts; ++i) {
      if (accounts[i].takes_part && accounts[i].recent < accounts[best].recent) {
        best = static_cast<Place>(i);
      }
    }
    if (is_pinned || best == leader ||
        accounts[best].recent >= accounts[leader].recent * (1 - kMargin)) {
      return;
    }
    leader = best;
    ++switches;
    follow();
  }

  // As many uses of an entry as a classic policy tells apart.
  [[nodiscard]] std::size_t uses_of(EntryId id) const noexcept {
    return std::min<std::size_t>(history.past(entries.slot(id)).accesses, kUsesTold);
  }

  [[nodiscard]] bool is_model(Place place) const noexcept {
    return place == kFrozen || place == kOnline;
  }

  // Ranks the entries as the leader does.
  void follow() {
    if (is_model(leader)) {
      entries.set_model(leader == kFrozen ? options.frozen : online);
      classic = std::monostate();
      return;
    }
    switch (leader) {
      case kS3Fifo:
        return set_up<S3Fifo>(S3Fifo());
      case kLru:
        return set_up<Lru>(Lru());
      case kArc:
        return set_up<Arc>(Arc());
      case kWTinyLfu:
        return set_up<WTinyLfu>(WTinyLfu(options.seed));
      default:
        return set_up<Gdsf>(Gdsf());
    }
  }

  template <class P>
  void set_up(P policy) {
    for (const EntryId id : entries.by_age()) {
      if (entries.is_chosen(id)) continue;
      policy.on_insert(id, entries.candidate(id));
      for (std::size_t use = 1; use < uses_of(id); ++use) policy.on_hit(id);
    }
    if constexpr (requires { policy.recall(history.sketch()); }) policy.recall(history.sketch());
    classic.emplace<P>(std::move(policy));
  }

  // work(policy) of the classic policy that leads, if one does. Throws what `work` does only.
  template <std::size_t kIndex = 1, class Work>
  void with_classic(Work work) {
    if constexpr (kIndex < std::variant_size_v<Classic>) {
      if (classic.index() == kIndex) return work(*std::get_if<kIndex>(&classic));
      with_classic<kIndex + 1>(work);
    }
  }

  // What to remember of keys that left is worth less than entries that it takes the place of.
  [[nodiscard]] std::size_t ghosts(std::uint64_t bytes_each) const noexcept {
    if (bytes_each <= 1) return options.ghosts;  // where entries are counted
    return std::min<std::size_t>(std::max<std::size_t>(bytes_each / kBytesForGhost, 1),
                                 options.ghosts);
  }

  // A full cache holds this much.
  void set_capacity(std::uint64_t bytes) {
    const std::size_t shadowed = entries.size() >> sampled_bits;
    const bool is_of_another_size =
        shadowed >= 4 * kShadowed || (sampled_bits > 0 && shadowed < kShadowed / 4);
    if (shadows == nullptr || (is_of_another_size && bytes != capacity)) {
      begin(bytes);
    } else if (bytes != capacity) {
      capacity = bytes;
      const std::uint64_t share = std::max<std::uint64_t>(bytes >> sampled_bits, 1);
      each([share](Place, auto& shadow) { shadow.set_capacity(share, [](std::uint64_t) {}); });
    } else {
      return;
    }
    const std::size_t count = std::max<std::size_t>(entries.size(), 1);
    const std::size_t each_holds = std::max<std::size_t>(count >> sampled_bits, 1);
    rate = 1 / std::max(kWindow * static_cast<double>(each_holds), kShortestWindow);
    period = std::max<std::size_t>(each_holds / kChecks, 1);
    history.set_limit((1 + ghosts(bytes / count)) * count + 8);
    history.reach(count);
  }

  LearnedOptions options;
  History history;
  Scored entries;  // what the cache holds
  LabelSampler sampler;
  Classic classic;
  std::unique_ptr<Shadows> shadows;  // none until the cache was full
  Scored::Model online;
  std::array<Account, kExperts> accounts;
  Place leader = kS3Fifo;
  bool is_pinned = false;
  Place pinned = kS3Fifo;  // where one is
  std::uint64_t switches = 0;
  std::uint64_t failures = 0;  // of a model that led
  std::uint64_t capacity = 0;
  unsigned sampled_bits = 0;  // shadows see one key in two to this
  double rate = 1 / kShortestWindow;
  std::size_t period = 1;
  std::size_t unchecked = 0;
  std::uint64_t missed = 0;  // the key whose miss was told of last
  bool is_told = false;
  std::uint64_t random = 1;
  std::uint64_t untold = 0;  // accesses of which some expert did not hear, for want of memory
};

Learned::Learned(LearnedOptions options) : state_(std::make_unique<State>(std::move(options))) {}
Learned::~Learned() = default;
Learned::Learned(Learned&&) noexcept = default;

void Learned::on_miss(const Candidate& candidate) noexcept {
  State& s = *state_;
  if (s.is_told && s.missed == candidate.key_hash) return;
  try {
    s.access(candidate);
    s.missed = candidate.key_hash;
    s.is_told = true;
  } catch (...) {
    s.is_told = false;
  }
}

void Learned::on_insert(EntryId id, const Candidate& candidate) {
  State& s = *state_;
  on_miss(candidate);
  if (!s.is_told) throw std::bad_alloc();
  s.is_told = false;
  s.entries.on_insert(id, candidate);
  try {
    s.with_classic([&](auto& policy) { policy.on_insert(id, candidate); });
  } catch (...) {
    s.entries.on_erase(id);
    throw;
  }
}

void Learned::on_update(EntryId id, const Candidate& candidate) {
  State& s = *state_;
  s.is_told = false;
  const Candidate known{.key_hash = s.entries.candidate(id).key_hash,
                        .bytes = candidate.bytes,
                        .cost = candidate.cost};
  s.write(known);
  const bool was_chosen = s.entries.is_chosen(id);
  s.entries.on_update(id, known);
  s.return_to_leader(id, was_chosen, [&](auto& policy) { policy.on_update(id, known); });
}

void Learned::on_hit(EntryId id) noexcept {
  State& s = *state_;
  s.is_told = false;
  try {
    s.access(s.entries.candidate(id));
  } catch (...) {
    ++s.untold;
  }
  const bool was_chosen = s.entries.is_chosen(id);
  s.entries.on_hit(id);
  try {
    s.return_to_leader(id, was_chosen, [&](auto& policy) { policy.on_hit(id); });
  } catch (...) {
    ++s.untold;
  }
}

void Learned::on_erase(EntryId id) noexcept {
  State& s = *state_;
  const std::uint64_t key_hash = s.entries.candidate(id).key_hash;
  s.each([&](Place, auto& shadow) { (void)shadow.erase(key_hash); });
  on_evict(id);
}

void Learned::on_evict(EntryId id) noexcept {
  State& s = *state_;
  s.is_told = false;
  if (!s.entries.is_chosen(id)) {
    s.with_classic([&](auto& policy) { policy.on_erase(id); });
  }
  s.entries.on_erase(id);
}

EntryId Learned::choose() {
  State& s = *state_;
  s.set_capacity(s.entries.bytes());
  bool is_classic = false;
  EntryId id = kNoEntry;
  s.with_classic([&](auto& policy) {
    is_classic = true;
    if (policy.size() == 0) return;
    id = policy.evict();
    s.entries.set_chosen(id);
  });
  if (is_classic) return id;
  const std::uint64_t failures = s.entries.failures();
  id = s.entries.choose();
  if (s.entries.failures() != failures) s.bench_leader();
  return id;
}

// What was told of a miss is kept: the key that room is made for.
EntryId Learned::evict() {
  State& s = *state_;
  EntryId id = choose();
  if (id == kNoEntry) id = s.entries.any(s.random);  // the leader lost them for want of memory
  s.entries.on_erase(id);
  return id;
}

bool Learned::holds(EntryId id) const noexcept { return state_->entries.holds(id); }

bool Learned::is_chosen(EntryId id) const noexcept { return state_->entries.is_chosen(id); }

Candidate Learned::candidate(EntryId id) const noexcept { return state_->entries.candidate(id); }

std::size_t Learned::ids() const noexcept { return state_->entries.ids(); }

std::optional<Judgement> Learned::judge(std::uint64_t key_hash, EntryId id) const noexcept {
  const State& s = *state_;
  const History::Slot slot = s.history.find(key_hash);
  if (slot == History::kNoSlot) return std::nullopt;
  Judgement out{.is_held = holds(id) && s.entries.slot(id) == slot,
                .mean_residence = s.entries.mean_residence()};
  if (out.is_held) {
    out.snapshot = s.entries.snapshot(id);
  } else {
    const predictor::KeyPast past = s.history.past(slot);
    out.snapshot = {.past = past,
                    .residence = {.since = past.last},
                    .now = s.history.now(),
                    .log2_residence = static_cast<float>(std::log2(out.mean_residence)),
                    .estimate = s.history.estimate(slot)};
  }
  const Scored::Model& model = s.online != nullptr ? s.online : s.options.frozen;
  if (model == nullptr) return out;
  std::array<float, predictor::kInputs> inputs{};
  predictor::write_features(out.snapshot, inputs);
  out.is_scored = model->score(inputs, 1, out.heads).ok() &&
                  std::ranges::all_of(out.heads, [](float p) { return p >= 0 && p <= 1; });
  return out;
}

predictor::AccessTime Learned::now() const noexcept { return state_->history.now(); }

void Learned::set_online(Scored::Model model) {
  State& s = *state_;
  s.online = std::move(model);
  if (s.shadows != nullptr) std::get<kOnline>(*s.shadows).policy().set_model(s.online);
  if (!s.accounts[kOnline].takes_part) {
    s.accounts[kOnline] = s.accounts[kFrozen];
    s.accounts[kOnline].benched = 0;
    if (!s.accounts[kFrozen].takes_part) s.accounts[kOnline].recent = s.accounts[s.leader].recent;
    s.accounts[kOnline].takes_part = true;
  }
  if (s.leader == kOnline) s.entries.set_model(s.online);
}

bool Learned::pin(std::string_view expert) {
  State& s = *state_;
  const auto place = std::ranges::find(kNames, expert);
  s.is_pinned = false;
  if (expert.empty()) return true;
  if (place == kNames.end()) return false;
  const auto pinned = static_cast<Place>(place - kNames.begin());
  if (!s.accounts[pinned].takes_part) return false;
  s.is_pinned = true;
  s.pinned = pinned;
  if (std::exchange(s.leader, pinned) == pinned) return true;
  ++s.switches;
  s.follow();
  return true;
}

std::string_view Learned::leader() const noexcept { return kNames[state_->leader]; }

std::uint64_t Learned::switches() const noexcept { return state_->switches; }

std::uint64_t Learned::failures() const noexcept { return state_->failures; }

std::array<ExpertRecord, Learned::kExperts> Learned::experts() const noexcept {
  std::array<ExpertRecord, kExperts> records;
  for (std::size_t i = 0; i < kExperts; ++i) {
    const State::Account& account = state_->accounts[i];
    if (!account.takes_part) continue;
    records[i] = {.name = kNames[i], .misses = account.misses, .recent = account.recent};
  }
  return records;
}

std::size_t Learned::size() const noexcept { return state_->entries.size(); }

std::uint64_t Learned::bytes() const noexcept { return state_->entries.bytes(); }

std::size_t Learned::memory_bytes() const noexcept {
  State& s = *state_;
  std::size_t bytes = sizeof(State) + s.history.memory_bytes() + s.entries.memory_bytes() +
                      s.sampler.memory_bytes();
  s.with_classic([&](const auto& policy) { bytes += policy.memory_bytes(); });
  s.each([&](Place place, const auto& shadow) {
    if (s.accounts[place].takes_part) bytes += shadow.memory_bytes();
  });
  return bytes;
}

}  // namespace vcache::l1::policy
