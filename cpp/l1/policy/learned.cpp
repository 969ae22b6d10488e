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

constexpr std::size_t kBytesForGhost = 1'600;  // of an entry, for each ghost of some 32

constexpr std::size_t kMuchRoom = 8;  // times the keys that are to be remembered

}  // namespace

struct Learned::State {
  using Classic = std::variant<std::monostate, S3Fifo, Lru, Arc, WTinyLfu, Gdsf>;

  explicit State(LearnedOptions given)
      : options(std::move(given)),
        entries(history, options.frozen, options.objective, options.seed),
        sampler(history, options.seed + 3),
        experts(history, options.frozen, options.objective, options.seed) {
    leader = experts.takes_part(Expert::kFrozen) ? Expert::kFrozen : Expert::kS3Fifo;
    pinned = expert_of(options.pinned);
    options.pinned = {};  // its owner's
    if (pinned) leader = *pinned;
    follow();
  }

  // Counts an access in the history.
  void note(std::uint64_t key_hash) {
    history.access(key_hash);
    if (options.examples) sampler.on_access(entries, options.examples);
  }

  // Counts an access in the history and for the experts.
  void access(const Candidate& candidate) {
    note(candidate.key_hash);
    const bool is_due = experts.access(candidate, leader);
    if (pinned) {
      if (leader != *pinned && experts.takes_part(*pinned)) lead(*pinned);  // it had failed
    } else if (is_due) {
      const Expert best = experts.best(leader);
      if (experts.is_better(best, leader)) lead(best);
    }
  }

  // The same for a value that was written over another one, which no look-up missed.
  void write(const Candidate& candidate) {
    note(candidate.key_hash);
    experts.write(candidate);
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

  // The model that leads gave no usable score: the best of the others leads at once.
  void bench_leader() {
    ++failures;
    experts.bench(leader);
    lead(experts.best(Expert::kS3Fifo));
  }

  void lead(Expert expert) {
    leader = expert;
    ++switches;
    follow();
  }

  // Ranks the entries as the leader does.
  void follow() {
    if (is_model(leader)) {
      entries.set_model(experts.model(leader));
      classic = std::monostate();
      return;
    }
    switch (leader) {
      case Expert::kS3Fifo:
        return set_up<S3Fifo>(S3Fifo());
      case Expert::kLru:
        return set_up<Lru>(Lru());
      case Expert::kArc:
        return set_up<Arc>(Arc());
      case Expert::kWTinyLfu:
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
      for (std::size_t use = 1; use < uses_of(history, entries, id); ++use) policy.on_hit(id);
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
    is_full = true;
    if (!experts.set_capacity(entries, bytes)) return;
    const std::size_t count = std::max<std::size_t>(entries.size(), 1);
    history.set_limit(keys_known(count, bytes));
    history.reach(count);
  }

  // Keys come and go also in a cache that is never full.
  void note_growth() noexcept {
    if (is_full || entries.size() <= most_held) return;
    most_held = entries.size();
    history.set_limit(keys_known(most_held, entries.bytes()));
  }

  // Of so many entries, and ghosts.
  [[nodiscard]] std::size_t keys_known(std::size_t count, std::uint64_t bytes) const noexcept {
    return (1 + ghosts(bytes / count)) * count + 8;
  }

  LearnedOptions options;
  History history;
  Scored entries;  // what the cache holds
  LabelSampler sampler;
  Experts experts;
  Classic classic;
  Expert leader = Expert::kS3Fifo;
  std::optional<Expert> pinned;
  bool is_full = false;       // or was
  std::size_t most_held = 0;  // entries, until then
  std::uint64_t switches = 0;
  std::uint64_t failures = 0;  // of a model that led
  std::uint64_t missed = 0;    // the key whose miss was told of last
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
  s.note_growth();
}

void Learned::on_update(EntryId id, const Candidate& candidate) {
  State& s = *state_;
  s.is_told = false;
  const Candidate known{.key_hash = s.entries.candidate(id).key_hash,
                        .bytes = candidate.bytes,
                        .cost = candidate.cost,
                        .origin = candidate.origin};
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
  s.experts.erase(s.entries.candidate(id).key_hash);
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

predictor::KeyPast Learned::past(EntryId id) const noexcept {
  return state_->history.past(state_->entries.slot(id));
}

std::size_t Learned::ids() const noexcept { return state_->entries.ids(); }

std::optional<Judgement> Learned::judge(std::uint64_t key_hash, EntryId id) const noexcept {
  const State& s = *state_;
  const History::Slot slot = s.history.find(key_hash);
  if (slot == History::kNoSlot) return std::nullopt;
  Judgement out{.is_held = holds(id) && s.entries.slot(id) == slot,
                .mean_residence = s.entries.mean_residence(),
                .leader = leader()};
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
  const Scored::Model& online = s.experts.model(Expert::kOnline);
  const Scored::Model& model = online != nullptr ? online : s.options.frozen;
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
  s.experts.set_online(std::move(model), s.leader);
  if (s.leader == Expert::kOnline) s.follow();
}

bool Learned::pin(std::string_view expert) {
  State& s = *state_;
  s.pinned = std::nullopt;
  if (expert.empty()) return true;
  const std::optional<Expert> wanted = expert_of(expert);
  if (!wanted || !s.experts.takes_part(*wanted)) return false;
  s.pinned = wanted;
  if (s.leader != *wanted) s.lead(*wanted);
  return true;
}

std::string_view Learned::leader() const noexcept { return name_of(state_->leader); }

std::uint64_t Learned::switches() const noexcept { return state_->switches; }

std::uint64_t Learned::failures() const noexcept { return state_->failures; }

std::array<ExpertRecord, Learned::kExperts> Learned::experts() const noexcept {
  return state_->experts.records();
}

std::size_t Learned::size() const noexcept { return state_->entries.size(); }

std::uint64_t Learned::bytes() const noexcept { return state_->entries.bytes(); }

std::size_t Learned::memory_bytes() const noexcept {
  State& s = *state_;
  std::size_t bytes = sizeof(State) + s.history.memory_bytes() + s.entries.memory_bytes() +
                      s.sampler.memory_bytes();
  s.with_classic([&](const auto& policy) { bytes += policy.memory_bytes(); });
  return bytes + s.experts.memory_bytes();
}

bool Learned::knows_of_gone() const noexcept {
  const State& s = *state_;
  const std::size_t count = std::max<std::size_t>(s.entries.size(), 1);
  return s.history.room() > kMuchRoom * s.keys_known(count, s.entries.bytes());
}

}  // namespace vcache::l1::policy
