#pragma once

#include <span>
#include <string_view>

#include "base/tags.hpp"

namespace vcache::l2 {

// Hears what becomes of the shared tier behind its back, by whomever. Where nothing else is said,
// one call at a time, on a thread of the tier's own, which waits meanwhile: calls are to be short.
class Listener {
 public:
  Listener() = default;
  virtual ~Listener() = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // The values of these keys (the user's, without the namespace) are not what they were. On any
  // thread, and at any time.
  virtual void on_keys_changed(std::span<const std::string_view> keys) noexcept = 0;
  // Tags have these stamps by now. On any thread, and at any time.
  virtual void on_stamps(std::span<const base::TagStamp> stamps) noexcept = 0;
  // The leases of these keys were taken, given up or ran out.
  virtual void on_leases_changed(std::span<const std::string_view> keys) noexcept = 0;
  // Any value may not be what it was.
  virtual void on_all_changed() noexcept = 0;

  // Values on their way here may be older than changes that nobody was told of.
  virtual void on_gap() noexcept = 0;
  // All that happened since the last on_gap() was told, and so will be what happens from now on.
  virtual void on_link_up() noexcept = 0;
  // Nothing is told until on_link_up() or on_no_link(). On any thread, and at any time; one of the
  // two follows when that is over. Also called in a forked child.
  virtual void on_link_down() noexcept = 0;
  // The server tells nobody of changes.
  virtual void on_no_link() noexcept = 0;
};

// A listener that does nothing.
[[nodiscard]] Listener& deaf_listener() noexcept;

}  // namespace vcache::l2
