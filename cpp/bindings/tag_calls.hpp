#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/tags.hpp"
#include "bindings/core.hpp"

namespace vcache::bindings {

// Tags as Python checked them: distinct bytes, within the limits.
using Tags = std::vector<py::bytes>;

// Views into the tags.
[[nodiscard]] std::vector<std::string_view> tag_views(const Tags& tags);

// The moment by which a value with these tags is judged whose making begins now. All throw
// PythonError.
base::Moment begin(Core& core, const Tags& tags, const py::object& ttl);
// Whether one of them was invalidated since that moment.
bool is_over(Core& core, const Tags& tags, const base::Moment& made);
void invalidate_tags(Core& core, const Tags& tags);
std::size_t invalidate(Core& core, const py::bytes& pattern);

void bind_tags(py::class_<Core, std::shared_ptr<Core>>& cache);

}  // namespace vcache::bindings
