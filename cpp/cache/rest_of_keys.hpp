#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/clock.hpp"
#include "cache/pending.hpp"
#include "l2/l2.hpp"

// Parts of a call, for a tier that is to see no more of it.
namespace vcache::cache {

// An answer to the rest of the keys, for whoever asked for all.
class RestSink final : public l2::FetchSink {
 public:
  RestSink(l2::FetchSink& sink, std::span<const std::size_t> places) noexcept
      : sink_(sink), places_(places) {}

  void on_value(std::size_t index, const l2::StoredValue& stored) noexcept override {
    sink_.on_value(places_[index], stored);
  }
  void on_absent(std::size_t index, l2::Outcome outcome) noexcept override {
    sink_.on_absent(places_[index], outcome);
  }

 private:
  l2::FetchSink& sink_;
  const std::span<const std::size_t> places_;
};

// Some of the writes of another source.
class RestOfWrites final : public l2::WriteSource {
 public:
  explicit RestOfWrites(l2::WriteSource& writes) noexcept : writes_(writes) {}

  void add(std::size_t place) { places_.push_back(place); }
  [[nodiscard]] std::span<const std::size_t> places() const noexcept { return places_; }
  [[nodiscard]] std::size_t size() const noexcept override { return places_.size(); }
  [[nodiscard]] const l2::Write& at(std::size_t index) override {
    return writes_.at(places_[index]);
  }

 private:
  l2::WriteSource& writes_;
  std::vector<std::size_t> places_;
};

// The values of a batch, with the time they have left.
class PendingSource final : public l2::WriteSource {
 public:
  void add(const Pending& pending, base::Nanos now) {
    writes_.push_back({.key = pending.key,
                       .value = pending.value,
                       .ttl = pending.ttl(now),
                       .made = pending.moment});
  }
  [[nodiscard]] std::size_t size() const noexcept override { return writes_.size(); }
  [[nodiscard]] const l2::Write& at(std::size_t index) override { return writes_[index]; }

 private:
  std::vector<l2::Write> writes_;
};

}  // namespace vcache::cache
