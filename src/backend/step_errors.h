// The first error of a step: it ends the step's work and waits for EndStep.
#pragma once

#include <exception>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"

namespace scout {

class StepErrors {
 public:
  // `where` as in "no memory for a step of a device".
  explicit StepErrors(const std::string& where)
      : no_memory_(ErrorCode::kNoMemory, "no memory for " + where),
        defect_(ErrorCode::kInternal, "internal error: " + where + " threw what is no error") {}

  bool any() const { return first_.has_value(); }
  void Clear() { first_.reset(); }
  std::optional<Error> Take() { return std::exchange(first_, std::nullopt); }

  // Nothing, where there is an error already.
  template <typename Operation>
  void Run(const Operation& operation) noexcept {
    if (first_) return;
    try {
      operation();
    } catch (const Error& error) {
      first_ = error;
    } catch (const std::bad_alloc&) {
      first_ = no_memory_;
    } catch (...) {
      first_ = defect_;
    }
  }

 private:
  // Made before they are needed: copies take no memory.
  const Error no_memory_, defect_;
  std::optional<Error> first_;
};

}  // namespace scout
