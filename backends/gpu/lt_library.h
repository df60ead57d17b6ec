// A library of matrix products whose calls are those of cuBLASLt: what is asked of it. `Lt` has its words:
//   types       Status Handle Description Layout Preference Found (of an algorithm) Type Here (the thread's device, while it lives)
//   constants   kSuccess kNoMemory kNotSupported kF16 kBf16 kF32 kCompute32 kTransposeLeft kTransposed kMostWorkspace
//               kAlignmentLeft kAlignmentRight kAlignmentAddend kAlignmentOut, or, where the library is not told of alignment,
//               kLeastAlignment that it is given
//   Calls       a LibraryCall of each of its functions
//   Text(calls, status)
// and to be opened from a file (OpenLt):
//   Calls::ForEach(each)
//   VersionOf(calls, handle)      an LtVersion; of a null handle, what can be told without one
//   WhyNot(file)                  of an open file: why it cannot be used, or nothing; where any can, it is left out
#pragma once

#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include "base/error.h"
#include "gpu/driver.h"

namespace scout::gpu {

// A function with its name, for messages.
template <typename Function>
struct LibraryCall {
  const char* name;
  Function* function = nullptr;
};

template <typename Lt>
class LtLibrary final : public Library {
 public:
  // Null, and what failed, where there is no handle.
  static std::unique_ptr<LtLibrary> Open(int index, const typename Lt::Calls& calls, LibraryStatus& status) {
    std::unique_ptr<LtLibrary> library(new LtLibrary(index, calls));
    const typename Lt::Here here(index);
    status = library->Ask(calls.create, &library->handle_);
    if (!status.ok()) {
      library->handle_ = nullptr;
      return nullptr;
    }
    return library;
  }
  ~LtLibrary() override {
    const typename Lt::Here here(index_);
    for (Plan& plan : plans_) Forget(plan);
    if (handle_) calls_.destroy.function(handle_);
  }

  typename Lt::Handle handle() const { return handle_; }

  // The library's matrices lie column by column: a row of the weight is a column of its left factor, which is transposed, and rows
  // of activations and of results are columns as they are.
  LibraryStatus Multiply(Stream stream, const HalfProduct& product, void* workspace, size_t workspace_bytes) override {
    const typename Lt::Here here(index_);
    Key key;
    key.bf16 = product.bf16;
    key.outputs = product.outputs;
    key.rows = product.rows;
    key.k = product.k;
    key.out_cols = product.out_cols;
    key.workspace_bytes = workspace_bytes;
    key.alignment[0] = AlignmentOf(product.weight);
    key.alignment[1] = AlignmentOf(product.x);
    key.alignment[2] = AlignmentOf(product.out);
    if constexpr (!kTellsAlignment)
      if (*std::min_element(std::begin(key.alignment), std::end(key.alignment)) < Lt::kLeastAlignment)
        return {calls_.multiply.name, {-1, "a matrix begins at an odd place"}, true};
    Plan* plan = nullptr;
    if (const LibraryStatus status = Find(key, plan); !status.ok()) return status;
    const float factor = 1, addend = product.add ? 1 : 0;
    return OfShape(Ask(calls_.multiply, handle_, plan->description, &factor, product.weight, plan->left, product.x, plan->right,
                       &addend, product.out, plan->out, product.out, plan->out, &plan->found.algo, workspace, workspace_bytes,
                       static_cast<typename Lt::Stream>(stream)));
  }

 private:
  static constexpr size_t kMostPlans = 64;
  static constexpr bool kTellsAlignment = requires { Lt::kAlignmentLeft; };

  struct Key {
    bool bf16 = false;
    int64_t outputs = 0, rows = 0, k = 0, out_cols = 0;
    size_t workspace_bytes = 0;
    uint32_t alignment[3] = {};  // of weight, activations, results
    bool operator==(const Key&) const = default;
  };
  struct Plan {
    Key key;
    typename Lt::Description description = nullptr;
    typename Lt::Layout left = nullptr, right = nullptr, out = nullptr;
    typename Lt::Found found = {};
    uint64_t used = 0;
  };

  LtLibrary(int index, const typename Lt::Calls& calls) : index_(index), calls_(calls) {
    plans_.reserve(kMostPlans);  // a step adds to them, and must not fail for want of memory
  }

  static uint32_t AlignmentOf(const void* at) {
    const auto address = reinterpret_cast<uintptr_t>(at) | 256;  // no algorithm wants more
    return static_cast<uint32_t>(address & ~(address - 1));
  }

  template <typename Function, typename... Arguments>
  LibraryStatus Ask(const LibraryCall<Function>& call, Arguments... arguments) const {
    const typename Lt::Status status = call.function(arguments...);
    if (status == Lt::kSuccess) return {};
    return StatusOf(call.name, status);
  }
  // Of a call that may find a shape to be none of the library's.
  static LibraryStatus OfShape(LibraryStatus status) {
    status.refused = status.status.code == static_cast<int>(Lt::kNotSupported);
    return status;
  }
  LibraryStatus StatusOf(const char* call, typename Lt::Status status) const {
    return {call, {static_cast<int>(status), Lt::Text(calls_, status), status == Lt::kNoMemory, false}, false};
  }

