#include "prompt/image_resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "prompt/image_kernels.h"

namespace scout::prompt {
namespace {

constexpr int kMostPrecision = 22;
constexpr int64_t kBandRows = 64;  // of the output: at its ends a band makes rows again that its neighbour made too

double Triangle(double x) {
  const double distance = std::abs(x);
  return distance < 1.0 ? 1.0 - distance : 0.0;
}

int PrecisionFor(double largest, ResizeRule rule) {
  if (rule == ResizeRule::kPil) return kMostPrecision;
  int precision = 0;
  while (precision < kMostPrecision &&
         static_cast<int64_t>(0.5 + largest * static_cast<double>(int64_t{1} << (precision + 1))) < (1 << 15))
    ++precision;
  return precision;
}

// One axis of one resize; `active` is false where the size stays.
struct Axis {
  Axis(int64_t input, int64_t output, ResizeRule rule) : active(input != output) {
    if (active) weights = MakeAxisWeights(input, output, rule);
  }
  // The inputs of output o: [first, end).
  int64_t First(int64_t o) const { return active ? weights.first[static_cast<size_t>(o)] : o; }
  int64_t Count(int64_t o) const { return active ? weights.count[static_cast<size_t>(o)] : 1; }

  bool active;
  AxisWeights weights;
};

class Resizer {
 public:
  Resizer(const RgbImage& image, ImageSize size, ResizeRule rule)
      : image_(image),
        size_(size),
        rule_(rule),
        across_(image.width(), size.width, rule),
        down_(image.height(), size.height, rule) {
    ring_rows_ = down_.active ? down_.weights.taps : 1;
    row_bytes_ = static_cast<size_t>(size.width) * 3 + kRowTail;
  }

  // Output rows [begin, end).
  void Band(int64_t begin, int64_t end, RowSink& sink) const {
    std::vector<uint8_t> ring(across_.active ? static_cast<size_t>(ring_rows_) * row_bytes_ : 0);
    std::vector<uint8_t> out(down_.active ? row_bytes_ : 0);
    std::vector<const uint8_t*> rows(static_cast<size_t>(ring_rows_));
    int64_t made = down_.First(begin);  // input rows before this one are in the ring, as far as they are still needed
    for (int64_t y = begin; y < end; ++y) {
      const int64_t first = down_.First(y), count = down_.Count(y);
      for (made = std::max(made, first); made < first + count; ++made) {
        if (across_.active) Across(image_.row(made), ring.data() + static_cast<size_t>(made % ring_rows_) * row_bytes_);
      }
      for (int64_t i = 0; i < count; ++i) {
        const int64_t row = first + i;
        rows[static_cast<size_t>(i)] =
            across_.active ? ring.data() + static_cast<size_t>(row % ring_rows_) * row_bytes_ : image_.row(row);
      }
      if (!down_.active) {
        sink.Row(y, rows[0]);
        continue;
      }
      Down(y, rows.data(), count, out.data());
      sink.Row(y, out.data());
    }
  }

 private:
  void Across(const uint8_t* from, uint8_t* to) const {
    const AxisWeights& w = across_.weights;
    if (rule_ == ResizeRule::kPil)
      kernels::AcrossWide(from, w.first.data(), w.count.data(), w.wide.data(), w.taps, size_.width, to);
    else
      kernels::AcrossNarrow(from, w.first.data(), w.count.data(), w.narrow.data(), w.taps, w.precision, size_.width, to);
  }

  void Down(int64_t y, const uint8_t* const* rows, int64_t count, uint8_t* to) const {
    const AxisWeights& w = down_.weights;
    const int64_t bytes = size_.width * 3;
    if (rule_ == ResizeRule::kPil)
      kernels::DownWide(rows, w.wide.data() + y * w.taps, count, bytes, to);
    else
      kernels::DownNarrow(rows, w.narrow.data() + y * w.taps, count, w.precision, bytes, to);
  }

  const RgbImage& image_;
  const ImageSize size_;
  const ResizeRule rule_;
  const Axis across_, down_;
  int64_t ring_rows_ = 1;
  size_t row_bytes_ = 0;
  static constexpr size_t kRowTail = kernels::kTailBytes;
};

}  // namespace

AxisWeights MakeAxisWeights(int64_t input, int64_t output, ResizeRule rule) {
  const double scale = static_cast<double>(input) / static_cast<double>(output);
  const double support = std::max(scale, 1.0), inverse = 1.0 / support;
  const auto most = static_cast<int64_t>(std::ceil(support)) * 2 + 1;
  AxisWeights axis;
  axis.taps = (std::min(most, input) + 3) / 4 * 4;
  axis.first.resize(static_cast<size_t>(output));
  axis.count.resize(static_cast<size_t>(output));
  std::vector<double> weights(static_cast<size_t>(output * axis.taps));
  double largest = 0;
  for (int64_t o = 0; o < output; ++o) {
    const double centre = (static_cast<double>(o) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(centre - support + 0.5));
    const int64_t count = std::min(input, static_cast<int64_t>(centre + support + 0.5)) - first;
    SCOUT_CHECK(count >= 1 && count <= axis.taps, "resize ", input, " -> ", output, ": output ", o, " has ", count, " inputs");
    double* const row = weights.data() + o * axis.taps;
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) {
      row[i] = Triangle((static_cast<double>(i + first) - centre + 0.5) * inverse);
      sum += row[i];
    }
    for (int64_t i = 0; i < count; ++i) {
      if (sum != 0) row[i] /= sum;
      largest = std::max(largest, row[i]);
    }
    axis.first[static_cast<size_t>(o)] = static_cast<int32_t>(first);
    axis.count[static_cast<size_t>(o)] = static_cast<int32_t>(count);
  }
  axis.precision = PrecisionFor(largest, rule);
  const auto one = static_cast<double>(int64_t{1} << axis.precision);
  const auto fixed = [one](double weight) { return static_cast<int32_t>(weight * one + 0.5); };
  if (rule == ResizeRule::kPil) {
    axis.wide.resize(weights.size());
    std::transform(weights.begin(), weights.end(), axis.wide.begin(), fixed);
  } else {
    axis.narrow.resize(weights.size());
    std::transform(weights.begin(), weights.end(), axis.narrow.begin(), [&](double w) { return static_cast<int16_t>(fixed(w)); });
  }
  return axis;
}

void ResizeImage(const RgbImage& image, ImageSize size, ResizeRule rule, ThreadPool* pool, int threads, RowSink& sink) {
  const Resizer resizer(image, size, rule);
  const int64_t bands = (size.height + kBandRows - 1) / kBandRows;
  const auto band = [&](int64_t index, int) {
    resizer.Band(index * kBandRows, std::min(size.height, (index + 1) * kBandRows), sink);
  };
  if (pool != nullptr) {
    pool->Run(threads, bands, band);
    return;
  }
  for (int64_t index = 0; index < bands; ++index) band(index, 0);
}

}  // namespace scout::prompt
