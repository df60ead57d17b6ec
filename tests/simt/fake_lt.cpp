#include "fake_lt.h"

#include <cstring>

#include "gpu/lt_library.h"
#include "quant/bf16.h"
#include "quant/f16.h"

namespace scout::simt {

FakeLibrary fake_library;

namespace {

constexpr size_t kWantedWorkspace = 4096;

struct FakeLt {
  enum Status { kSuccess = 0, kNoMemory = 3, kInvalid = 7, kNotSupported = 15 };
  enum Type { kF16 = 2, kBf16 = 14, kF32 = 0 };
  enum Compute { kCompute32 = 68, kCompute16 = 64 };
  enum DescriptionWord { kTransposeLeft = 3, kTransposeRight = 4 };
  enum PreferenceWord { kMostWorkspace = 1, kAlignmentLeft = 5, kAlignmentRight = 6, kAlignmentAddend = 7, kAlignmentOut = 8 };
  static constexpr int32_t kTransposed = 1;
  struct Here {
    explicit Here(int index) { EXPECT(index == 0); }
    static void EXPECT(bool holds) {
      if (!holds) throw Fault("a library's call for another device");
    }
  };
  struct DescriptionOf {
    Compute compute;
    Type sums;
    int32_t transposed[2] = {};
  };
  struct LayoutOf {
    Type type;
    uint64_t rows, cols;
    int64_t stride;
  };
  struct PreferenceOf {
    uint64_t workspace = 0;
    uint32_t alignment[4] = {256, 256, 256, 256};
  };
  struct Algorithm {
    uint32_t alignment[4];
    uint64_t workspace;
  };
  struct Found {
    Algorithm algo;
    size_t workspace;
    Status state;
  };
  using Handle = int*;
  using Description = DescriptionOf*;
  using Layout = LayoutOf*;
  using Preference = PreferenceOf*;
  using Stream = gpu::Stream;

  static inline SimtDriver* driver = nullptr;

  // What a call begins with.
  static Status Begin(const char* name) {
    if (fake_library.calls++ != fake_library.fail_at) return kSuccess;
    fake_library.failed = name;
    return static_cast<Status>(fake_library.status);
  }
  template <typename T, typename... Values>
  static Status Make(const char* name, T** out, Values... values) {
    if (const Status status = Begin(name)) return status;
    *out = new T{values...};
    ++fake_library.things;
    return kSuccess;
  }
  template <typename T>
  static Status Drop(T* thing) {
    delete thing;
    --fake_library.things;
    return kSuccess;
  }

  static Status Create(Handle* out) {
    ++fake_library.opened;
    return Make("fakeCreate", out, 0);
  }
  static Status Destroy(Handle handle) { return Drop(handle); }
  struct Calls;
  static const char* Text(const Calls&, Status) { return "planted"; }
  static Status CreateDescription(Description* out, Compute compute, Type sums) {
    return Make("fakeDescCreate", out, compute, sums);
  }
  static Status SetDescription(Description description, DescriptionWord word, const void* value, size_t bytes) {
    if (const Status status = Begin("fakeDescSet")) return status;
    if (bytes != sizeof(int32_t) || (word != kTransposeLeft && word != kTransposeRight)) return kInvalid;
    std::memcpy(&description->transposed[word - kTransposeLeft], value, bytes);
    return kSuccess;
  }
  static Status DestroyDescription(Description description) { return Drop(description); }
  static Status CreateLayout(Layout* out, Type type, uint64_t rows, uint64_t cols, int64_t stride) {
    return Make("fakeLayoutCreate", out, type, rows, cols, stride);
  }
  static Status DestroyLayout(Layout layout) { return Drop(layout); }
  static Status CreatePreference(Preference* out) { return Make("fakePreferenceCreate", out); }
  static Status SetPreference(Preference preference, PreferenceWord word, const void* value, size_t bytes) {
    if (const Status status = Begin("fakePreferenceSet")) return status;
    if (bytes != (word == kMostWorkspace ? 8 : 4)) return kInvalid;
    if (word == kMostWorkspace)
      std::memcpy(&preference->workspace, value, bytes);
    else
      std::memcpy(&preference->alignment[word - kAlignmentLeft], value, bytes);
    return kSuccess;
  }
  static Status DestroyPreference(Preference preference) { return Drop(preference); }

