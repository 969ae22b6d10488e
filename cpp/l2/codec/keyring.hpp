#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "base/value.hpp"

namespace vcache::l2::codec {

struct CipherDeleter {
  void operator()(EVP_CIPHER* cipher) const noexcept { EVP_CIPHER_free(cipher); }
};
using CipherPtr = std::unique_ptr<EVP_CIPHER, CipherDeleter>;

inline constexpr std::size_t kKeyBytes = 32;
inline constexpr std::size_t kMostKeys = 16;

using KeyId = std::array<std::byte, 4>;

struct Key {
  KeyId id{};  // the first bytes of SHA-256 of "vcache key id" and the key
  std::array<std::byte, kKeyBytes> bytes{};
};

// The keys of a cache: the first encrypts, all of them decrypt. Immutable, thread-safe; the keys
// are overwritten when it is destroyed.
class Keyring {
 public:
  // kInvalid, never showing a key, unless there are 1 to kMostKeys of kKeyBytes bytes each.
  [[nodiscard]] static base::Result<std::shared_ptr<const Keyring>> make(
      std::span<const base::ByteView> keys);
  ~Keyring();
  Keyring(const Keyring&) = delete;
  Keyring& operator=(const Keyring&) = delete;

  [[nodiscard]] const std::vector<Key>& keys() const noexcept { return keys_; }
  // OpenSSL's own AES, fetched once: looking it up anew would take longer than encrypting a vector.
  [[nodiscard]] const EVP_CIPHER* gcm() const noexcept { return gcm_.get(); }
  [[nodiscard]] const EVP_CIPHER* ecb() const noexcept { return ecb_.get(); }

 private:
  Keyring(CipherPtr gcm, CipherPtr ecb) noexcept : gcm_(std::move(gcm)), ecb_(std::move(ecb)) {}

  const CipherPtr gcm_;
  const CipherPtr ecb_;
  std::vector<Key> keys_;
};

}  // namespace vcache::l2::codec
