// The table of hostile models: a tiny good one with one thing wrong.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "support/memory_checkpoint.h"

namespace scout::model {

enum class CaseKind { kGguf, kHuggingFace };
struct HostileModel {
  const char* id;  // row of the catalogue
  CaseKind kind;
  std::function<void(test::MemoryCheckpoint&)> change;
  std::vector<ErrorCode> codes;      // any of these
  std::vector<std::string> message;  // each must be in it
};

std::vector<HostileModel> HostileModels();

}  // namespace scout::model
