#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vcache::l2::cluster {

inline constexpr std::size_t kSlots = 16384;

// The slot of a Redis Cluster that the key of these two parts lies in: CRC16 (XMODEM) of what is
// between the first { and the } behind it, or of the whole key where there is nothing.
[[nodiscard]] std::uint16_t key_slot(std::string_view first, std::string_view second) noexcept;

}  // namespace vcache::l2::cluster
