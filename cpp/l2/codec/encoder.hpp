#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/clock.hpp"
#include "base/value.hpp"
#include "l2/codec/fingerprint.hpp"
#include "l2/codec/form.hpp"

namespace vcache::l2::codec {

// What a header says besides the value itself.
struct Stamps {
  Fingerprint fingerprint{};
  base::Millis created{0};  // Redis' time
  base::Millis expires{0};  // Redis' time; 0: none
  std::uint64_t generation = 0;
  std::uint64_t tag_stamp = 0;  // of a value with tags
  bool grace = false;           // Redis keeps the value past `expires`
};

// True when a decoder with the same limit would take the value.
[[nodiscard]] bool encodable(const base::ValueView& value, std::size_t max_value) noexcept;

// Bytes of the head of a value whose payload is stored as `form` says: header, metadata and
// padding, which end where the payload begins.
[[nodiscard]] std::size_t head_size(const base::ValueView& value, const Form& form = {}) noexcept;

// Fills `out` with the head of `value`. The payload is read for the checksum and stays where it
// is. Requires: encodable(value), out.size() == head_size(value).
void encode_head(const base::ValueView& value, const Stamps& stamps,
                 std::span<std::byte> out) noexcept;

// The same without the checksum, for a payload that is stored as `form` says. Requires:
// out.size() >= head_size(value, form); the rest of `out` is left.
void fill_head(const base::ValueView& value, const Form& form, const Stamps& stamps,
               std::span<std::byte> out) noexcept;
// Puts the checksum of the head and what follows it into the head.
void put_checksum(std::span<std::byte> head, base::ByteView rest) noexcept;

// Gives a header another expiry; 0: none. `grace` as in Stamps. The checksum is then to be put in
// anew.
void put_expiry(std::span<std::byte> header, base::Millis expires, bool grace) noexcept;

}  // namespace vcache::l2::codec
