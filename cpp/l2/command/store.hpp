#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "l2/codec/packer.hpp"
#include "l2/command/batch.hpp"

namespace vcache::l2::command {

// Writes values, each with its TTL in the same command, and reads the generation behind them where
// it lies with them. The payloads are sent from where they lie, unless they are stored in another
// form.
class Store final : public Batch {
 public:
  // Who else packs with `packer`. Of a shared one the memory stays until its owner clears it.
  enum class Sharing : std::uint8_t { kAlone, kShared };

  Store(const Context& context, WriteSource& writes, std::span<Outcome> outcomes,
        codec::Packer& packer, Sharing sharing = Sharing::kAlone) noexcept;

  void append(client::Request& request) override;
  [[nodiscard]] bool append_more(client::Request& request) override;
  void on_part(const client::ReplyPart& part) noexcept override;

  // True when what was written bears another generation than the server's, and would never be
  // served. Sending the batch again writes it with the right one.
  [[nodiscard]] bool outdated() const noexcept { return complete_ && stored_ && seen_ != stamp_; }
  // The same where the generation lies elsewhere, and is `generation` now.
  [[nodiscard]] bool outdated_by(std::uint64_t generation) const noexcept {
    return stored_ && stamp_ != generation;
  }
  // Why the server refused a write, if it did.
  [[nodiscard]] std::optional<ErrorKind> refusal() const noexcept { return refusal_; }
  // The outcome of all writes that have no answer.
  void finish(Outcome outcome) noexcept;

 private:
  [[nodiscard]] bool storable(const Write& write) const noexcept;
  void append_write(client::Request& request, const Write& write, base::Millis now);
  void on_write(Outcome& outcome, const client::ReplyPart& part) noexcept;

  WriteSource& writes_;
  const std::span<Outcome> outcomes_;
  codec::Packer& packer_;
  const Sharing sharing_;
  std::uint64_t stamp_ = 0;            // of the batch as sent
  std::optional<std::uint64_t> seen_;  // the server's generation, behind the writes
  std::size_t appended_ = 0;           // writes that are in the batch
  bool closed_ = false;                // so is the read behind them
  std::size_t before_ = 0;             // replies before those of the writes
  std::size_t current_ = 0;            // the write whose reply comes next
  std::size_t answered_ = 0;           // writes that have their outcome
  bool stored_ = false;                // at least one
  bool complete_ = false;              // all replies came
  std::optional<ErrorKind> refusal_;
};

}  // namespace vcache::l2::command
