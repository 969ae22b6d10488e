#pragma once

#include <span>

#include "base/result.hpp"
#include "l2/client/deadline.hpp"
#include "l2/command/batch.hpp"
#include "l2/node.hpp"

namespace vcache::l2 {

// A batch for a node, and how it ended.
struct Job {
  Node& node;
  command::Batch& batch;
  base::Error error{};
};

// Runs all jobs at once. Those that find a connection ready do not wait for the others to get one.
void run_all(std::span<Job> jobs, client::Deadline deadline) noexcept;

}  // namespace vcache::l2