  static Status Find(Handle, Description description, Layout left, Layout right, Layout addend, Layout out, Preference preference,
                     int wanted, Found* found, int* count) {
    ++fake_library.plans;
    if (const Status status = Begin("fakeFind")) return status;
    if (!Fits(*description, *left, *right, *addend, *out) || wanted != 1) return kInvalid;
    if (Refuses(Refusal::kSearch, *out)) return kNotSupported;
    *count = preference->workspace < kWantedWorkspace || Refuses(Refusal::kNoAlgorithm, *out) ? 0 : 1;
    std::memcpy(found->algo.alignment, preference->alignment, sizeof preference->alignment);
    found->algo.workspace = found->workspace = kWantedWorkspace;
    found->state = Refuses(Refusal::kFound, *out) ? kNotSupported : kSuccess;
    return kSuccess;
  }
  static bool Refuses(Refusal how, const LayoutOf& out) {
    return fake_library.refusal == how && (fake_library.refused_outputs == 0 || fake_library.refused_outputs == out.rows) &&
           (fake_library.refused_rows == 0 || fake_library.refused_rows == out.cols);
  }
  static bool Fits(const DescriptionOf& description, const LayoutOf& left, const LayoutOf& right, const LayoutOf& addend,
                   const LayoutOf& out) {
    const uint64_t outputs = description.transposed[0] ? left.cols : left.rows,
                   k = description.transposed[0] ? left.rows : left.cols;
    const auto strides = [](const LayoutOf& layout) { return layout.stride >= static_cast<int64_t>(layout.rows); };
    return description.compute == kCompute32 && description.sums == kF32 && description.transposed[1] == 0 &&
           left.type == right.type && left.type != kF32 && right.rows == k && out.type == kF32 && out.rows == outputs &&
           out.cols == right.cols && addend.type == out.type && addend.rows == out.rows && addend.cols == out.cols &&
           addend.stride == out.stride && strides(left) && strides(right) && strides(out);
  }

  static Status Multiply(Handle, Description description, const float* factor, const void* left_values, Layout left,
                         const void* right_values, Layout right, const float* addend_factor, const void* addend,
                         Layout addend_layout, void* out, Layout out_layout, const Algorithm* algorithm, void* workspace,
                         size_t workspace_bytes, Stream stream) {
    if (const Status status = Begin("fakeMultiply")) return status;
    if (!Fits(*description, *left, *right, *addend_layout, *out_layout) || workspace_bytes < algorithm->workspace) return kInvalid;
    const void* const pointers[] = {left_values, right_values, addend, out};
    for (size_t i = 0; i < 4; ++i)
      if (reinterpret_cast<uintptr_t>(pointers[i]) % algorithm->alignment[i] != 0) return kInvalid;
    if (reinterpret_cast<uintptr_t>(workspace) % 256 != 0) return kInvalid;
    if (Refuses(Refusal::kProduct, *out_layout)) return kNotSupported;
    ++fake_library.products;
    Work work{*description,
              *left,
              *right,
              *out_layout,
              left_values,
              right_values,
              static_cast<const float*>(addend),
              static_cast<float*>(out),
              *factor,
              *addend_factor,
              fake_library.mistake};
    driver->Enqueue(stream, [work, workspace, on = driver] {
      if (!on->memory().Holds(static_cast<std::byte*>(workspace), kWantedWorkspace)) throw Fault("a workspace that is not there");
      std::memset(workspace, 0x5a, kWantedWorkspace);
      work.Run(*on);
    });
    return kSuccess;
  }

  // D = factor A B + addend_factor C, all column by column. A mistaken place beyond the end of a matrix is one at its beginning.
  struct Work {
    DescriptionOf description;
    LayoutOf left, right, out;
    const void* left_values;
    const void* right_values;
    const float* addend;
    float* to;
    float factor, addend_factor;
    Mistake mistake;

