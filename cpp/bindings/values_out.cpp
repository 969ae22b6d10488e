#include "bindings/codec.hpp"
#include "bindings/values.hpp"
#include "bindings/views.hpp"

namespace vcache::bindings {

PyObject* to_python(l1::EntryRef entry) noexcept {
  if (entry->kind() == base::ValueKind::kVector) return view_of(std::move(entry));
  const PyOwned payload(memory_of(std::move(entry)));
  return payload ? decode_object(payload.get()) : nullptr;
}

}  // namespace vcache::bindings
