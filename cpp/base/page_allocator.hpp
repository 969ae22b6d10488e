#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <vector>

namespace vcache::base {

// Allocator for tables that grow: large ones are pages of their own, zeroed, so that a table
// outgrown goes back to the system whole and the part of a new one not reached yet occupies
// nothing.
template <class T>
struct PageAllocator {
  using value_type = T;

  PageAllocator() = default;
  template <class U>
  PageAllocator(const PageAllocator<U>&) noexcept {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] T* allocate(std::size_t count) {
    const std::size_t bytes = count * sizeof(T);
    if (bytes < kLarge) return static_cast<T*>(::operator new(bytes, kAlignment));
    void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) throw std::bad_alloc();
    return static_cast<T*>(pages);
  }
  void deallocate(T* memory, std::size_t count) noexcept {
    const std::size_t bytes = count * sizeof(T);
    if (bytes < kLarge) {
      ::operator delete(static_cast<void*>(memory), kAlignment);
    } else {
      munmap(static_cast<void*>(memory), bytes);
    }
  }
  template <class U>
  bool operator==(const PageAllocator<U>&) const noexcept {
    return true;
  }

  static constexpr std::size_t kLarge = std::size_t{32} << 10;  // bytes

 private:
  static constexpr std::align_val_t kAlignment{alignof(T)};
};

// A vector for bookkeeping by dense ids.
template <class T>
using Table = std::vector<T, PageAllocator<T>>;

}  // namespace vcache::base
