#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/tags.hpp"
#include "l2/codec/unpacker.hpp"
#include "l2/command/batch.hpp"

namespace vcache::l2::command {

// For what is stored in that way.
[[nodiscard]] inline codec::Unpacker unpacker_of(const Context& context) noexcept {
  return {context.packing, {.max_value = context.max_value}};
}

// Reads values and hands them over while they arrive. Each MGET also reads the generation where
// that lies with the keys, so that every value is judged by the generation of the same moment; else
// it is judged by the one that is known then. Values with tags are held back until the stamps of
// these are known.
class Fetch final : public Batch {
 public:
  // `unpacker` may be shared with others of the same thread.
  Fetch(const Context& context, std::span<const std::string_view> keys, FetchSink& sink,
        codec::Unpacker& unpacker) noexcept
      : Batch(context),
        keys_(keys),
        sink_(sink),
        unpacker_(unpacker),
        recorded_(context.facts.own_writes().recording()) {}

  void append(client::Request& request) override;
  [[nodiscard]] bool append_more(client::Request& request) override;
  [[nodiscard]] bool repeatable() const noexcept override { return true; }
  [[nodiscard]] bool skip_oversized() noexcept override;
  void on_part(const client::ReplyPart& part) noexcept override;

  // Answers for all keys that have no answer yet, but for those held back.
  void finish(Outcome outcome) noexcept;

  // A value that came with tags.
  struct Held {
    std::size_t index = 0;
    StoredValue stored{};  // views of `bytes`
    std::vector<std::byte> bytes{};
  };
  [[nodiscard]] std::span<const Held> held() const noexcept { return held_; }
  // Hands over those held back that are current by these stamps, which are sorted by tag. `now`:
  // the namespace's stamp, read together with them.
  void release(std::span<const base::TagStamp> stamps, std::uint64_t now) noexcept;
  // Answers for those held back when the stamps are not to be had.
  void release_none(Outcome outcome) noexcept;

  // The keys whose values were refused and should be removed.
  [[nodiscard]] const std::vector<std::string_view>& spoiled() const noexcept { return spoiled_; }
  // What the last value was judged by.
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }

 private:
  // Elements before the values of a reply.
  [[nodiscard]] std::size_t lead() const noexcept { return context_.generation_apart ? 0 : 1; }
  [[nodiscard]] std::size_t chunk_size(std::size_t reply) const noexcept;
  void on_reply(const client::ReplyPart& part) noexcept;
  void on_value(const client::ReplyPart& part) noexcept;
  void on_decoded(const codec::DecodeResult& result) noexcept;
  void hold(const StoredValue& stored);
  void absent(Outcome outcome) noexcept { sink_.on_absent(next_++, outcome); }
  void refuse(codec::Refusal refusal) noexcept;
  void spoil() noexcept;

  const std::span<const std::string_view> keys_;
  FetchSink& sink_;
  codec::Unpacker& unpacker_;
  const bool recorded_;  // values may change untold while they are on their way
  std::vector<std::string_view> spoiled_;
  std::vector<Held> held_;
  std::size_t first_ = 0;         // the key that the batch as sent begins with
  std::size_t asked_ = 0;         // keys before it are in the batch
  std::size_t next_ = 0;          // keys before it are answered
  std::uint64_t generation_ = 0;  // as the reply being read began with
  base::Millis now_{0};           // then, by the server's clock
};

}  // namespace vcache::l2::command
