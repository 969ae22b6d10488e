#include "bindings/codec.hpp"
#include "bindings/values.hpp"
#include "bindings/views.hpp"

namespace vcache::bindings {

PyObject* to_python(l1::EntryRef entry) noexcept {
  if (entry->kind == base::ValueKind::kVector) return view_of(std::move(entry));
  return decode_object(entry->payload());
}

}  // namespace vcache::bindings
