#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "base/result.hpp"
#include "l2/client/deadline.hpp"
#include "l2/l2.hpp"
#include "l2/session.hpp"

// Which entries there are, without their values.
namespace vcache::l2 {

// As L2::fetch().
using Fetching = std::function<base::Error(std::span<const std::string_view>, FetchSink&)>;

// As L2::look(). Entries with tags are judged by fetching them. Throws std::bad_alloc.
[[nodiscard]] base::Error look(Session& session, std::span<const std::string_view> keys,
                               std::span<Outcome> outcomes, const Fetching& fetch,
                               client::Deadline deadline);

// As L2::list(). Throws std::bad_alloc.
[[nodiscard]] base::Error list(Session& session, std::string_view pattern, const Fetching& fetch,
                               L2::Page& page);

}  // namespace vcache::l2
