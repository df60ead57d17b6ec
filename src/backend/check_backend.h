// A backend that looks over another's shoulder: shapes before an operation runs, guard bytes and finite values after it.
//
// The first thing wrong becomes the step's error, a kInternal that names the operation. Where it stands outermost, a mistake in
// the model is told from one in a kernel. It reads results back after every operation, so it is for tests and hunting.
#pragma once

#include "backend/backend.h"

namespace scout {

struct CheckOptions {
  bool finite = true;  // results must be numbers; off for tests that send NaN through
};

std::unique_ptr<Backend> MakeCheckBackend(std::unique_ptr<Backend> inner, const CheckOptions& options = {});

}  // namespace scout
