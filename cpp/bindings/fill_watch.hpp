#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

namespace vcache::bindings {

// The keys whose values are being computed, and how often set() wrote to each meanwhile. Guarded by
// the GIL.
class FillWatch {
 public:
  // set() is about to write.
  void note(std::string_view key) {
    if (!watched_.empty()) note_watched(key);
  }
  // Begins to watch, or watches once more; how often the key was written to so far.
  [[nodiscard]] std::uint64_t begin(std::string_view key) {
    Watched& watched = watched_[std::string(key)];
    ++watched.watchers;
    return watched.writes;
  }
  // Whether nobody wrote to the key since begin() returned `writes`. Requires: it is watched.
  [[nodiscard]] bool unwritten(std::string_view key, std::uint64_t writes) const {
    const auto at = watched_.find(std::string(key));
    return at != watched_.end() && at->second.writes == writes;
  }
  void end(std::string_view key) {
    const auto at = watched_.find(std::string(key));
    if (at != watched_.end() && --at->second.watchers == 0) watched_.erase(at);
  }
  // In a forked child no computation goes on.
  void clear() noexcept { watched_.clear(); }

 private:
  struct Watched {
    std::uint64_t watchers = 0;
    std::uint64_t writes = 0;
  };

  void note_watched(std::string_view key) {
    const auto at = watched_.find(std::string(key));
    if (at != watched_.end()) ++at->second.writes;
  }

  std::unordered_map<std::string, Watched> watched_;
};

}  // namespace vcache::bindings
