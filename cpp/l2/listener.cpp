#include "l2/listener.hpp"

#include <array>
#include <cstddef>
#include <new>

namespace vcache::l2 {

namespace {

class DeafListener final : public Listener {
 public:
  void on_keys_changed(std::span<const std::string_view> /*keys*/) noexcept override {}
  void on_stamps(std::span<const base::TagStamp> /*stamps*/) noexcept override {}
  void on_leases_changed(std::span<const std::string_view> /*keys*/) noexcept override {}
  void on_all_changed() noexcept override {}
  void on_gap() noexcept override {}
  void on_link_up() noexcept override {}
  void on_link_down() noexcept override {}
  void on_no_link() noexcept override {}
};

}  // namespace

Listener& deaf_listener() noexcept {
  // Never destroyed: threads may use it to the end.
  alignas(DeafListener) static std::array<std::byte, sizeof(DeafListener)> place;
  static DeafListener& only = *new (place.data()) DeafListener;
  return only;
}

}  // namespace vcache::l2
