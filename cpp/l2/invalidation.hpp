#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "l2/client/deadline.hpp"
#include "l2/command/fetch.hpp"
#include "l2/l2.hpp"
#include "l2/session.hpp"

// Generations and stamps end entries without looking for them, and lie with the namespace's own
// keys, on one server. Patterns are looked for on each.
namespace vcache::l2 {

// Tags that one command is about, at most.
inline constexpr std::size_t kTagsAtOnce = 512;

// Ends every entry stored before.
[[nodiscard]] base::Error step_generation(Session& session, client::Deadline deadline) noexcept;

// As L2::take_stamp() and L2::invalidate_tags(). A server that will not do the latter is told to
// end every entry. Throw std::bad_alloc.
[[nodiscard]] base::Error take_stamp(Session& session, std::span<const std::string_view> tags,
                                     base::Millis ttl, client::Deadline deadline,
                                     std::uint64_t& stamp);
[[nodiscard]] base::Error step_stamp(Session& session, std::span<const std::string_view> tags,
                                     client::Deadline deadline);

// As L2::erase(), and as L2::erase_matching() by it. Throws std::bad_alloc.
using Erasure = std::function<base::Error(std::span<const std::string_view>, std::span<Outcome>)>;
[[nodiscard]] base::Error erase_matching(Session& session, std::string_view pattern,
                                         const Erasure& erase, std::vector<std::string>& erased,
                                         L2::Progress& progress);

// Has these fetches hand over what they hold back, as the stamps of its tags say.
[[nodiscard]] base::Error release_held(Session& session, std::span<command::Fetch* const> fetches,
                                       client::Deadline deadline) noexcept;

}  // namespace vcache::l2
