#include "l2/blobs.hpp"

#include "l2/l2.hpp"

namespace vcache::l2 {

namespace {

class NoBlobs final : public Blobs {
 public:
  base::Error read(std::string_view /*name*/, std::size_t /*most*/,
                   std::string& bytes) noexcept override {
    bytes.clear();
    return {base::ErrorCode::kClosed};
  }
  base::Error write(std::string_view /*name*/, std::string_view /*bytes*/,
                    base::Millis /*lifetime*/) noexcept override {
    return {base::ErrorCode::kClosed};
  }
  base::Error replace(std::string_view /*name*/, std::string_view /*expected*/,
                      std::string_view /*bytes*/, base::Millis /*lifetime*/,
                      bool& replaced) noexcept override {
    replaced = false;
    return {base::ErrorCode::kClosed};
  }
  base::Error erase(std::string_view /*name*/) noexcept override {
    return {base::ErrorCode::kClosed};
  }
};

}  // namespace

Blobs& no_blobs() noexcept {
  static NoBlobs blobs;
  return blobs;
}

Blobs& L2::blobs() noexcept { return no_blobs(); }

}  // namespace vcache::l2
