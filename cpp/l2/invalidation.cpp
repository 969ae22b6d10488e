#include "l2/invalidation.hpp"

#include <algorithm>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/tags.hpp"
#include "l2/command/generation.hpp"
#include "l2/command/scan.hpp"
#include "l2/command/stamps.hpp"
#include "l2/command/time.hpp"

namespace vcache::l2 {

namespace {

// As many as step at once, mostly.
constexpr int kTriesToStep = 8;

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

// Stamps are times of the server that keeps them.
void tell_time(Session& session, client::Deadline deadline) noexcept {
  if (!session.facts().time_is_stale()) return;
  command::ReadTime time(session.node().context());
  (void)session.run_own(time, deadline);
}

// Distinct and sorted. Copies: a fetch that hands over what it holds lets go of it.
std::vector<std::string> tags_of(std::span<command::Fetch* const> fetches) {
  std::vector<std::string> tags;
  for (const command::Fetch* const fetch : fetches) {
    for (const command::Fetch::Held& held : fetch->held()) {
      for (base::ByteView rest = held.stored.value.tags; !rest.empty();) {
        tags.emplace_back(base::take_tag(rest));
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
  tell_time(session, deadline);
  command::TakeStamp batch(session.node().context(), tags, ttl);
  base::Error error = run_reading(session, batch, deadline);
  stamp = error.ok() ? batch.stamp() : session.facts().stamp();
  return error;
}

base::Error step_stamp(Session& session, std::span<const std::string_view> tags,
                       client::Deadline deadline) {
  tell_time(session, deadline);
  const command::Context& context = session.node().context();
  for (int i = 0; i < kTriesToStep; ++i) {
    command::StepStamp step(context, tags);
    base::Error error = session.run_own(step, deadline);
    if (step.known()) session.listener().on_stamps(step.stamps());
    if (step.known()) return {};
    if (step.forbidden()) break;
    if (!error.ok()) return error;
  }
  command::AddToStamp step(context, tags);
  base::Error error = run_reading(session, step, deadline);
  if (step.forbidden()) error = step_generation(session, deadline);
  return error;
}

namespace {

// What the stamps of many tags are, in the order of the tags, and of the namespace by the first
// reading.
struct Stamps {
  std::vector<base::TagStamp> of_tags = {};
  std::uint64_t now = 0;
};

base::Error read_stamps(Session& session, std::span<const std::string_view> tags,
                        client::Deadline deadline, Stamps& out) {
  while (!tags.empty()) {
    const auto chunk = tags.first(std::min(tags.size(), kTagsAtOnce));
    command::ReadStamps batch(session.node().context(), chunk);
    if (base::Error error = run_reading(session, batch, deadline); !error.ok()) return error;
    if (out.now == 0) out.now = std::max<std::uint64_t>(batch.stamp(), 1);
    out.of_tags.insert(out.of_tags.end(), batch.stamps().begin(), batch.stamps().end());
    tags = tags.subspan(chunk.size());
  }
  return {};
}

}  // namespace

base::Error release_held(Session& session, std::span<command::Fetch* const> fetches,
                         client::Deadline deadline) noexcept {
  base::Error error;
  try {
    const std::vector<std::string> names = tags_of(fetches);
    if (names.empty()) return error;
    const std::vector<std::string_view> tags(names.begin(), names.end());
    Stamps stamps;
    error = read_stamps(session, tags, deadline, stamps);
    if (error.ok()) {
      for (command::Fetch* const fetch : fetches) fetch->release(stamps.of_tags, stamps.now);
    }
  } catch (const std::exception&) {
    error = {base::ErrorCode::kServer};
  }
  if (error.ok()) return error;
  for (command::Fetch* const fetch : fetches) fetch->release_none(outcome_of(error.code));
  return error;
}

namespace {

// Those of the keys that were there go from `found` to `erased`. What a server said of keys that
// are gone is no error.
base::Error erase_found(const Erasure& erase, std::vector<std::string>& found,
                        std::vector<std::string>& erased) {
  const std::vector<std::string_view> keys(found.begin(), found.end());
  std::vector<Outcome> outcomes(keys.size(), Outcome::kSkipped);
  base::Error error = erase(keys, outcomes);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (outcomes[i] == Outcome::kHit) erased.push_back(std::move(found[i]));
  }
  if (std::ranges::none_of(outcomes, is_unanswered)) return {};
  if (error.code == base::ErrorCode::kAuth) error.code = base::ErrorCode::kForbidden;
  return error;
}

base::Error erase_on(const Session& session, Node& node, std::string_view pattern,
                     const Erasure& erase, std::vector<std::string>& erased,
                     const L2::Progress& progress) {
  std::string cursor = "0";
  do {
    if (progress.is_over && progress.is_over()) return {base::ErrorCode::kTimeout};
    command::Scan step(node.context(), pattern, std::move(cursor));
    base::Error error = node.run(step, session.deadline());
    if (step.forbidden()) error.code = base::ErrorCode::kForbidden;
    if (!error.ok()) return error;
    if (error = erase_found(erase, step.keys(), erased); !error.ok()) return error;
    cursor = std::move(step.next());
  } while (cursor != "0" && !cursor.empty());
  return cursor.empty() ? base::Error{base::ErrorCode::kProtocol} : base::Error{};
}

}  // namespace

base::Error erase_matching(Session& session, std::string_view pattern, const Erasure& erase,
                           std::vector<std::string>& erased, L2::Progress& progress) {
  if (!session.several()) {
    return erase_on(session, session.node(), pattern, erase, erased, progress);
  }
  base::Error first;
  for (Node& node : session.topology().servers()) {
    const std::string name = node.options().name();
    if (std::ranges::find(progress.servers, name) != progress.servers.end()) continue;
    base::Error of_node = erase_on(session, node, pattern, erase, erased, progress);
    if (of_node.ok()) progress.servers.push_back(name);
    if (first.ok()) first = std::move(of_node);
  }
  return first;
}

}  // namespace vcache::l2
