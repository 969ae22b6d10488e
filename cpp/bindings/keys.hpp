#pragma once

#include <span>
#include <vector>

#include "base/value.hpp"
#include "bindings/python.hpp"

namespace vcache::bindings {

// The slow rest of key_view(): UTF-8 of any str, bytes, and the exceptions. Throws PythonError.
[[nodiscard]] std::string_view key_view_checked(PyObject* key);

// The bytes of a key, borrowed from `key`. Throws PythonError: TypeError, ValueError.
[[nodiscard]] inline std::string_view key_view(PyObject* key) {
  if (PyUnicode_Check(key) && PyUnicode_IS_COMPACT_ASCII(key)) {
    const auto size = static_cast<std::size_t>(PyUnicode_GET_LENGTH(key));
    if (size - 1 < base::kMaxKeyBytes) {
      return {static_cast<const char*>(PyUnicode_DATA(key)), size};
    }
  }
  return key_view_checked(key);
}

// The keys of a batch, alive as long as this is, whatever happens to the caller's sequence. Made
// and destroyed with the GIL.
class KeyBatch {
 public:
  // Takes any iterable but str and bytes. Throws PythonError.
  explicit KeyBatch(PyObject* keys);
  ~KeyBatch() { release(); }
  KeyBatch(const KeyBatch&) = delete;
  KeyBatch& operator=(const KeyBatch&) = delete;

  [[nodiscard]] std::span<const std::string_view> views() const noexcept { return views_; }
  [[nodiscard]] std::span<PyObject* const> objects() const noexcept { return keys_; }
  [[nodiscard]] std::size_t size() const noexcept { return views_.size(); }

 private:
  void take(PyObject* const* items, std::size_t count);
  void release() noexcept;

  std::vector<PyObject*> keys_;  // a reference each
  std::vector<std::string_view> views_;
};

}  // namespace vcache::bindings
