// Whether a device computes what `ref` defines: one operation of each family on small shapes, bit for bit. It takes milliseconds,
// so it runs whenever a process first opens a device whose kernels nobody here has seen run.
#pragma once

#include <string>
#include <vector>

#include "backend/backend.h"

namespace scout {

struct SelfTestResult {
  const char* name;     // "a product of many rows, Q4_K"
  std::string failure;  // empty: the same bits as ref
};

// Runs all. What an operation's own error says is its failure. Throws only what making a backend throws.
std::vector<SelfTestResult> SelfTest(Backend& backend);

// Throws kDevice naming the first that fails; the rest is not run then.
void RequireSelfTest(Backend& backend);

}  // namespace scout
