#pragma once

#include <cstdint>
#include <memory>

#include "l2/codec/keyring.hpp"

namespace vcache::l2::codec {

// When payloads are compressed. One that does not shrink by a sixteenth never is.
enum class Compression : std::uint8_t {
  kAuto,  // objects of more than 1 KiB
  kNone,
  kZstd,  // all but float vectors, unless these are stored as int8
};

// What float32 vectors are stored as. The numbers are part of the wire format.
enum class Precision : std::uint8_t {
  kAsIs = 0,
  kFloat16 = 1,
  kInt8 = 2,
};

// How values are stored, beyond what they are.
struct Packing {
  Compression compression = Compression::kNone;
  Precision storage = Precision::kAsIs;
  std::shared_ptr<const Keyring> keys = nullptr;  // none: not encrypted
};

}  // namespace vcache::l2::codec
