#pragma once

#include <optional>
#include <vector>

#include "l1/policy/any_policy.hpp"
#include "l1/policy/standing.hpp"

namespace vcache::l1::policy {

// A copy to look at apart from the owner's lock; none of what is Prepared.
[[nodiscard]] std::optional<AnyPolicy> copy_of(const AnyPolicy& policy);

// All entries of such a copy, the first of them the last to leave if none were accessed again.
[[nodiscard]] std::vector<Ranked> ranking(const AnyPolicy& copy);

// As Restores has it; what is Prepared is told of a newcomer.
void on_restore(AnyPolicy& policy, EntryId id, const Candidate& candidate,
                const Standing& standing);

}  // namespace vcache::l1::policy
