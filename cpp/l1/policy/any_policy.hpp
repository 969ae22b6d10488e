#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "l1/policy/arc.hpp"
#include "l1/policy/gdsf.hpp"
#include "l1/policy/lfu.hpp"
#include "l1/policy/lru.hpp"
#include "l1/policy/policy.hpp"
#include "l1/policy/prepared.hpp"
#include "l1/policy/s3fifo.hpp"
#include "l1/policy/sieve.hpp"
#include "l1/policy/wtinylfu.hpp"

namespace vcache::l1::policy {

// A policy chosen at run time. The functions below do what the members of the same names do,
// and dispatch once per call: hits come in batches.
using AnyPolicy = std::variant<Lru, Lfu, S3Fifo, Sieve, Arc, WTinyLfu, Gdsf, Prepared>;

// Every name that make_policy() knows.
[[nodiscard]] std::span<const std::string_view> policy_names() noexcept;

// None when the name is unknown. Equal seeds and equal calls give equal victims.
[[nodiscard]] std::optional<AnyPolicy> make_policy(std::string_view name, std::uint64_t seed);

[[nodiscard]] std::string_view name(const AnyPolicy& policy) noexcept;

void on_miss(AnyPolicy& policy, const Candidate& candidate) noexcept;
void on_insert(AnyPolicy& policy, EntryId id, const Candidate& candidate);
void on_update(AnyPolicy& policy, EntryId id, const Candidate& candidate);
// Requires: every id is held. An id may repeat.
void on_hits(AnyPolicy& policy, std::span<const EntryId> ids) noexcept;
void on_erase(AnyPolicy& policy, EntryId id) noexcept;
[[nodiscard]] EntryId evict(AnyPolicy& policy);

[[nodiscard]] std::size_t size(const AnyPolicy& policy) noexcept;
[[nodiscard]] std::uint64_t bytes(const AnyPolicy& policy) noexcept;
[[nodiscard]] std::size_t memory_bytes(const AnyPolicy& policy) noexcept;

}  // namespace vcache::l1::policy
