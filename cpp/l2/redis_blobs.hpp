#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "l2/blobs.hpp"
#include "l2/command/batch.hpp"
#include "l2/session_slot.hpp"

namespace vcache::l2 {

// Blobs in Redis, which lie with the namespace's own keys.
class RedisBlobs final : public Blobs {
 public:
  // `session` outlives it.
  explicit RedisBlobs(SessionSlot& session) noexcept : session_(session) {}

  [[nodiscard]] base::Error read(std::string_view name, std::size_t most,
                                 std::string& bytes) noexcept override;
  [[nodiscard]] base::Error write(std::string_view name, std::string_view bytes,
                                  base::Millis lifetime) noexcept override;
  [[nodiscard]] base::Error replace(std::string_view name, std::string_view expected,
                                    std::string_view bytes, base::Millis lifetime,
                                    bool& replaced) noexcept override;
  [[nodiscard]] base::Error erase(std::string_view name) noexcept override;

 private:
  template <class Command, class... Arguments>
  [[nodiscard]] base::Error run(Arguments&&... arguments) noexcept;

  SessionSlot& session_;
};

}  // namespace vcache::l2
