#include "predictor/torch/one_thread.hpp"

#include <ATen/Parallel.h>

// In the libraries that LibTorch brings; absent where it was built without OpenMP or MKL.
extern "C" {
[[gnu::weak]] void omp_set_num_threads(int count);
[[gnu::weak]] int MKL_Set_Num_Threads_Local(int count);  // NOLINT(readability-identifier-naming)
}

namespace vcache::predictor {

OneThread::OneThread() : openmp_(at::get_num_threads()), mkl_(0) {
  if (omp_set_num_threads != nullptr) omp_set_num_threads(1);
  if (MKL_Set_Num_Threads_Local != nullptr) mkl_ = MKL_Set_Num_Threads_Local(1);
}

OneThread::~OneThread() {
  if (omp_set_num_threads != nullptr) omp_set_num_threads(openmp_);
  if (MKL_Set_Num_Threads_Local != nullptr) MKL_Set_Num_Threads_Local(mkl_);
}

}  // namespace vcache::predictor
