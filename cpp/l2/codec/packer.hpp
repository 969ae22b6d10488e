#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "base/clock.hpp"
#include "base/value.hpp"
#include "l2/codec/encoder.hpp"
#include "l2/codec/form.hpp"
#include "l2/codec/packing.hpp"
#include "l2/codec/pieces.hpp"
#include "l2/codec/seal.hpp"

namespace vcache::l2::codec {

// Values in the form in which they are stored. Used by one thread; `packing` outlives it.
class Packer {
 public:
  explicit Packer(const Packing& packing) noexcept : packing_(packing) {}

  // What is stored for a value: a head, which finish() fills, and the bytes behind it.
  struct Packed {
    std::size_t head_size = 0;
    base::ByteView rest{};
    Form form{};
    base::ByteView payload{};       // as it is stored, before encryption
    std::span<std::byte> sealed{};  // room for `rest` and a header in front, when it is encrypted
  };

  // Views into `value` or into this, valid until clear(). Throws std::bad_alloc. Requires:
  // encodable(value).
  [[nodiscard]] Packed pack(const base::ValueView& value);
  // Requires: `packed` is of `value` and not finished yet, head.size() == packed.head_size. Throws
  // std::bad_alloc, also when OpenSSL cannot encrypt.
  void finish(const Packed& packed, const base::ValueView& value, const Stamps& stamps,
              std::span<std::byte> head);
  // Gives back the memory of what was packed.
  void clear() noexcept { pieces_.clear(); }

  // Gives a whole stored value, which may be encrypted, another expiry; 0: none. False when it
  // cannot be encrypted anew. Requires: Unpacker took the value.
  [[nodiscard]] bool restamp(std::span<std::byte> whole, base::Millis expires, bool grace = false);

 private:
  void round_off(const base::ValueView& value, Packed& packed);
  void shrink(const base::ValueView& value, Packed& packed);
  [[nodiscard]] bool is_to_shrink(const base::ValueView& value,
                                  const Packed& packed) const noexcept;
  [[nodiscard]] Sealer& sealer();

  const Packing& packing_;
  Pieces pieces_;
  std::optional<Sealer> sealer_;
};

}  // namespace vcache::l2::codec
