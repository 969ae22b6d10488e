#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>

#include "base/clock.hpp"
#include "l2/client/reply_reader.hpp"
#include "l2/command/fetch.hpp"
#include "l2/tracking/invalidations.hpp"

// A server may answer anything, cut anywhere, and say anything unasked. The reader stays within its
// limits, a fetch answers each key exactly once, and of a push only names below the prefixes count.
namespace {

using namespace vcache;
using namespace vcache::l2;

constexpr client::ReplyLimits kLimits{.string_bytes = 4096, .elements = 1024, .depth = 8};
constexpr std::array<std::string_view, 3> kKeys = {"a", "b", "c"};

void require(bool holds) {
  if (!holds) std::abort();
}

class CountingSink final : public FetchSink {
 public:
  void on_value(std::size_t index, const StoredValue& stored) noexcept override {
    require(stored.value.payload.size() <= kLimits.string_bytes);
    ++answers_.at(index);
  }
  void on_absent(std::size_t index, Outcome /*outcome*/) noexcept override { ++answers_.at(index); }
  [[nodiscard]] bool complete() const {
    return std::ranges::all_of(answers_, [](int n) { return n == 1; });
  }

 private:
  std::array<int, kKeys.size()> answers_{};
};

class CheckedChanges final : public tracking::Invalidations::Sink {
 public:
  void on_changes(const tracking::Changes& changes) noexcept override {
    for (const auto* names : {&changes.keys, &changes.tags, &changes.leases}) {
      for (const std::string_view name : *names) require(name.size() <= kLimits.string_bytes);
    }
    require(changes.keys.size() <= static_cast<std::size_t>(kLimits.elements));
  }
};

// The size of each piece comes from the input as well.
void feed(client::ReplyReader& reader, command::Fetch& fetch, std::span<const std::uint8_t> input) {
  const std::size_t step = input.empty() ? 1 : 1 + input[0];
  while (!input.empty()) {
    const auto piece = input.first(std::min(step, input.size()));
    input = input.subspan(piece.size());
    const std::span<char> room = reader.room();
    if (room.size() < piece.size()) return;
    std::memcpy(room.data(), piece.data(), piece.size());
    reader.commit(piece.size());
    if (!reader.parse(fetch, 2).ok()) {
      if (reader.oversized()) (void)fetch.skip_oversized();
      return;
    }
    require(reader.replies() <= 2);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ServerFacts facts(base::system_clock());
  ErrorCounters errors;
  const command::Context context("ns", 4096, facts, errors);
  CountingSink sink;
  codec::Unpacker unpacker = command::unpacker_of(context);
  command::Fetch fetch(context, kKeys, sink, unpacker);
  client::Request request;
  fetch.append(request);
  CheckedChanges changes;
  tracking::Invalidations invalidations(context, changes);
  client::ReplyReader reader(kLimits);
  reader.send_pushes_to(invalidations);
  feed(reader, fetch, {data, size});
  fetch.finish(Outcome::kFailed);
  require(sink.complete());
  return 0;
}
