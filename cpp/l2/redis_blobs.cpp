#include "l2/redis_blobs.hpp"

#include <utility>

#include "l2/command/blob.hpp"
#include "l2/session.hpp"

namespace vcache::l2 {

template <class Command, class... Arguments>
base::Error RedisBlobs::run(Arguments&&... arguments) noexcept {
  base::Error error;
  Session* const mine = session_.begin(error);
  if (mine == nullptr) return error;
  const client::Deadline deadline = mine->deadline();
  if (base::Error unknown = mine->ready(deadline); !unknown.ok()) return unknown;
  Command batch(mine->node().context(), std::forward<Arguments>(arguments)...);
  return mine->run_own(batch, deadline);
}

base::Error RedisBlobs::read(std::string_view name, std::size_t most, std::string& bytes) noexcept {
  bytes.clear();
  return run<command::ReadBlob>(name, most, bytes);
}

base::Error RedisBlobs::write(std::string_view name, std::string_view bytes,
                              base::Millis lifetime) noexcept {
  return run<command::WriteBlob>(name, bytes, lifetime);
}

base::Error RedisBlobs::replace(std::string_view name, std::string_view expected,
                                std::string_view bytes, base::Millis lifetime,
                                bool& replaced) noexcept {
  replaced = false;
  return run<command::ReplaceBlob>(name, expected, bytes, lifetime, replaced);
}

base::Error RedisBlobs::erase(std::string_view name) noexcept {
  return run<command::EraseBlob>(name);
}

}  // namespace vcache::l2
