// hipBLASLt, where it is installed: opened when it is first wanted, for the life of the process, and never linked.
//
// Its header is not needed: these are the calls, numbers and structs of versions 0.6 to 1 (ROCm 6 and 7), of which the public
// headers hipblaslt.h, hipblas-common.h and HIP's library_types.h tell. Before 0.6 (ROCm 5) types had other numbers.
//
// The library takes streams of the HIP runtime that it was linked with, and a process can hold two: one that stands on another
// than this plug-in is left alone. `Runtime` has kSuccess, GetDevice, SetDevice and the type Stream of the plug-in's, kMajor, its
// version, and IsUnder(file), whether an open file stands on it.
#pragma once

#include "gpu/lt_library.h"
#include "gpu/runtime_driver.h"

namespace scout::gpu {

template <typename Runtime>
struct HipblasLt {
  using Status = int;
  using Handle = void*;
  using Description = void*;
  using Layout = void*;
  using Preference = void*;
  using Stream = typename Runtime::Stream;
  using Here = HereOn<Runtime>;
  struct Algorithm {
    unsigned char data[16];
    size_t most_workspace;
  };
  struct Found {
    Algorithm algo;
    size_t workspace;
    Status state;
    float waves;
    int reserved[4];
  };
  static_assert(sizeof(Found) == 56);

  static constexpr Status kSuccess = 0, kNoMemory = 2, kNotSupported = 7;
  static constexpr int kF32 = 0, kF16 = 2, kBf16 = 14;  // hipDataType
  static constexpr int kCompute32 = 2;
  static constexpr int kTransposeLeft = 0;         // of a description
  static constexpr int32_t kTransposed = 112;      // what it is set to
  static constexpr int kMostWorkspace = 1;         // of a preference
  static constexpr uint32_t kLeastAlignment = 16;  // the widest loads of its kernels; it does not ask

  struct Calls {
    LibraryCall<Status(Handle, int*)> version{"hipblasLtGetVersion"};
    LibraryCall<Status(Handle*)> create{"hipblasLtCreate"};
    LibraryCall<Status(Handle)> destroy{"hipblasLtDestroy"};
    LibraryCall<Status(Description*, int, int)> create_description{"hipblasLtMatmulDescCreate"};
    LibraryCall<Status(Description, int, const void*, size_t)> set_description{"hipblasLtMatmulDescSetAttribute"};
    LibraryCall<Status(Description)> destroy_description{"hipblasLtMatmulDescDestroy"};
    LibraryCall<Status(Layout*, int, uint64_t, uint64_t, int64_t)> create_layout{"hipblasLtMatrixLayoutCreate"};
    LibraryCall<Status(Layout)> destroy_layout{"hipblasLtMatrixLayoutDestroy"};
    LibraryCall<Status(Preference*)> create_preference{"hipblasLtMatmulPreferenceCreate"};
    LibraryCall<Status(Preference, int, const void*, size_t)> set_preference{"hipblasLtMatmulPreferenceSetAttribute"};
    LibraryCall<Status(Preference)> destroy_preference{"hipblasLtMatmulPreferenceDestroy"};
    LibraryCall<Status(Handle, Description, Layout, Layout, Layout, Layout, Preference, int, Found*, int*)> find{
        "hipblasLtMatmulAlgoGetHeuristic"};
    LibraryCall<Status(Handle, Description, const void*, const void*, Layout, const void*, Layout, const void*, const void*, Layout,
                       void*, Layout, const Algorithm*, void*, size_t, Stream)>
        multiply{"hipblasLtMatmul"};

    template <typename Each>
    void ForEach(const Each& each) {
      each(version), each(create), each(destroy);
      each(create_description), each(set_description), each(destroy_description);
      each(create_layout), each(destroy_layout);
      each(create_preference), each(set_preference), each(destroy_preference);
      each(find), each(multiply);
    }
  };

  static std::string WhyNot(void* file) { return Runtime::IsUnder(file) ? "" : "stands on another HIP runtime than this plug-in"; }
  static const char* Text(const Calls&, Status status) {
    static constexpr const char* kTexts[] = {"success",
                                             "not initialised",
                                             "no memory",
                                             "an argument that it does not take",
                                             "no access to the device's memory",
                                             "the device failed",
                                             "an error of its own",
                                             "not supported",
                                             "not for this architecture",
                                             "no handle",
                                             "a number that it does not know",
                                             "unknown"};
    return status >= 0 && static_cast<size_t>(status) < std::size(kTexts) ? kTexts[status] : "unknown";
  }
  static LtVersion VersionOf(const Calls& calls, Handle handle) {
    if (!handle) return {"hipBLASLt", ""};
    int number = 0;
    if (const Status status = calls.version.function(handle, &number); status != kSuccess)
      return {"hipBLASLt", StrCat(calls.version.name, ": ", Text(calls, status), " (", status, ")")};
    LtVersion version;
    version.name = StrCat("hipBLASLt ", number / 100000, ".", number / 100 % 1000, ".", number % 100);
    if (number < 600 || number >= 200000) version.why = "only the calls of 0.6 to 1 are known";
    return version;
  }
};

template <typename Runtime, int version>
const LtFile<HipblasLt<Runtime>>& HipblasLtFile() {
  static const LtFile<HipblasLt<Runtime>> kFile(StrCat("libhipblaslt.so.", version));
  return kFile;
}

template <typename Runtime>
OpenedLibrary OpenHipblasLt(int index) {
  if constexpr (Runtime::kMajor == 7) {
    return OpenLt<HipblasLt<Runtime>>(index, {HipblasLtFile<Runtime, 1>});
  } else if constexpr (Runtime::kMajor == 6) {
    return OpenLt<HipblasLt<Runtime>>(index, {HipblasLtFile<Runtime, 0>});
  } else {
    OpenedLibrary opened;
    opened.why = StrCat("this plug-in was built with HIP ", Runtime::kMajor, ", and the hipBLASLt that it knows stands on 6 or 7");
    return opened;
  }
}

}  // namespace scout::gpu
