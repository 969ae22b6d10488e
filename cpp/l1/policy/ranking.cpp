#include "l1/policy/ranking.hpp"

#include <algorithm>
#include <type_traits>

namespace vcache::l1::policy {

static_assert(Restores<Lru> && Restores<Lfu> && Restores<S3Fifo> && Restores<Sieve> &&
              Restores<Arc> && Restores<WTinyLfu> && Restores<Gdsf>);

std::optional<AnyPolicy> copy_of(const AnyPolicy& policy) {
  return std::visit(
      []<class P>(const P& p) -> std::optional<AnyPolicy> {
        if constexpr (std::is_copy_constructible_v<P>) {
          return AnyPolicy(p);
        } else {
          return std::nullopt;
        }
      },
      policy);
}

// By having a copy evict them all.
std::vector<Ranked> ranking(const AnyPolicy& copy) {
  std::vector<Ranked> ranked;
  std::visit(
      [&]<class P>(const P& known) {
        if constexpr (Restores<P>) {
          P leaving = known;
          ranked.reserve(known.size());
          while (leaving.size() > 0) {
            const EntryId id = leaving.evict();
            ranked.push_back({.id = id, .standing = known.standing(id)});
          }
        }
      },
      copy);
  std::ranges::reverse(ranked);
  return ranked;
}

void on_restore(AnyPolicy& policy, EntryId id, const Candidate& candidate,
                const Standing& standing) {
  std::visit(
      [&]<class P>(P& p) {
        if constexpr (Restores<P>) {
          p.on_restore(id, candidate, standing);
        } else {
          p.on_insert(id, candidate);
          if (standing.uses > 1) p.on_hit(id);  // so that its hand passes by
        }
      },
      policy);
}

}  // namespace vcache::l1::policy
