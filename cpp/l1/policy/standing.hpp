#pragma once

#include <cstdint>

#include "l1/policy/policy.hpp"

namespace vcache::l1::policy {

// What a policy knows of an entry beside its place in the order in which entries leave, so that
// another cache under that policy can go on from there.
struct Standing {
  static constexpr std::uint8_t kAnySegment = 0xFF;  // not known: the policy chooses

  std::uint32_t uses = 1;              // as the policy counts them
  std::uint8_t segment = kAnySegment;  // of the policy's queues that it is in, by its own numbers
  float weight = 0;  // gdsf: the priority above the age; arc, wtinylfu: the share of the bytes that
                     // its first queue is to have, the same of all entries
};

// An entry among those of a policy.
struct Ranked {
  EntryId id = kNoEntry;
  Standing standing = {};
};

// Policies whose entries can be taken to another cache.
//   standing    Requires: id is held.
//   on_restore  on_insert() of an entry with that standing, which leaves before all entries of its
//               queue; entries are to come in the reverse of the order in which they would leave.
template <class P>
concept Restores =
    requires(P p, const P c, EntryId id, const Candidate& candidate, const Standing& standing) {
      { c.standing(id) } noexcept -> std::same_as<Standing>;
      { p.on_restore(id, candidate, standing) } -> std::same_as<void>;
    };

}  // namespace vcache::l1::policy
