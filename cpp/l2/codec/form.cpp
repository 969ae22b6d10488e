#include "l2/codec/form.hpp"

#include "l2/codec/precision.hpp"
#include "l2/codec/rules.hpp"

namespace vcache::l2::codec {

std::size_t Form::plain_size() const noexcept {
  return rounded() ? rounded_size(precision(), original) : full_size();
}

bool is_known(const Form& form) noexcept {
  return (form.flags & ~flag::kKnown) == 0 && form.precision() <= Precision::kInt8;
}

bool consistent(const Form& form, const base::ValueView& value) noexcept {
  if (!consistent(value, form.full_size())) return false;
  if (form.changed() == (form.original == 0)) return false;
  if (form.rounded() && value.dtype != base::DType::kFloat32) return false;
  if (form.rounded() && form.plain_size() >= form.original) return false;
  return form.compressed() ? form.length < form.plain_size() : form.length == form.plain_size();
}

}  // namespace vcache::l2::codec
