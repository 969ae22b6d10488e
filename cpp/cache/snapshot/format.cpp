#include "cache/snapshot/format.hpp"

#include "base/hash.hpp"

namespace vcache::cache::snapshot {

namespace {

std::string_view text_behind(const void* data, std::size_t size, std::size_t skipped) noexcept {
  return std::string_view(static_cast<const char*>(data), size).substr(skipped);
}

}  // namespace

std::uint64_t checksum_of(const FileHead& head) noexcept {
  return base::hash64(text_behind(&head, sizeof head, offsetof(FileHead, nonce)), kVersion);
}

std::uint64_t checksum_of(base::ByteView bytes, std::uint64_t nonce, std::uint64_t place) noexcept {
  return base::hash64(text_behind(bytes.data(), bytes.size(), sizeof(std::uint64_t)),
                      nonce + place);
}

}  // namespace vcache::cache::snapshot
