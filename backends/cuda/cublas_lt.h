// cuBLASLt for a device: cublas_lt.cpp, or without_cublas_lt.cpp where its header was not found.
#pragma once

#include "gpu/driver.h"

namespace scout::gpu {

OpenedLibrary OpenCublasLt(int index);

}  // namespace scout::gpu
