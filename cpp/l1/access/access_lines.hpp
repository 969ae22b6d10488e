#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "l1/access/access.hpp"

namespace vcache::l1 {

// The groups that are told of by name: the first that a cache met, "other" for the rest, so that
// what reads a log meets a bounded number of names. Used by one thread.
class GroupNames {
 public:
  static constexpr std::size_t kMost = 64;

  // `groups` outlives it.
  explicit GroupNames(const metrics::GroupTable& groups) : groups_(groups) {}

  [[nodiscard]] static metrics::GroupId bounded(metrics::GroupId group) noexcept {
    return group < kMost ? group : metrics::GroupTable::kOther;
  }
  // As a JSON string with its quotes.
  [[nodiscard]] std::string_view quoted(metrics::GroupId group);

 private:
  const metrics::GroupTable& groups_;
  std::vector<std::string> quoted_;  // by GroupId
};

// Appends a line of JSON, as vcache.sim reads it, to `out`:
//   {"time":1764380512.345,"key":"00a1...","group":"emb","tier":"memory","size":1584,"cost":0.5}
void append_line(const Access& access, GroupNames& groups, std::string& out);

}  // namespace vcache::l1
