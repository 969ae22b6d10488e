#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "l2/command/batch.hpp"
#include "l2/command/optimistic_batch.hpp"

namespace vcache::l2::command {

// Reads the first `most` bytes of a blob.
class ReadBlob final : public Batch {
 public:
  ReadBlob(const Context& context, std::string_view name, std::size_t most,
           std::string& bytes) noexcept
      : Batch(context), name_(name), most_(most), bytes_(bytes) {}

  void append(client::Request& request) override;
  [[nodiscard]] bool repeatable() const noexcept override { return true; }
  void on_part(const client::ReplyPart& part) noexcept override;

 private:
  const std::string_view name_;
  const std::size_t most_;
  std::string& bytes_;
};

class WriteBlob final : public Batch {
 public:
  WriteBlob(const Context& context, std::string_view name, std::string_view bytes,
            base::Millis lifetime) noexcept
      : Batch(context), name_(name), bytes_(bytes), lifetime_(lifetime) {}

  void append(client::Request& request) override;
  [[nodiscard]] bool repeatable() const noexcept override { return true; }
  void on_part(const client::ReplyPart& part) noexcept override;

 private:
  const std::string_view name_;
  const std::string_view bytes_;
  const base::Millis lifetime_;
};

class EraseBlob final : public Batch {
 public:
  EraseBlob(const Context& context, std::string_view name) noexcept : Batch(context), name_(name) {}

  void append(client::Request& request) override;
  [[nodiscard]] bool repeatable() const noexcept override { return true; }
  void on_part(const client::ReplyPart& part) noexcept override;

 private:
  const std::string_view name_;
};

// Writes a blob that is what was expected.
class ReplaceBlob final : public OptimisticBatch {
 public:
  ReplaceBlob(const Context& context, std::string_view name, std::string_view expected,
              std::string_view bytes, base::Millis lifetime, bool& replaced) noexcept
      : OptimisticBatch(context),
        name_(name),
        expected_(expected),
        bytes_(bytes),
        lifetime_(lifetime),
        replaced_(replaced) {}

 private:
  void begin() override { replaced_ = matches_ = false; }
  void append_watch(client::Request& request) const override;
  void append_read(client::Request& request) override;
  void append_write(client::Request& request) const override;
  void on_read(const client::ReplyPart& part) noexcept override;
  void on_written(const client::ReplyPart& part) noexcept override;

  const std::string_view name_;
  const std::string_view expected_;
  const std::string_view bytes_;
  const base::Millis lifetime_;
  bool& replaced_;
  bool matches_ = false;
};

}  // namespace vcache::l2::command
