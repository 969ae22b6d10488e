#pragma once

#include <cstdint>

#include "l2/command/batch.hpp"

namespace vcache::l2::command {

// Reads the generation of the namespace.
class ReadGeneration final : public Batch {
 public:
  using Batch::Batch;

  void append(client::Request& request) override { append_generation(request); }
  [[nodiscard]] bool repeatable() const noexcept override { return true; }
  void on_part(const client::ReplyPart& part) noexcept override;

  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }

 private:
  std::uint64_t generation_ = 0;
};

// Sets the generation of the namespace.
class WriteGeneration final : public Batch {
 public:
  WriteGeneration(const Context& context, std::uint64_t generation) noexcept
      : Batch(context), generation_(generation) {}

  void append(client::Request& request) override;
  // Setting it twice ends no other entries than setting it once.
  [[nodiscard]] bool repeatable() const noexcept override { return true; }
  void on_part(const client::ReplyPart& part) noexcept override;

 private:
  const std::uint64_t generation_;
};

}  // namespace vcache::l2::command
