#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "l2/client/reply.hpp"
#include "l2/command/context.hpp"

namespace vcache::l2::tracking {

// What one push names, sorted by what it is. Views are valid during Invalidations::Sink::on_changes
// only.
struct Changes {
  std::vector<std::string_view> keys;    // of entries, without the namespace
  std::vector<std::string_view> tags;    // whose stamps changed
  std::vector<std::string_view> leases;  // the keys they are for
  bool generation = false;               // that of the namespace
  bool all = false;                      // the whole database was emptied

  void clear() noexcept;
};

// Reads invalidation messages, RESP3 pushes `invalidate` with an array of names or nothing. Pushes
// of other kinds are none of its business. Used by one thread.
class Invalidations final : public client::PushSink {
 public:
  class Sink {
   public:
    Sink() = default;
    virtual ~Sink() = default;
    Sink(const Sink&) = delete;
    Sink& operator=(const Sink&) = delete;
    virtual void on_changes(const Changes& changes) noexcept = 0;
  };

  // The references outlive it.
  Invalidations(const command::Context& context, Sink& sink) noexcept
      : context_(context), sink_(sink) {}

  void on_push_part(const client::ReplyPart& part) noexcept override;
  void on_push_end() noexcept override;

  // True once a message could not be understood: what it told of is lost.
  [[nodiscard]] bool lost() const noexcept { return lost_; }

 private:
  enum class Kind : std::uint8_t { kUnknown, kOther, kInvalidate };

  void on_body(const client::ReplyPart& part) noexcept;
  void on_name(const client::ReplyPart& part) noexcept;
  void sort(std::string_view name);

  const command::Context& context_;
  Sink& sink_;
  Kind kind_ = Kind::kUnknown;
  bool whole_ = false;  // its body was read
  bool lost_ = false;
  std::string text_;  // of all names
  std::vector<std::size_t> ends_;
  Changes changes_;
};

}  // namespace vcache::l2::tracking
