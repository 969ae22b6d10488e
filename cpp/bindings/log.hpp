#pragma once

#include "l1/access/access_log.hpp"
#include "l2/l2.hpp"

namespace vcache::bindings {

// Hands what `redis` tells of to the logger "vcache.redis". What goes wrong there is nobody's
// error. Requires the GIL and no Python exception set; runs Python code.
void log_news(l2::L2& redis) noexcept;
// The same for the logger "vcache.access".
void log_notice(l1::AccessLog& accesses) noexcept;

}  // namespace vcache::bindings
