#include "l2/codec/seal.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>

namespace vcache::l2::codec {

namespace {

constexpr std::size_t kBlock = 16;
constexpr std::size_t kHalfNonce = kNonceSize / 2;

using Block = std::array<unsigned char, kBlock>;
using Blocks = std::array<unsigned char, 2 * kBlock>;

const unsigned char* raw(base::ByteView bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* raw(std::span<std::byte> bytes) noexcept {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

// Passes `in` to the cipher; to `out`, or as associated data when that is nothing.
bool feed(EVP_CIPHER_CTX* context, base::ByteView in, unsigned char* out) noexcept {
  int written = 0;
  return EVP_CipherUpdate(context, out, &written, raw(in), static_cast<int>(in.size())) == 1;
}

bool encrypt_blocks(EVP_CIPHER_CTX* context, std::span<unsigned char> blocks) noexcept {
  int written = 0;
  return EVP_EncryptUpdate(context, blocks.data(), &written, blocks.data(),
                           static_cast<int>(blocks.size())) == 1;
}

// The subkey of CMAC: the encrypted zero block, doubled in GF(2^128).
void make_subkey(Block& block) noexcept {
  const unsigned char carry = block[0] >> 7U;
  for (std::size_t i = 0; i + 1 < block.size(); ++i) {
    block[i] = static_cast<unsigned char>((block[i] << 1U) | (block[i + 1] >> 7U));
  }
  constexpr unsigned char kReduction = 0x87;
  block.back() = static_cast<unsigned char>((block.back() << 1U) ^ (carry * kReduction));
}

// What CMAC encrypts for both halves of the key of one value: a counter, the letter X, and the
// first half of the nonce.
Blocks key_input(base::ByteView nonce, const Block& subkey) noexcept {
  Blocks input{0, 1, 'X', 0};
  input[kBlock + 1] = 2;
  input[kBlock + 2] = 'X';
  const std::span<const unsigned char> half(raw(nonce), kHalfNonce);
  for (std::size_t begin = 0; begin < input.size(); begin += kBlock) {
    std::ranges::copy(half, input.begin() + static_cast<std::ptrdiff_t>(begin + 4));
    for (std::size_t i = 0; i < kBlock; ++i) input[begin + i] ^= subkey[i];
  }
  return input;
}

}  // namespace

// Readies AES under `key`.
bool Sealer::use(const Key& key) noexcept {
  if (key_ == &key) return true;
  key_ = nullptr;
  if (!blocks_) blocks_.reset(EVP_CIPHER_CTX_new());
  if (!blocks_ || EVP_EncryptInit_ex2(blocks_.get(), keys_.ecb(), raw(base::ByteView(key.bytes)),
                                      nullptr, nullptr) != 1) {
    return false;
  }
  EVP_CIPHER_CTX_set_padding(blocks_.get(), 0);
  key_ = &key;
  return true;
}

// Readies AES-GCM for one value, whose associated data it takes.
bool Sealer::begin(const Key& key, base::ByteView nonce, base::ByteView header,
                   Direction direction) noexcept {
  if (!use(key)) return false;
  Block subkey{};
  if (!encrypt_blocks(blocks_.get(), subkey)) return false;
  make_subkey(subkey);
  Blocks derived = key_input(nonce, subkey);
  const bool fresh = !stream_;
  if (fresh) stream_.reset(EVP_CIPHER_CTX_new());
  const bool ready =
      encrypt_blocks(blocks_.get(), derived) && stream_ &&
      EVP_CipherInit_ex2(stream_.get(), fresh ? keys_.gcm() : nullptr, derived.data(),
                         raw(nonce.subspan(kHalfNonce)), static_cast<int>(direction), nullptr) == 1;
  OPENSSL_cleanse(derived.data(), derived.size());
  OPENSSL_cleanse(subkey.data(), subkey.size());
  return ready && feed(stream_.get(), header.first(offset::kChecksum), nullptr) &&
         feed(stream_.get(), header.subspan(kChecksummed), nullptr);
}

bool Sealer::fill_nonce(std::span<std::byte> nonce) noexcept {
  if (unused_ == 0) {
    if (RAND_bytes(raw(std::span<std::byte>(random_)), static_cast<int>(random_.size())) != 1) {
      return false;
    }
    unused_ = random_.size();
  }
  std::ranges::copy(std::span(random_).last(unused_).first(nonce.size()), nonce.begin());
  unused_ -= nonce.size();
  return true;
}

bool Sealer::seal(base::ByteView header, std::span<std::byte> preamble, std::span<std::byte> body,
                  std::span<std::byte> tag) noexcept {
  const Key& key = keys_.keys().front();
  std::ranges::copy(key.id, preamble.begin());
  const auto nonce = preamble.subspan(key.id.size());
  int written = 0;
  return fill_nonce(nonce) && begin(key, nonce, header, Direction::kSeal) &&
         feed(stream_.get(), body, raw(body)) &&
         EVP_CipherFinal_ex(stream_.get(), raw(tag), &written) == 1 &&
         EVP_CIPHER_CTX_ctrl(stream_.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag.size()),
                             tag.data()) == 1;
}

bool Sealer::open(base::ByteView whole, std::span<std::byte> body) noexcept {
  const base::ByteView id = whole.subspan(kHeaderSize, std::tuple_size_v<KeyId>);
  return std::ranges::any_of(keys_.keys(), [&](const Key& key) {
    return std::ranges::equal(key.id, id) && open_with(key, whole, body);
  });
}

bool Sealer::open_with(const Key& key, base::ByteView whole, std::span<std::byte> body) noexcept {
  const base::ByteView header = whole.first(kHeaderSize);
  const base::ByteView nonce = whole.subspan(kHeaderSize + key.id.size(), kNonceSize);
  const base::ByteView sealed = whole.subspan(kHeaderSize + kPreambleSize, body.size());
  std::array<std::byte, kTagSize> tag{};
  std::ranges::copy(whole.last(kTagSize), tag.begin());
  int written = 0;
  return begin(key, nonce, header, Direction::kOpen) && feed(stream_.get(), sealed, raw(body)) &&
         EVP_CIPHER_CTX_ctrl(stream_.get(), EVP_CTRL_AEAD_SET_TAG, kTagSize, tag.data()) == 1 &&
         EVP_CipherFinal_ex(stream_.get(), raw(body.last(0)), &written) == 1;
}

}  // namespace vcache::l2::codec
