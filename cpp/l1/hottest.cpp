#include "l1/hottest.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "l1/entry.hpp"

namespace vcache::l1 {

namespace {

bool is_hotter(const HotKey& a, const HotKey& b) noexcept {
  return a.hits != b.hits ? a.hits > b.hits : a.key < b.key;
}

}  // namespace

void Hottest::add(std::string_view key, std::uint32_t hits) {
  if (found_.size() == most_) {
    std::ranges::pop_heap(found_, is_hotter);
    found_.pop_back();
  }
  found_.push_back({.key = std::string(key), .hits = std::min(hits, Entry::kMostHits)});
  std::ranges::push_heap(found_, is_hotter);
}

// A key that left and came again while others were offered is there twice.
std::vector<HotKey> Hottest::take() && {
  std::ranges::sort(found_, is_hotter);
  std::unordered_set<std::string_view> seen;
  std::vector<HotKey> out;
  out.reserve(found_.size());
  seen.reserve(found_.size());
  for (HotKey& each : found_) {
    if (seen.contains(each.key)) continue;
    out.push_back(std::move(each));
    seen.insert(out.back().key);
  }
  return out;
}

}  // namespace vcache::l1
