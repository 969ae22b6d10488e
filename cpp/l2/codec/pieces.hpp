#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace vcache::l2::codec {

// Memory that is taken piece by piece and given back all at once. Not thread-safe.
class Pieces {
 public:
  // `size` bytes that nothing was written to, at a multiple of 16. Valid until clear().
  [[nodiscard]] std::span<std::byte> take(std::size_t size);
  // Gives back all but the first `size` bytes of the piece taken last. Requires: there is one.
  void shorten(std::size_t size) noexcept;
  // Keeps the memory that was got last for what comes.
  void clear() noexcept;

 private:
  struct Chunk {
    std::unique_ptr<std::byte[]> bytes;  // NOLINT(*-avoid-c-arrays): not to be initialised
    std::size_t size = 0;
  };

  std::vector<Chunk> chunks_;
  std::size_t last_ = 0;  // in the last chunk, where the piece taken last begins
  std::size_t end_ = 0;   // and where the next one may
};

}  // namespace vcache::l2::codec
