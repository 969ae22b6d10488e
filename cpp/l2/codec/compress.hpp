#pragma once

#include <cstddef>
#include <span>

#include "base/value.hpp"

namespace vcache::l2::codec {

// Compresses `plain` into one zstd frame that states its size. Returns the bytes of the frame; 0
// when it does not fit into `out`, or memory is missing.
[[nodiscard]] std::size_t compress(base::ByteView plain, std::span<std::byte> out) noexcept;

// True when `frame` is one zstd frame that states to hold `size` bytes. Reads its header only.
[[nodiscard]] bool states_size(base::ByteView frame, std::size_t size) noexcept;

// Fills `out` with what the frame holds. False unless it holds exactly that many bytes. Uses no
// memory but `out` and 94 KiB a thread, whatever window the frame asks for. Requires:
// states_size(frame, out.size()).
[[nodiscard]] bool decompress(base::ByteView frame, std::span<std::byte> out) noexcept;

}  // namespace vcache::l2::codec
