#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "l2/command/batch.hpp"
#include "l2/command/optimistic_batch.hpp"
#include "l2/leases.hpp"

namespace vcache::l2::command {

// Takes the leases of keys, and looks behind each whether a value was stored meanwhile. Not sent
// twice: what the first sending took would seem to be another's.
class TakeLeases final : public Batch {
 public:
  // All grants are kUnknown until answered. Requires: grants.size() == keys.size().
  TakeLeases(const Context& context, std::span<const std::string_view> keys,
             const LeaseTerms& terms, std::span<Grant> grants) noexcept;

  void append(client::Request& request) override;
  // Each process that gets none computes.
  [[nodiscard]] bool is_worth_waiting() const noexcept override { return true; }
  void on_part(const client::ReplyPart& part) noexcept override;

 private:
  void on_taken(const client::ReplyPart& part, Grant& grant) noexcept;
  void on_header(const client::ReplyPart& part, std::size_t index) noexcept;

  const std::span<const std::string_view> keys_;
  const LeaseTerms terms_;
  const std::span<Grant> grants_;
  std::uint64_t generation_ = 0;
};

// Whether each of several leases is held.
class AskLeases final : public Batch {
 public:
  AskLeases(const Context& context, std::span<const std::string_view> keys) noexcept
      : Batch(context), keys_(keys) {}

  void append(client::Request& request) override;
  [[nodiscard]] bool repeatable() const noexcept override { return true; }
  void on_part(const client::ReplyPart& part) noexcept override;

  [[nodiscard]] bool all_held() const noexcept { return held_ == keys_.size(); }

 private:
  const std::span<const std::string_view> keys_;
  std::size_t held_ = 0;
};

// Gives up the leases that bear our token.
class GiveUpLeases final : public OptimisticBatch {
 public:
  // Requires: one server slot holds all of them; keys is not empty.
  GiveUpLeases(const Context& context, std::span<const std::string_view> keys,
               std::string_view token) noexcept
      : OptimisticBatch(context), keys_(keys), token_(token) {}

 private:
  void begin() override { ours_.clear(); }
  void append_watch(client::Request& request) const override { append_all(request, "WATCH"); }
  void append_read(client::Request& request) override { append_all(request, "MGET"); }
  void append_write(client::Request& request) const override;
  void on_read(const client::ReplyPart& part) noexcept override;
  void append_all(client::Request& request, std::string_view command) const;

  const std::span<const std::string_view> keys_;
  const std::string_view token_;
  std::vector<std::string_view> ours_;
};

}  // namespace vcache::l2::command
