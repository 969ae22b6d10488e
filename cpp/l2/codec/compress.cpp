#include "l2/codec/compress.hpp"

#include <zstd.h>

#include <memory>

namespace vcache::l2::codec {

namespace {

// The fastest: a cache is written to while someone waits. Takes up to 570 KiB a thread.
constexpr int kLevel = 1;

struct Deleter {
  void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
};

// Of this thread; nothing when memory is missing.
ZSTD_CCtx* compressor() noexcept {
  thread_local std::unique_ptr<ZSTD_CCtx, Deleter> context;
  if (!context) context.reset(ZSTD_createCCtx());
  return context.get();
}

ZSTD_DCtx* decompressor() noexcept {
  thread_local std::unique_ptr<ZSTD_DCtx, Deleter> context;
  if (!context) context.reset(ZSTD_createDCtx());
  return context.get();
}

}  // namespace

std::size_t compress(base::ByteView plain, std::span<std::byte> out) noexcept {
  ZSTD_CCtx* const context = compressor();
  if (context == nullptr) return 0;
  const std::size_t size =
      ZSTD_compressCCtx(context, out.data(), out.size(), plain.data(), plain.size(), kLevel);
  return ZSTD_isError(size) != 0U ? 0 : size;
}

bool states_size(base::ByteView frame, std::size_t size) noexcept {
  return ZSTD_getFrameContentSize(frame.data(), frame.size()) == size &&
         ZSTD_findFrameCompressedSize(frame.data(), frame.size()) == frame.size();
}

bool decompress(base::ByteView frame, std::span<std::byte> out) noexcept {
  ZSTD_DCtx* const context = decompressor();
  return context != nullptr && ZSTD_decompressDCtx(context, out.data(), out.size(), frame.data(),
                                                   frame.size()) == out.size();
}

}  // namespace vcache::l2::codec
