#include "l1/policy/any_policy.hpp"

#include <array>

namespace vcache::l1::policy {

namespace {

constexpr std::array<std::string_view, 8> kNames = {Lru::kName,   Lfu::kName,     S3Fifo::kName,
                                                    Sieve::kName, Arc::kName,     WTinyLfu::kName,
                                                    Gdsf::kName,  Prepared::kName};
static_assert(kNames.size() == std::variant_size_v<AnyPolicy>);

// std::visit that cannot throw: no policy throws when it is moved, so none is ever missing.
template <std::size_t kIndex = 0, class Any, class Work>
decltype(auto) with(Any& policy, Work work) {
  if constexpr (kIndex + 1 < std::variant_size_v<AnyPolicy>) {
    if (policy.index() != kIndex) return with<kIndex + 1>(policy, work);
  }
  return work(*std::get_if<kIndex>(&policy));
}

}  // namespace

std::span<const std::string_view> policy_names() noexcept { return kNames; }

std::optional<AnyPolicy> make_policy(std::string_view name, std::uint64_t seed) {
  if (name == Lru::kName) return Lru();
  if (name == Lfu::kName) return Lfu();
  if (name == S3Fifo::kName) return S3Fifo();
  if (name == Sieve::kName) return Sieve();
  if (name == Arc::kName) return Arc();
  if (name == WTinyLfu::kName) return WTinyLfu(seed);
  if (name == Gdsf::kName) return Gdsf();
  if (name == Prepared::kName) return Prepared();
  return std::nullopt;
}

std::string_view name(const AnyPolicy& policy) noexcept {
  return with(policy, []<class P>(const P&) { return std::string_view(P::kName); });
}

void on_miss(AnyPolicy& policy, const Candidate& candidate) noexcept {
  with(policy, [&](auto& p) { tell_miss(p, candidate); });
}

void on_insert(AnyPolicy& policy, EntryId id, const Candidate& candidate) {
  with(policy, [&](auto& p) { p.on_insert(id, candidate); });
}

void on_update(AnyPolicy& policy, EntryId id, const Candidate& candidate) {
  with(policy, [&](auto& p) { p.on_update(id, candidate); });
}

void on_hits(AnyPolicy& policy, std::span<const EntryId> ids) noexcept {
  with(policy, [ids](auto& p) {
    for (const EntryId id : ids) p.on_hit(id);
  });
}

void on_erase(AnyPolicy& policy, EntryId id) noexcept {
  with(policy, [id](auto& p) { p.on_erase(id); });
}

EntryId evict(AnyPolicy& policy) {
  return with(policy, [](auto& p) { return p.evict(); });
}

std::size_t size(const AnyPolicy& policy) noexcept {
  return with(policy, [](const auto& p) { return p.size(); });
}

std::uint64_t bytes(const AnyPolicy& policy) noexcept {
  return with(policy, [](const auto& p) { return p.bytes(); });
}

std::size_t memory_bytes(const AnyPolicy& policy) noexcept {
  return with(policy, [](const auto& p) { return p.memory_bytes(); });
}

}  // namespace vcache::l1::policy
