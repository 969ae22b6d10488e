#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/tags.hpp"
#include "l2/l2.hpp"
#include "support/collect_sink.hpp"
#include "support/span_writes.hpp"

// One-key forms of the calls of an L2, for tests.
namespace vcache::testing {

[[nodiscard]] inline base::ValueView object_view(std::string_view payload) {
  return {.kind = base::ValueKind::kObject, .payload = std::as_bytes(std::span(payload))};
}

[[nodiscard]] inline base::ValueView vector_view(std::span<const float> elements) {
  base::ValueView view{.kind = base::ValueKind::kVector, .dtype = base::DType::kFloat32};
  view.shape.ndim = 1;
  view.shape.dims[0] = static_cast<std::uint32_t>(elements.size());
  view.payload = std::as_bytes(elements);
  return view;
}

inline l2::Outcome store(l2::L2& tier, std::string_view key, const base::ValueView& value,
                         base::Millis ttl = base::Millis(60'000)) {
  const l2::Write write{.key = key, .value = value, .ttl = ttl};
  l2::Outcome outcome = l2::Outcome::kSkipped;
  SpanWrites writes({&write, 1});
  (void)tier.store(writes, {&outcome, 1});
  return outcome;
}

inline l2::Outcome store(l2::L2& tier, std::string_view key, std::string_view payload,
                         base::Millis ttl = base::Millis(60'000)) {
  return store(tier, key, object_view(payload), ttl);
}

using Tags = std::vector<std::string_view>;

// The stamp of values with these tags that are made from now on.
inline std::uint64_t take_stamp(l2::L2& tier, const Tags& tags,
                                base::Millis ttl = std::chrono::hours(1)) {
  std::uint64_t stamp = 0;
  (void)tier.take_stamp(tags, ttl, stamp);
  return stamp;
}

// The key as its value, with these tags.
inline l2::Outcome store_tagged(l2::L2& tier, std::string_view key, const Tags& tags,
                                std::uint64_t stamp) {
  const std::string encoded = base::encode_tags(tags);
  base::ValueView value = object_view(key);
  value.tags = std::as_bytes(std::span(encoded));
  const l2::Write write{
      .key = key, .value = value, .ttl = std::chrono::hours(1), .made = {.shared = stamp}};
  l2::Outcome outcome = l2::Outcome::kSkipped;
  SpanWrites writes({&write, 1});
  (void)tier.store(writes, {&outcome, 1});
  return outcome;
}

inline l2::Outcome store_tagged(l2::L2& tier, std::string_view key, const Tags& tags) {
  return store_tagged(tier, key, tags, take_stamp(tier, tags));
}

inline CollectSink::Answer fetch(l2::L2& tier, std::string_view key) {
  CollectSink sink(1);
  (void)tier.fetch({&key, 1}, sink);
  CollectSink::Answer answer = sink.answers[0];
  return answer;
}

inline l2::Outcome erase(l2::L2& tier, std::string_view key) {
  l2::Outcome outcome = l2::Outcome::kSkipped;
  (void)tier.erase({&key, 1}, {&outcome, 1});
  return outcome;
}

inline l2::Outcome touch(l2::L2& tier, std::string_view key, base::Millis ttl) {
  l2::Outcome outcome = l2::Outcome::kSkipped;
  (void)tier.touch(key, ttl, outcome);
  return outcome;
}

[[nodiscard]] inline std::vector<std::string_view> views(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

}  // namespace vcache::testing
