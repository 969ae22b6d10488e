#pragma once

namespace vcache::predictor {

// While it lives, torch, OpenMP and MKL compute on the calling thread alone. Both counts belong to
// the thread, so other threads and the process' torch.get_num_threads() are untouched
// (at::set_num_threads would change both). Restores what it found.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int openmp_;
  int mkl_;
};

}  // namespace vcache::predictor