    static size_t Values(const LayoutOf& layout) {
      return static_cast<size_t>(layout.stride) * (layout.cols - 1) + static_cast<size_t>(layout.rows);
    }
    float Half(uint16_t bits) const {
      const bool bf16 = (left.type == kBf16) != (mistake == Mistake::kOtherHalf);
      return bf16 ? quant::Bf16ToF32(bits) : quant::F16ToF32(bits);
    }
    float Sum(float sum) const {
      if (mistake != Mistake::kHalfSums) return sum;
      return left.type == kBf16 ? quant::Bf16ToF32(quant::F32ToBf16(sum)) : quant::F16ToF32(quant::F32ToF16(sum));
    }
    std::vector<float> Read(SimtDriver& on, const void* from, const LayoutOf& layout) const {
      const size_t count = Values(layout);
      if (!on.memory().Holds(static_cast<const std::byte*>(from), 2 * count)) throw Fault("a factor that is not there");
      std::vector<float> values(count);
      for (size_t i = 0; i < count; ++i) values[i] = Half(static_cast<const uint16_t*>(from)[i]);
      return values;
    }
    void Run(SimtDriver& on) const {
      const bool transposed = description.transposed[0] != 0 && mistake != Mistake::kNotTransposed;
      const size_t outputs = out.rows, rows = out.cols, k = right.rows;
      const auto stride = [&](const LayoutOf& layout, Mistake wrong) {
        return static_cast<size_t>(layout.stride) + (mistake == wrong ? 1 : 0);
      };
      const size_t left_stride = stride(left, Mistake::kLeftStride), right_stride = stride(right, Mistake::kRightStride),
                   out_stride = stride(out, Mistake::kOutStride);
      const std::vector<float> a = Read(on, left_values, left), b = Read(on, right_values, right);
      const size_t results = Values(out);
      if (!on.memory().Holds(reinterpret_cast<const std::byte*>(to), 4 * results)) throw Fault("a result that is not there");
      for (size_t n = 0; n < rows; ++n)
        for (size_t o = 0; o < outputs; ++o) {
          float sum = 0;
          for (size_t i = k; i-- > 0;)
            sum = Sum(sum + a[(transposed ? i + o * left_stride : o + i * left_stride) % a.size()] *
                                b[(i + n * right_stride) % b.size()]);
          const size_t at = (o + n * out_stride) % results;
          const bool adds = addend_factor != 0 && mistake != Mistake::kNoAddend;
          to[at] = adds ? factor * sum + addend_factor * addend[at] : factor * sum;
        }
    }
  };

  struct Calls {
    gpu::LibraryCall<decltype(FakeLt::Create)> create{"fakeCreate", Create};
    gpu::LibraryCall<decltype(FakeLt::Destroy)> destroy{"fakeDestroy", Destroy};
    gpu::LibraryCall<decltype(FakeLt::CreateDescription)> create_description{"fakeDescCreate", CreateDescription};
    gpu::LibraryCall<decltype(FakeLt::SetDescription)> set_description{"fakeDescSet", SetDescription};
    gpu::LibraryCall<decltype(FakeLt::DestroyDescription)> destroy_description{"fakeDescDestroy", DestroyDescription};
    gpu::LibraryCall<decltype(FakeLt::CreateLayout)> create_layout{"fakeLayoutCreate", CreateLayout};
    gpu::LibraryCall<decltype(FakeLt::DestroyLayout)> destroy_layout{"fakeLayoutDestroy", DestroyLayout};
    gpu::LibraryCall<decltype(FakeLt::CreatePreference)> create_preference{"fakePreferenceCreate", CreatePreference};
    gpu::LibraryCall<decltype(FakeLt::SetPreference)> set_preference{"fakePreferenceSet", SetPreference};
    gpu::LibraryCall<decltype(FakeLt::DestroyPreference)> destroy_preference{"fakePreferenceDestroy", DestroyPreference};
    gpu::LibraryCall<decltype(FakeLt::Find)> find{"fakeFind", Find};
    gpu::LibraryCall<decltype(FakeLt::Multiply)> multiply{"fakeMultiply", Multiply};
  };
};

}  // namespace

void GiveFakeLibrary(SimtDriver& driver) {
  fake_library = {};
  driver.GiveLibrary([](SimtDriver& on) {
    FakeLt::driver = &on;
    gpu::OpenedLibrary opened;
    gpu::LibraryStatus status;
    opened.name = "a planted library";
    opened.race = fake_library.race;
    opened.library = gpu::LtLibrary<FakeLt>::Open(0, {}, status);
    if (!opened.library) opened.why = StrCat(opened.name, ": ", status.call, ": ", status.status.text);
    return opened;
  });
}

}  // namespace scout::simt
