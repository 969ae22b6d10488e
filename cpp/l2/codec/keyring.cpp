#include "l2/codec/keyring.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace vcache::l2::codec {

namespace {

constexpr std::string_view kIdLabel = "vcache key id";

bool derive_id(Key& key) noexcept {
  std::array<std::byte, kIdLabel.size() + kKeyBytes> text{};
  std::ranges::copy(std::as_bytes(std::span(kIdLabel)), text.begin());
  std::ranges::copy(key.bytes, text.begin() + kIdLabel.size());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  const bool done =
      EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1;
  OPENSSL_cleanse(text.data(), text.size());
  std::ranges::copy(std::as_bytes(std::span(digest)).first(key.id.size()), key.id.begin());
  return done;
}

base::Error invalid(std::string text) { return {base::ErrorCode::kInvalid, std::move(text)}; }

}  // namespace

base::Result<std::shared_ptr<const Keyring>> Keyring::make(std::span<const base::ByteView> keys) {
  if (keys.empty() || keys.size() > kMostKeys) {
    return invalid("encryption_key: allowed are 1 to " + std::to_string(kMostKeys) + " keys");
  }
  CipherPtr gcm(EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr));
  CipherPtr ecb(EVP_CIPHER_fetch(nullptr, "AES-256-ECB", nullptr));
  if (!gcm || !ecb) return invalid("encryption_key: OpenSSL offers no AES-256-GCM here");
  const std::shared_ptr<Keyring> ring(new Keyring(std::move(gcm), std::move(ecb)));
  ring->keys_.resize(keys.size());  // once: growing would leave copies behind
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].size() != kKeyBytes) {
      return invalid("encryption_key: allowed are keys of 32 bytes, not of " +
                     std::to_string(keys[i].size()));
    }
    std::ranges::copy(keys[i], ring->keys_[i].bytes.begin());
    if (!derive_id(ring->keys_[i])) return invalid("encryption_key: OpenSSL has no SHA-256 here");
  }
  return std::shared_ptr<const Keyring>(ring);
}

Keyring::~Keyring() {
  for (Key& key : keys_) OPENSSL_cleanse(key.bytes.data(), key.bytes.size());
}

}  // namespace vcache::l2::codec