  // The plan of a product, known or made. Of many, the least recently used makes room.
  LibraryStatus Find(const Key& key, Plan*& out) {
    ++uses_;
    const auto known = std::find_if(plans_.begin(), plans_.end(), [&](const Plan& plan) { return plan.key == key; });
    if (known != plans_.end()) {
      known->used = uses_;
      out = &*known;
      return {};
    }
    Plan plan;
    plan.key = key;
    plan.used = uses_;
    if (const LibraryStatus status = Make(plan); !status.ok()) {
      Forget(plan);
      return status;
    }
    if (plans_.size() < kMostPlans) {
      out = &plans_.emplace_back(plan);
      return {};
    }
    out = &*std::min_element(plans_.begin(), plans_.end(), [](const Plan& a, const Plan& b) { return a.used < b.used; });
    Forget(*out);
    *out = plan;
    return {};
  }
  LibraryStatus Make(Plan& plan) const {
    const auto type = plan.key.bf16 ? Lt::kBf16 : Lt::kF16;
    const auto outputs = static_cast<uint64_t>(plan.key.outputs), rows = static_cast<uint64_t>(plan.key.rows),
               k = static_cast<uint64_t>(plan.key.k);
    const auto transposed = Lt::kTransposed;
    LibraryStatus status = Ask(calls_.create_description, &plan.description, Lt::kCompute32, Lt::kF32);
    if (status.ok()) status = Ask(calls_.set_description, plan.description, Lt::kTransposeLeft, &transposed, sizeof transposed);
    if (status.ok()) status = Ask(calls_.create_layout, &plan.left, type, k, outputs, plan.key.k);
    if (status.ok()) status = Ask(calls_.create_layout, &plan.right, type, k, rows, plan.key.k);
    if (status.ok()) status = Ask(calls_.create_layout, &plan.out, Lt::kF32, outputs, rows, plan.key.out_cols);
    typename Lt::Preference preference = nullptr;
    if (status.ok()) status = Ask(calls_.create_preference, &preference);
    const auto prefer = [&](auto what, const auto& value) {
      if (status.ok()) status = Ask(calls_.set_preference, preference, what, &value, sizeof value);
    };
    prefer(Lt::kMostWorkspace, static_cast<uint64_t>(plan.key.workspace_bytes));
    if constexpr (kTellsAlignment) {
      prefer(Lt::kAlignmentLeft, plan.key.alignment[0]);
      prefer(Lt::kAlignmentRight, plan.key.alignment[1]);
      prefer(Lt::kAlignmentAddend, plan.key.alignment[2]);
      prefer(Lt::kAlignmentOut, plan.key.alignment[2]);
    }
    int count = 0;
    if (status.ok())
      status = OfShape(Ask(calls_.find, handle_, plan.description, plan.left, plan.right, plan.out, plan.out, preference, 1,
                           &plan.found, &count));
    if (status.ok() && count < 1) status = {calls_.find.name, {-1, "there is no algorithm"}, true};
    if (status.ok() && plan.found.state != Lt::kSuccess) {
      status = StatusOf(calls_.find.name, plan.found.state);
      status.refused = true;
    }
    if (preference) calls_.destroy_preference.function(preference);
    return status;
  }
  void Forget(Plan& plan) const {
    for (const auto layout : {plan.left, plan.right, plan.out})
      if (layout) calls_.destroy_layout.function(layout);
    if (plan.description) calls_.destroy_description.function(plan.description);
    plan = {};
  }

  const int index_;
  const typename Lt::Calls calls_;
  typename Lt::Handle handle_ = nullptr;
  std::vector<Plan> plans_;
  uint64_t uses_ = 0;
};

// A library's file and its functions, for the life of the process.
template <typename Lt>
struct LtFile {
  typename Lt::Calls calls;
  std::string why;  // it is of no use

  explicit LtFile(const std::string& name) {
    void* const file = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!file) {
      why = StrCat("there is no ", name);
      return;
    }
    if constexpr (requires { Lt::WhyNot(file); }) {
      if (why = Lt::WhyNot(file); !why.empty()) {
        why = StrCat(name, " ", why);
        return;
      }
    }
    calls.ForEach([&](auto& call) {
      call.function = reinterpret_cast<decltype(call.function)>(dlsym(file, call.name));
      if (!call.function && why.empty()) why = StrCat(name, " has no ", call.name);
    });
  }
};

struct LtVersion {
  std::string name;  // "cuBLASLt 13.1.0"
  std::string why;   // its calls are not those that are known here
};

// The first of the files that can be used; they are opened when their turn comes.
template <typename Lt>
OpenedLibrary OpenLt(int index, std::initializer_list<const LtFile<Lt>& (*)()> files) {
  OpenedLibrary opened;
  for (const auto& open : files) {
    const LtFile<Lt>& file = open();
    std::string why = file.why;
    if (why.empty()) {
      LibraryStatus status;
      auto library = LtLibrary<Lt>::Open(index, file.calls, status);
      const LtVersion version = Lt::VersionOf(file.calls, library ? library->handle() : nullptr);
      why = library ? version.why : StrCat(status.call, ": ", status.status.text, " (", status.status.code, ")");
      if (why.empty()) {
        opened.library = std::move(library);
        opened.name = version.name;
        opened.why.clear();
        break;
      }
      why = StrCat(version.name, ": ", why);
    }
    opened.why += StrCat(opened.why.empty() ? "" : ", and ", why);
  }
  return opened;
}

}  // namespace scout::gpu
