#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/value.hpp"
#include "l2/codec/checksum.hpp"
#include "l2/codec/format.hpp"
#include "l2/codec/packer.hpp"

// Stored values of every form, made and altered.
namespace vcache::l2::codec::testing {

using Bytes = std::vector<std::byte>;

template <class T = float>
base::ValueView vector_of(const std::vector<T>& elements,
                          base::DType dtype = base::DType::kFloat32) {
  base::ValueView value{.kind = base::ValueKind::kVector, .dtype = dtype};
  value.shape.ndim = 1;
  value.shape.dims[0] = static_cast<std::uint32_t>(elements.size());
  value.payload = std::as_bytes(std::span(elements));
  return value;
}

inline base::ValueView object_of(const std::string& bytes) {
  return {.kind = base::ValueKind::kObject, .payload = std::as_bytes(std::span(bytes))};
}

// 32 bytes that begin with `name`.
inline std::string key_of(std::string name) {
  name.resize(kKeyBytes, '.');
  return name;
}

inline std::shared_ptr<const Keyring> keys_of(const std::vector<std::string>& names) {
  std::vector<std::string> keys;
  for (const std::string& name : names) keys.push_back(key_of(name));
  std::vector<base::ByteView> views;
  for (const std::string& key : keys) views.push_back(std::as_bytes(std::span(key)));
  return Keyring::make(views).value();
}

// As Redis would hold it.
inline Bytes pack(const base::ValueView& value, Packer& packer, const Stamps& stamps) {
  const Packer::Packed packed = packer.pack(value);
  Bytes out(packed.head_size);
  packer.finish(packed, value, stamps, out);
  out.insert(out.end(), packed.rest.begin(), packed.rest.end());
  packer.clear();
  return out;
}

// For "key" of namespace "ns".
inline Bytes pack(const base::ValueView& value, Packer& packer) {
  return pack(value, packer,
              {.fingerprint = fingerprint("ns", "key"),
               .created = base::Millis(1000),
               .expires = base::Millis(2000),
               .generation = 7});
}

inline Bytes pack(const base::ValueView& value, const Packing& packing) {
  Packer packer(packing);
  return pack(value, packer);
}

inline Bytes pack(const base::ValueView& value, const Packing& packing, const Stamps& stamps) {
  Packer packer(packing);
  return pack(value, packer, stamps);
}

template <class T>
Bytes with(Bytes bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
  return bytes;
}

// As a writer that knows the checksum would have made it.
inline Bytes with_checksum(Bytes bytes) { return with(bytes, offset::kChecksum, checksum(bytes)); }

}  // namespace vcache::l2::codec::testing
