#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/value.hpp"
#include "l2/codec/format.hpp"
#include "l2/codec/keyring.hpp"

namespace vcache::l2::codec {

struct CipherContextDeleter {
  void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
};
using CipherContextPtr = std::unique_ptr<EVP_CIPHER_CTX, CipherContextDeleter>;

// Encrypts and decrypts what lies behind the header of a value, by XAES-256-GCM: AES-256-GCM under
// a key made of the cache's key and the first half of a random nonce, so that any number of values
// may share the cache's key. The header but for its checksum is associated data. Used by one
// thread; forgets all keys when it is destroyed.
class Sealer {
 public:
  // `keys` outlives it.
  explicit Sealer(const Keyring& keys) noexcept : keys_(keys) {}

  // Encrypts `body` in place, under the first key and a new nonce. `preamble` is filled with what
  // open() needs, and `tag`. False when OpenSSL has no random numbers or no memory: `body` is lost.
  // Requires: header.size() == kHeaderSize, preamble.size() == kPreambleSize, tag.size() ==
  // kTagSize.
  [[nodiscard]] bool seal(base::ByteView header, std::span<std::byte> preamble,
                          std::span<std::byte> body, std::span<std::byte> tag) noexcept;

  // Decrypts the body of the stored value `whole` into `body`, which may be where it lies. False
  // when no key of ours sealed exactly this: `body` is then to be forgotten.
  // Requires: whole.size() == body.size() + kHeaderSize + kSealSize.
  [[nodiscard]] bool open(base::ByteView whole, std::span<std::byte> body) noexcept;

 private:
  enum class Direction : std::uint8_t { kOpen = 0, kSeal = 1 };

  [[nodiscard]] bool fill_nonce(std::span<std::byte> nonce) noexcept;
  [[nodiscard]] bool use(const Key& key) noexcept;
  [[nodiscard]] bool begin(const Key& key, base::ByteView nonce, base::ByteView header,
                           Direction direction) noexcept;
  [[nodiscard]] bool open_with(const Key& key, base::ByteView whole,
                               std::span<std::byte> body) noexcept;

  const Keyring& keys_;
  CipherContextPtr blocks_;  // AES itself, under `key_`
  CipherContextPtr stream_;  // AES-GCM, under the key of one value
  const Key* key_ = nullptr;
  std::array<std::byte, 32 * kNonceSize>
      random_{};            // drawn at once: a draw costs more than its bytes
  std::size_t unused_ = 0;  // of these, at the end
};

}  // namespace vcache::l2::codec
