#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "l2/l2.hpp"

namespace vcache::testing {

// Keeps the answers of a fetch, and how often each key was answered.
class CollectSink final : public l2::FetchSink {
 public:
  struct Answer {
    l2::Outcome outcome = l2::Outcome::kFailed;
    int times = 0;
    std::string payload;
    std::string metadata;
    base::ValueView value{};  // its views are not valid any more
    base::Millis age{0};
    base::Millis remaining{0};
    bool stale = false;
  };

  explicit CollectSink(std::size_t keys) : answers(keys) {}

  void on_value(std::size_t index, const l2::StoredValue& stored) noexcept override {
    Answer& answer = answers.at(index);
    ++answer.times;
    answer.outcome = l2::Outcome::kHit;
    answer.payload = text(stored.value.payload);
    answer.metadata = text(stored.value.metadata);
    answer.value = stored.value;
    answer.age = stored.age;
    answer.remaining = stored.remaining;
    answer.stale = stored.stale;
  }
  void on_absent(std::size_t index, l2::Outcome outcome) noexcept override {
    Answer& answer = answers.at(index);
    ++answer.times;
    answer.outcome = outcome;
    answer.payload.clear();
  }

  // True when every key was answered exactly once.
  [[nodiscard]] bool complete() const {
    for (const Answer& answer : answers) {
      if (answer.times != 1) return false;
    }
    return true;
  }
  [[nodiscard]] std::size_t count(l2::Outcome outcome) const {
    std::size_t n = 0;
    for (const Answer& answer : answers) n += answer.outcome == outcome ? 1 : 0;
    return n;
  }

  std::vector<Answer> answers;

 private:
  static std::string text(base::ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
};

}  // namespace vcache::testing
