// Sums are exact integers: the order of the inputs does not matter, and the narrow and the plain loops give the same bits.
#include "prompt/image_kernels.h"

#include <algorithm>

#if defined(__SSSE3__)
#include <tmmintrin.h>
#endif

namespace scout::prompt::kernels {
namespace {

constexpr int kWidePrecision = 22;

inline uint8_t Clip(int32_t value) { return static_cast<uint8_t>(std::clamp(value, 0, 255)); }

// One row of the output, a sum for each colour.
template <typename Weight>
void AcrossOneByOne(const uint8_t* from, const int32_t* first, const int32_t* count, const Weight* weights, int64_t taps,
                    int precision, int64_t outputs, uint8_t* to) {
  const int32_t half = precision > 0 ? 1 << (precision - 1) : 0;
  for (int64_t o = 0; o < outputs; ++o, weights += taps, to += 3) {
    const uint8_t* pixels = from + int64_t{first[o]} * 3;
    int32_t red = half, green = half, blue = half;
    for (int64_t k = 0; k < count[o]; ++k, pixels += 3) {
      red += pixels[0] * weights[k];
      green += pixels[1] * weights[k];
      blue += pixels[2] * weights[k];
    }
    to[0] = Clip(red >> precision);
    to[1] = Clip(green >> precision);
    to[2] = Clip(blue >> precision);
  }
}

#if defined(__SSSE3__)

// Two weights of 16 bits, the pair that a multiplication of pairs wants, in every lane.
inline __m128i PairOf(int16_t a, int16_t b) {
  return _mm_set1_epi32(static_cast<int32_t>(static_cast<uint16_t>(a) | static_cast<uint32_t>(static_cast<uint16_t>(b)) << 16));
}

// 16 samples of the output from 16 samples of each row, two rows at a time.
inline void DownBlock(const uint8_t* const* rows, const int16_t* weights, int64_t count, __m128i shift, __m128i half, int64_t at,
                      uint8_t* to) {
  const __m128i zero = _mm_setzero_si128();
  __m128i sum[4] = {half, half, half, half};
  for (int64_t k = 0; k < count; k += 2) {
    const bool pair = k + 1 < count;
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[k] + at));
    const __m128i b = pair ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[k + 1] + at)) : zero;
    const __m128i w = PairOf(weights[k], pair ? weights[k + 1] : int16_t{0});
    const __m128i low = _mm_unpacklo_epi8(a, b), high = _mm_unpackhi_epi8(a, b);
    sum[0] = _mm_add_epi32(sum[0], _mm_madd_epi16(_mm_unpacklo_epi8(low, zero), w));
    sum[1] = _mm_add_epi32(sum[1], _mm_madd_epi16(_mm_unpackhi_epi8(low, zero), w));
    sum[2] = _mm_add_epi32(sum[2], _mm_madd_epi16(_mm_unpacklo_epi8(high, zero), w));
    sum[3] = _mm_add_epi32(sum[3], _mm_madd_epi16(_mm_unpackhi_epi8(high, zero), w));
  }
  for (__m128i& lane : sum) lane = _mm_sra_epi32(lane, shift);
  const __m128i packed = _mm_packus_epi16(_mm_packs_epi32(sum[0], sum[1]), _mm_packs_epi32(sum[2], sum[3]));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to + at), packed);
}

#endif

}  // namespace

#if defined(__SSSE3__)

// Four input pixels lie in 12 of 16 loaded bytes. Shuffled to r0 r1 g0 g1 b0 b1 and r2 r3 g2 g3 b2 b3 in 16 bits each, they are
// multiplied by w0 w1 and w2 w3 and added in pairs: one 32-bit lane for each colour.
void AcrossNarrow(const uint8_t* from, const int32_t* first, const int32_t* count, const int16_t* weights, int64_t taps,
                  int precision, int64_t outputs, uint8_t* to) {
  const __m128i front = _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1);
  const __m128i back = _mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
  const __m128i half = _mm_set1_epi32(precision > 0 ? 1 << (precision - 1) : 0);
  const __m128i shift = _mm_cvtsi32_si128(precision);
  for (int64_t o = 0; o < outputs; ++o, weights += taps, to += 3) {
    const uint8_t* pixels = from + int64_t{first[o]} * 3;
    __m128i even = half, odd = _mm_setzero_si128();
    for (int64_t k = 0; k < count[o]; k += 4, pixels += 12) {
      const __m128i four = _mm_loadu_si128(reinterpret_cast<const __m128i*>(pixels));
      const __m128i w = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(weights + k));
      even = _mm_add_epi32(even, _mm_madd_epi16(_mm_shuffle_epi8(four, front), _mm_shuffle_epi32(w, 0x00)));
      odd = _mm_add_epi32(odd, _mm_madd_epi16(_mm_shuffle_epi8(four, back), _mm_shuffle_epi32(w, 0x55)));
    }
    const __m128i sum = _mm_sra_epi32(_mm_add_epi32(even, odd), shift);
    const __m128i words = _mm_packs_epi32(sum, sum);
    const int32_t rgb = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
    __builtin_memcpy(to, &rgb, sizeof rgb);  // one byte more than the pixel has: the next one overwrites it
  }
}

void DownNarrow(const uint8_t* const* rows, const int16_t* weights, int64_t count, int precision, int64_t bytes, uint8_t* to) {
  const __m128i half = _mm_set1_epi32(precision > 0 ? 1 << (precision - 1) : 0);
  const __m128i shift = _mm_cvtsi32_si128(precision);
  for (int64_t at = 0; at < bytes; at += 16) DownBlock(rows, weights, count, shift, half, at, to);
}

#else

void AcrossNarrow(const uint8_t* from, const int32_t* first, const int32_t* count, const int16_t* weights, int64_t taps,
                  int precision, int64_t outputs, uint8_t* to) {
  AcrossOneByOne(from, first, count, weights, taps, precision, outputs, to);
}

void DownNarrow(const uint8_t* const* rows, const int16_t* weights, int64_t count, int precision, int64_t bytes, uint8_t* to) {
  const int32_t half = precision > 0 ? 1 << (precision - 1) : 0;
  for (int64_t i = 0; i < bytes; ++i) {
    int32_t sum = half;
    for (int64_t k = 0; k < count; ++k) sum += rows[k][i] * weights[k];
    to[i] = Clip(sum >> precision);
  }
}

#endif

void AcrossWide(const uint8_t* from, const int32_t* first, const int32_t* count, const int32_t* weights, int64_t taps,
                int64_t outputs, uint8_t* to) {
  AcrossOneByOne(from, first, count, weights, taps, kWidePrecision, outputs, to);
}

void DownWide(const uint8_t* const* rows, const int32_t* weights, int64_t count, int64_t bytes, uint8_t* to) {
  constexpr int64_t kBlock = 64;
  for (int64_t at = 0; at < bytes; at += kBlock) {
    const int64_t size = std::min(kBlock, bytes - at);
    int32_t sum[kBlock];
    for (int64_t i = 0; i < size; ++i) sum[i] = 1 << (kWidePrecision - 1);
    for (int64_t k = 0; k < count; ++k) {
      const uint8_t* const row = rows[k] + at;
      const int32_t weight = weights[k];
      for (int64_t i = 0; i < size; ++i) sum[i] += row[i] * weight;
    }
    for (int64_t i = 0; i < size; ++i) to[at + i] = Clip(sum[i] >> kWidePrecision);
  }
}

}  // namespace scout::prompt::kernels
