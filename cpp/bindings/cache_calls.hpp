#pragma once

#include "bindings/core.hpp"
#include "bindings/tag_calls.hpp"

namespace vcache::bindings {

// The methods of TieredCache: convert, release the GIL, call, convert. All may throw PythonError.

py::tuple lookup(Core& core, const py::object& key);
// fresh: no expired values, whatever Redis answers.
py::list mget(Core& core, const py::object& keys, const py::object& otherwise, bool fresh);
py::list memory_get_many(Core& core, const py::object& keys, const py::object& otherwise,
                         bool fresh);
bool memory_has(Core& core, const py::object& keys);
py::tuple get_vectors(Core& core, const py::object& keys, std::optional<std::uint32_t> dim,
                      const std::string& dtype, const py::object& out);

// made: of a value with tags; unless given, its making begins with this call.
void put(Core& core, const py::object& key, const py::object& value, const py::object& ttl,
         const py::object& memory_ttl, const py::bytes& metadata, float cost, float seconds,
         const Tags& tags, const std::optional<base::Moment>& made);
void mput(Core& core, const py::object& keys, const py::object& values, const py::object& ttl,
          const py::object& memory_ttl, float cost, float seconds, const Tags& tags);
void set_vectors(Core& core, const py::object& keys, const py::object& matrix,
                 const py::object& ttl, const py::object& memory_ttl, float cost, float seconds);

bool delete_key(Core& core, const py::object& key);
std::size_t mdelete(Core& core, const py::object& keys);
bool touch(Core& core, const py::object& key, const py::object& ttl);
bool exists(Core& core, const py::object& key);
void clear(Core& core);
void close(Core& core);

void count_source(Core& core, std::int64_t calls, double seconds);
void count_coalesced(Core& core, std::int64_t n);
py::dict stats(Core& core);
py::dict health(Core& core);

}  // namespace vcache::bindings
