#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "l2/command/batch.hpp"

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

// Writes a blob that is what was expected: WATCH guards from the reading to the writing, in two
// exchanges on one connection.
class ReplaceBlob final : public Batch {
 public:
  ReplaceBlob(const Context& context, std::string_view name, std::string_view expected,
              std::string_view bytes, base::Millis lifetime, bool& replaced) noexcept
      : Batch(context),
        name_(name),
        expected_(expected),
        bytes_(bytes),
        lifetime_(lifetime),
        replaced_(replaced) {}

  void append(client::Request& request) override;
  [[nodiscard]] bool append_next(client::Request& request) override;
  void on_part(const client::ReplyPart& part) noexcept override;

 private:
  void on_read(const client::ReplyPart& part) noexcept;
  void on_written(const client::ReplyPart& part) noexcept;

  const std::string_view name_;
  const std::string_view expected_;
  const std::string_view bytes_;
  const base::Millis lifetime_;
  bool& replaced_;
  bool reading_ = true;
  bool watched_ = false;
  bool matches_ = false;
  bool in_transaction_ = false;
};

}  // namespace vcache::l2::command
