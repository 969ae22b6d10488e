#include <algorithm>

#include "base/glob.hpp"
#include "bindings/arguments.hpp"
#include "bindings/gil.hpp"
#include "bindings/tag_calls.hpp"

namespace vcache::bindings {

std::vector<std::string_view> tag_views(const Tags& tags) { return {tags.begin(), tags.end()}; }

base::Moment begin(Core& core, const Tags& tags, const py::object& ttl) {
  const cache::Lifetimes lifetimes =
      lifetimes_of(core, ttl, py::reinterpret_borrow<py::object>(use_default()));
  const std::vector<std::string_view> views = tag_views(tags);
  base::Moment made;
  base::Error error;
  {
    const GilRelease released;
    error = core.cache.begin(views, lifetimes, made);
  }
  raise_if_strict(core, error);
  return made;
}

bool is_over(Core& core, const Tags& tags, const base::Moment& made) {
  const l1::TagMarks& marks = core.cache.memory().tags();
  return std::ranges::any_of(tag_views(tags), [&](std::string_view tag) {
    return marks.is_over(l1::TagMarks::mark_of(tag), made);
  });
}

void invalidate_tags(Core& core, const Tags& tags) {
  const std::vector<std::string_view> views = tag_views(tags);
  base::Error error;
  {
    const GilRelease released;
    error = core.cache.invalidate_tags(views);
  }
  raise_if_strict(core, error);
}

std::size_t invalidate(Core& core, const py::bytes& pattern) {
  const std::string_view view = pattern;
  std::size_t erased = 0;
  base::Error error;
  {
    const GilRelease released;
    error = core.cache.invalidate(view, erased);
  }
  raise_if_strict(core, error);
  return erased;
}

void bind_tags(py::class_<Core, std::shared_ptr<Core>>& cache) {
  py::class_<base::Moment>(cache, "Moment", "When the making of a value with tags began.");
  cache.def("begin", &begin, py::arg("tags"), py::arg("ttl"))
      .def("is_over", &is_over, py::arg("tags"), py::arg("made"))
      .def("invalidate_tags", &invalidate_tags, py::arg("tags"))
      .def("invalidate", &invalidate, py::arg("pattern"))
      .def_static(
          "matches_glob",
          [](const py::bytes& pattern, const py::bytes& text) {
            return base::matches_glob(pattern, text);
          },
          py::arg("pattern"), py::arg("text"));
}

}  // namespace vcache::bindings
