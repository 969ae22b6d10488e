#include "l2/invalidation.hpp"

#include <algorithm>
#include <exception>
#include <vector>

#include "base/tags.hpp"
#include "l2/command/generation.hpp"
#include "l2/command/stamps.hpp"

namespace vcache::l2 {

namespace {

base::Error not_told() {
  return {base::ErrorCode::kServer, "the stamps of tags are not to be had"};
}

// Runs a batch whose last reply is a reading of stamps, and passes on what that says.
base::Error run_reading(Session& session, command::ReadStamps& batch, client::Deadline deadline) {
  base::Error error = session.run_own(batch, deadline);
  if (error.ok() && !batch.known()) error = not_told();
  if (error.ok()) session.listener().on_stamps(batch.stamps());
  return error;
}

// Distinct and sorted.
std::vector<std::string_view> tags_of(std::span<command::Fetch* const> fetches) {
  std::vector<std::string_view> tags;
  for (const command::Fetch* const fetch : fetches) {
    for (const command::Fetch::Held& held : fetch->held()) {
      for (base::ByteView rest = held.stored.value.tags; !rest.empty();) {
        tags.push_back(base::take_tag(rest));
      }
    }
  }
  std::ranges::sort(tags);
  // clang 14 cannot compile the ranges form with this library.
  tags.erase(std::unique(tags.begin(), tags.end()), tags.end());  // NOLINT(modernize-use-ranges)
  return tags;
}

}  // namespace

base::Error step_generation(Session& session, client::Deadline deadline) noexcept {
  const command::Context& context = session.node().context();
  command::ReadGeneration last(context);
  base::Error error = session.run_own(last, deadline);
  if (!error.ok()) return error;
  command::WriteGeneration next(context, session.facts().generation_after(last.generation()));
  return session.run_own(next, deadline);
}

base::Error take_stamp(Session& session, std::span<const std::string_view> tags, base::Millis ttl,
                       client::Deadline deadline, std::uint64_t& stamp) {
  command::TakeStamp batch(session.node().context(), tags, ttl);
  base::Error error = run_reading(session, batch, deadline);
  stamp = error.ok() ? batch.stamp() : session.facts().stamp();
  return error;
}

base::Error step_stamp(Session& session, std::span<const std::string_view> tags,
                       client::Deadline deadline) {
  const command::Context& context = session.node().context();
  command::ReadStamps last(context, {});
  base::Error error = run_reading(session, last, deadline);
  if (!error.ok()) return error;
  command::StepStamp next(context, tags, last.stamp());
  error = run_reading(session, next, deadline);
  const auto unchanged = [&](const base::TagStamp& each) { return each.stamp <= last.stamp(); };
  if (error.ok() && std::ranges::any_of(next.stamps(), unchanged)) error = not_told();
  return error;
}

base::Error release_held(Session& session, std::span<command::Fetch* const> fetches,
                         client::Deadline deadline) noexcept {
  base::Error error;
  try {
    const std::vector<std::string_view> tags = tags_of(fetches);
    if (tags.empty()) return error;
    command::ReadStamps batch(session.node().context(), tags);
    error = run_reading(session, batch, deadline);
    if (error.ok()) {
      for (command::Fetch* const fetch : fetches) fetch->release(batch.stamps());
    }
  } catch (const std::exception&) {
    error = {base::ErrorCode::kServer};
  }
  if (error.ok()) return error;
  for (command::Fetch* const fetch : fetches) fetch->release_none(outcome_of(error.code));
  return error;
}

}  // namespace vcache::l2
