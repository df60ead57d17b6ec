// Float kernels over a vector of sixteen lanes, written once. Each instruction set defines a type V (sixteen float32 lanes, with
// static functions) and includes this file inside its own unnamed namespace; nothing here has external linkage.
//
// V offers: Zero, Set, Load, LoadPart(p, n) (lanes from n on are 0), LoadF16, LoadBf16, SetF16(p) (the half at p in each lane),
// LoadFirsts and LoadSeconds (of sixteen pairs of BF16), LoadCodes (signed bytes), Store, StorePart, Add, Sub, Mul, Div, Fma(a, b,
// c), Max (b where either is NaN), Fold (lane l takes l + 8, + 4, + 2, + 1), FoldEach (out[b * A + a] = Fold(sums[b][a])),
// Exp2Scale(p, n) and the comparisons that Exp needs; Abs, WithSignOf(a, b) (the magnitude of a >= 0, the sign of b), WhereLess(a,
// b, yes, no); kRowTile x kColTile accumulators that fit the registers, and kOuterRows x kOuterVectors of them beside kOuterVectors
// others.

#include "cpu/dot_tiles.inl"

struct LoadF32 : MeetsFloats<LoadF32> {
  using Value = float;
  static constexpr int64_t Bytes(int64_t values) { return values * 4; }
  static inline V Load(const Value* row, int64_t i) { return V::Load(row + i); }
  static inline V LoadPart(const Value* row, int64_t i, int64_t n) { return V::LoadPart(row + i, n); }
};
struct LoadF16 : MeetsFloats<LoadF16> {
  using Value = uint16_t;
  static constexpr int64_t Bytes(int64_t values) { return values * 2; }
  static inline V Load(const Value* row, int64_t i) { return V::LoadF16(row + i); }
  static inline V LoadPart(const Value* row, int64_t i, int64_t n) {
    Value part[16] = {};
    for (int64_t l = 0; l < n; ++l) part[l] = row[i + l];
    return V::LoadF16(part);
  }
};
struct LoadBf16 : MeetsFloats<LoadBf16> {
  using Value = uint16_t;
  static constexpr int64_t Bytes(int64_t values) { return values * 2; }
  static inline V Load(const Value* row, int64_t i) { return V::LoadBf16(row + i); }
  static inline V LoadPart(const Value* row, int64_t i, int64_t n) {
    Value part[16] = {};
    for (int64_t l = 0; l < n; ++l) part[l] = row[i + l];
    return V::LoadBf16(part);
  }
};
struct LoadQ8_0 : MeetsFloats<LoadQ8_0> {  // blocks of a half and 32 codes (quant/q8_0.h); no row ends inside one
  using Value = unsigned char;
  static constexpr int64_t Bytes(int64_t values) { return values / 32 * 34; }
  static inline V Load(const Value* row, int64_t i) {
    const Value* const block = row + i / 32 * 34;
    return V::Mul(V::SetF16(block), V::LoadCodes(reinterpret_cast<const signed char*>(block + 2 + i % 32)));
  }
  static inline V LoadPart(const Value* row, int64_t i, int64_t) { return Load(row, i); }
};

template <typename Loader>
void PanelOf(const Panel& panel, const float* x, int64_t count, float* y) {
  DotPanel<Loader>(panel, x, count, y);
}

// BF16 that meets BF16 where no instruction multiplies the two: pairs of values widened, the second ones first (ref/dot.h). Rows of
// the right are widened when they are rounded: of 32 values the sixteen second ones, then the first ones.
struct WidenedPairs {
  using Value = uint16_t;
  using Other = float;
  using Factor = V;
  static constexpr int kStep = 32, kParts = 2;
  static constexpr int64_t Bytes(int64_t values) { return values * 2; }
  static inline V Left(const Value* row, int64_t i, int part) {
    return part == 0 ? V::LoadSeconds(row + i) : V::LoadFirsts(row + i);
  }
  static inline V LeftPart(const Value* row, int64_t i, int64_t n, int part) {
    Value whole[kStep] = {};
    for (int64_t l = 0; l < n; ++l) whole[l] = row[i + l];
    return Left(whole, 0, part);
  }
  static inline V Right(const float* row, int64_t i, int part) { return V::Load(row + i + 16 * part); }
  static inline V RightPart(const float* row, int64_t i, int64_t, int part) { return Right(row, i, part); }
  static inline V MultiplyAdd(V l, V r, V sum) { return V::Fma(l, r, sum); }
  static constexpr int64_t Stride(int64_t k) { return (k + kStep - 1) / kStep * kStep; }
};

void PairPanel(const Panel& panel, const void* x, int64_t count, float* y) {
  DotPanel<WidenedPairs>(panel, static_cast<const float*>(x), count, y);
}

template <typename Loader>
void ScoresOf(const float* q, int64_t heads, int64_t d, const HeadRows& k, float scale, float* scores, int64_t score_stride) {
  DotAll<Loader, false>(k, q, heads, d, [&](int64_t g, int64_t j, const float* dots, int64_t rows) {
    float* const to = scores + g * score_stride + j;
    if (rows == V::kRowTile)  // one instruction
      for (int a = 0; a < V::kRowTile; ++a) to[a] = dots[a] * scale;
    else
      for (int64_t a = 0; a < rows; ++a) to[a] = dots[a] * scale;
  });
}

// H heads x C vectors of o stay in registers while the values go by. Asks: for the same part of those that come next.
template <typename Loader, int H, int C, bool Asks>
inline void FoldTile(const float* w, int64_t w_stride, int64_t d, const HeadRows& v, int64_t at, float* o) {
  V sum[H][C];
  for (int h = 0; h < H; ++h)
    for (int c = 0; c < C; ++c) sum[h][c] = V::Load(o + h * d + at + 16 * c);
  for (int64_t j = 0; j < v.count; ++j) {
    const auto* const row = reinterpret_cast<const typename Loader::Value*>(v.first + static_cast<size_t>(j) * v.stride);
    if constexpr (Asks) AskNext<Loader>(v, j, at, 16 * C);
    V value[C];
    for (int c = 0; c < C; ++c) value[c] = Loader::Load(row, at + 16 * c);
    for (int h = 0; h < H; ++h) {
      const V weight = V::Set(w[h * w_stride + j]);
      for (int c = 0; c < C; ++c) sum[h][c] = V::Fma(weight, value[c], sum[h][c]);
    }
  }
  for (int h = 0; h < H; ++h)
    for (int c = 0; c < C; ++c) V::Store(o + h * d + at + 16 * c, sum[h][c]);
}

template <typename Loader, int C>
inline void FoldHeads(const float* w, int64_t w_stride, int64_t heads, int64_t d, const HeadRows& v, int64_t at, float* o) {
  for (int64_t h = 0; h < heads; h += V::kColTile) {
    WithColumns(heads - h < V::kColTile ? heads - h : V::kColTile, [&]<int H>() {
      if (h == 0 && v.next)
        FoldTile<Loader, H, C, true>(w, w_stride, d, v, at, o);
      else
        FoldTile<Loader, H, C, false>(w + h * w_stride, w_stride, d, v, at, o + h * d);
    });
  }
}

template <typename Loader>
void FoldOf(const float* w, int64_t w_stride, int64_t heads, int64_t d, const HeadRows& v, float* o) {
  constexpr int kVectors = V::kRowTile;
  int64_t at = 0;
  for (; at + 16 * kVectors <= d; at += 16 * kVectors) FoldHeads<Loader, kVectors>(w, w_stride, heads, d, v, at, o);
  for (; at + 16 <= d; at += 16) FoldHeads<Loader, 1>(w, w_stride, heads, d, v, at, o);
  if (at == d) return;
  for (int64_t h = 0; h < heads; ++h) {
    V sum = V::LoadPart(o + h * d + at, d - at);
    for (int64_t j = 0; j < v.count; ++j) {
      const auto* const row = reinterpret_cast<const typename Loader::Value*>(v.first + static_cast<size_t>(j) * v.stride);
      sum = V::Fma(V::Set(w[h * w_stride + j]), Loader::LoadPart(row, at, d - at), sum);
    }
    V::StorePart(o + h * d + at, d - at, sum);
  }
}

// base/math.h's Exp, lane by lane.
inline V ExpOf(V x) {
  const V low = V::Set(-87.33654f), high = V::Set(88.72283172607421875f), rounder = V::Set(12582912.0f);
  const V n = V::Sub(V::Fma(x, V::Set(1.44269504088896341f), rounder), rounder);
  V r = V::Fma(n, V::Set(-0.693145751953125f), x);
  r = V::Fma(n, V::Set(-0x1.7f7d1cp-20f), r);
  V p = V::Set(0x1.6b6e1ap-10f);
  p = V::Fma(p, r, V::Set(0x1.122fc2p-7f));
  p = V::Fma(p, r, V::Set(0x1.555688p-5f));
  p = V::Fma(p, r, V::Set(0x1.5554a4p-3f));
  p = V::Fma(p, r, V::Set(0.5f));
  p = V::Fma(p, r, V::Set(1.0f));
  p = V::Fma(p, r, V::Set(1.0f));
  return V::ExpEnds(x, low, high, V::ScaleByPowerOf2(p, n));
}

template <typename Body, typename Rest>
inline void ForVectors(int64_t count, const Body& body, const Rest& rest) {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) body(i);
  if (i < count) rest(i, count - i);
}

float SumOfSquares(const float* x, int64_t count) {
  V sum = V::Zero();
  ForVectors(
      count,
      [&](int64_t i) {
        const V v = V::Load(x + i);
        sum = V::Fma(v, v, sum);
      },
      [&](int64_t i, int64_t n) {
        const V v = V::LoadPart(x + i, n);
        sum = V::Fma(v, v, sum);
      });
  return V::Fold(sum);
}

void ScaleBy(const float* x, float scale, const float* w, int64_t count, float* y) {
  const V s = V::Set(scale);
  ForVectors(
      count, [&](int64_t i) { V::Store(y + i, V::Mul(V::Mul(V::Load(x + i), s), V::Load(w + i))); },
      [&](int64_t i, int64_t n) { V::StorePart(y + i, n, V::Mul(V::Mul(V::LoadPart(x + i, n), s), V::LoadPart(w + i, n))); });
}

inline V SwiGluOf(V gate, V up) {
  const V one = V::Set(1.0f);
  const V silu = V::Div(gate, V::Add(one, ExpOf(V::Negate(gate))));
  return V::Mul(silu, up);
}

void SwiGlu(const float* gate, const float* up, int64_t count, float* out) {
  ForVectors(
      count, [&](int64_t i) { V::Store(out + i, SwiGluOf(V::Load(gate + i), V::Load(up + i))); },
      [&](int64_t i, int64_t n) { V::StorePart(out + i, n, SwiGluOf(V::LoadPart(gate + i, n), V::LoadPart(up + i, n))); });
}

// base/math.h's Erf, lane by lane.
inline V ErfOf(V x) {
  const V one = V::Set(1.0f), t = V::Abs(x), s = V::Mul(x, x);
  V p = V::Set(0x1.4ae4dp-14f);
  p = V::Fma(p, s, V::Set(-0x1.a485ecp-11f));
  p = V::Fma(p, s, V::Set(0x1.5419f6p-8f));
  p = V::Fma(p, s, V::Set(-0x1.b7fbb4p-6f));
  p = V::Fma(p, s, V::Set(0x1.ce2d20p-4f));
  p = V::Fma(p, s, V::Set(-0x1.81273ep-2f));
  p = V::Fma(p, s, V::Set(0x1.06eba8p-3f));
  const V small = V::Fma(p, x, x);
  const V four = V::Set(4.0f), end = V::WhereLess(four, t, four, t);
  V q = V::Set(0x1.86dd9ap-13f);
  q = V::Fma(q, end, V::Set(-0x1.825b06p-9f));
  q = V::Fma(q, end, V::Set(0x1.65cb7ep-6f));
  q = V::Fma(q, end, V::Set(-0x1.a65346p-4f));
  q = V::Fma(q, end, V::Set(-0x1.46baecp-1f));
  q = V::Fma(q, end, V::Set(-0x1.2088eap+0f));
  q = V::Fma(q, end, V::Set(-0x1.661cb2p-12f));
  const V large = V::WithSignOf(V::Sub(one, ExpOf(q)), x);
  return V::WhereLess(t, one, small, large);
}

inline V GeluOf(V x) {
  return V::Mul(V::Mul(V::Set(0.5f), x), V::Add(V::Set(1.0f), ErfOf(V::Mul(x, V::Set(0.70710678118654752f)))));
}

void Gelu(const float* x, int64_t count, float* out) {
  ForVectors(
      count, [&](int64_t i) { V::Store(out + i, GeluOf(V::Load(x + i))); },
      [&](int64_t i, int64_t n) { V::StorePart(out + i, n, GeluOf(V::LoadPart(x + i, n))); });
}

float Sum(const float* x, int64_t count) {
  V sum = V::Zero();
  ForVectors(
      count, [&](int64_t i) { sum = V::Add(sum, V::Load(x + i)); },
      [&](int64_t i, int64_t n) { sum = V::Add(sum, V::LoadPart(x + i, n)); });
  return V::Fold(sum);
}

float SumOfCentredSquares(const float* x, float mean, int64_t count) {
  const V m = V::Set(mean);
  V sum = V::Zero();
  ForVectors(
      count,
      [&](int64_t i) {
        const V v = V::Sub(V::Load(x + i), m);
        sum = V::Fma(v, v, sum);
      },
      [&](int64_t i, int64_t n) {
        float part[16] = {};  // lanes past the end add nothing
        V::StorePart(part, n, V::Sub(V::LoadPart(x + i, n), m));
        sum = V::Fma(V::Load(part), V::Load(part), sum);
      });
  return V::Fold(sum);
}

void Normalise(const float* x, float mean, float scale, const float* w, const float* b, int64_t count, float* y) {
  const V m = V::Set(mean), s = V::Set(scale);
  ForVectors(
      count, [&](int64_t i) { V::Store(y + i, V::Fma(V::Mul(V::Sub(V::Load(x + i), m), s), V::Load(w + i), V::Load(b + i))); },
      [&](int64_t i, int64_t n) {
        const V centred = V::Mul(V::Sub(V::LoadPart(x + i, n), m), s);
        V::StorePart(y + i, n, V::Fma(centred, V::LoadPart(w + i, n), V::LoadPart(b + i, n)));
      });
}

void Rotate(float* x, const float* turns, int64_t d) {
  // In units of vectors: a, b, cos and sin are spread over whole vectors, sixteen pairs at a time.
  float a[16] = {}, b[16] = {}, cos[16] = {}, sin[16] = {};
  for (int64_t at = 0; at < d; at += 32) {
    const int64_t pairs = d - at < 32 ? (d - at) / 2 : 16;
    for (int64_t i = 0; i < pairs; ++i) {
      a[i] = x[at + 2 * i];
      b[i] = x[at + 2 * i + 1];
      cos[i] = turns[at + 2 * i];
      sin[i] = turns[at + 2 * i + 1];
    }
    const V va = V::Load(a), vb = V::Load(b), vc = V::Load(cos), vs = V::Load(sin);
    V::Store(a, V::Fma(va, vc, V::Negate(V::Mul(vb, vs))));
    V::Store(b, V::Fma(va, vs, V::Mul(vb, vc)));
    for (int64_t i = 0; i < pairs; ++i) {
      x[at + 2 * i] = a[i];
      x[at + 2 * i + 1] = b[i];
    }
  }
}

// R rows by C vectors of the result stay in registers while the depth goes by.
template <bool Adds, int R, int C>
inline void OuterTile(const float* a, int64_t a_stride, int64_t depth, const float* b, int64_t columns, float* c,
                      int64_t c_stride) {
  V sum[R][C];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < C; ++v) sum[r][v] = V::Zero();
  for (int64_t i = 0; i < depth; ++i) {
    if (i % 16 == 0)  // of the rows that come next, a line each
      for (int r = 0; r < R; ++r) __builtin_prefetch(a + (R + r) * a_stride + i);
    V right[C];
    for (int v = 0; v < C; ++v) right[v] = V::Load(b + i * columns + 16 * v);
    for (int r = 0; r < R; ++r) {
      const V left = V::Set(a[r * a_stride + i]);
      for (int v = 0; v < C; ++v) sum[r][v] = V::Fma(left, right[v], sum[r][v]);
    }
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < C; ++v) {
      float* const to = c + r * c_stride + 16 * v;
      V::Store(to, Adds ? V::Add(V::Load(to), sum[r][v]) : sum[r][v]);
    }
}

template <bool Adds, int C>
inline void OuterRows(const float* a, int64_t a_stride, int64_t rows, int64_t depth, const float* b, int64_t columns, float* c,
                      int64_t c_stride) {
  constexpr int kRows = V::kOuterRows;
  int64_t m = 0;
  for (; m + kRows <= rows; m += kRows)
    OuterTile<Adds, kRows, C>(a + m * a_stride, a_stride, depth, b, columns, c + m * c_stride, c_stride);
  for (; m < rows; ++m) OuterTile<Adds, 1, C>(a + m * a_stride, a_stride, depth, b, columns, c + m * c_stride, c_stride);
}

template <bool Adds>
inline void Outer(const float* a, int64_t a_stride, int64_t rows, int64_t depth, const float* b, int64_t columns, float* c,
                  int64_t c_stride) {
  constexpr int kVectors = V::kOuterVectors;
  int64_t n = 0;
  for (; n + 16 * kVectors <= columns; n += 16 * kVectors)
    OuterRows<Adds, kVectors>(a, a_stride, rows, depth, b + n, columns, c + n, c_stride);
  for (; n < columns; n += 16) OuterRows<Adds, 1>(a, a_stride, rows, depth, b + n, columns, c + n, c_stride);
}
void OuterProduct(const float* a, int64_t a_stride, int64_t rows, int64_t depth, const float* b, int64_t columns, float* c,
                  int64_t c_stride) {
  Outer<false>(a, a_stride, rows, depth, b, columns, c, c_stride);
}
void OuterProductAdd(const float* a, int64_t a_stride, int64_t rows, int64_t depth, const float* b, int64_t columns, float* c,
                     int64_t c_stride) {
  Outer<true>(a, a_stride, rows, depth, b, columns, c, c_stride);
}

template <typename Loader>
inline void WidenOf(const unsigned char* from, int64_t count, float* to) {
  const auto* const values = reinterpret_cast<const typename Loader::Value*>(from);
  ForVectors(
      count, [&](int64_t i) { V::Store(to + i, Loader::Load(values, i)); },
      [&](int64_t i, int64_t n) { V::StorePart(to + i, n, Loader::LoadPart(values, i, n)); });
}
void WidenF16(const unsigned char* from, int64_t count, float* to) { WidenOf<LoadF16>(from, count, to); }
void WidenBf16(const unsigned char* from, int64_t count, float* to) { WidenOf<LoadBf16>(from, count, to); }
void WidenQ8_0(const unsigned char* from, int64_t count, float* to) { WidenOf<LoadQ8_0>(from, count, to); }

void Turn(const float* from, int64_t from_stride, int64_t count, float* to, int64_t to_stride) {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) V::Turn(from + i, from_stride, to + i * to_stride, to_stride);
  for (; i < count; ++i)
    for (int64_t r = 0; r < 16; ++r) to[i * to_stride + r] = from[r * from_stride + i];
}

void AddTo(const float* from, int64_t count, float* to) {
  ForVectors(
      count, [&](int64_t i) { V::Store(to + i, V::Add(V::Load(to + i), V::Load(from + i))); },
      [&](int64_t i, int64_t n) { V::StorePart(to + i, n, V::Add(V::LoadPart(to + i, n), V::LoadPart(from + i, n))); });
}

void Multiply(const float* from, float scale, int64_t count, float* to) {
  const V s = V::Set(scale);
  ForVectors(
      count, [&](int64_t i) { V::Store(to + i, V::Mul(V::Load(from + i), s)); },
      [&](int64_t i, int64_t n) { V::StorePart(to + i, n, V::Mul(V::LoadPart(from + i, n), s)); });
}

void Merge(const float* from, float from_scale, float to_scale, int64_t count, float* to) {
  const V a = V::Set(from_scale), b = V::Set(to_scale);
  ForVectors(
      count, [&](int64_t i) { V::Store(to + i, V::Fma(V::Load(from + i), a, V::Mul(V::Load(to + i), b))); },
      [&](int64_t i, int64_t n) {
        V::StorePart(to + i, n, V::Fma(V::LoadPart(from + i, n), a, V::Mul(V::LoadPart(to + i, n), b)));
      });
}

float Largest(const float* x, int64_t count) {
  const float none = -__builtin_inff();
  V max = V::Set(none);
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) max = V::Max(V::Load(x + i), max);
  float lanes[16];
  V::Store(lanes, max);
  float largest = none;
  for (int l = 0; l < 16; ++l) largest = lanes[l] > largest ? lanes[l] : largest;
  for (; i < count; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

float ExpSum(const float* x, float max, int64_t count, float* w) {
  const V m = V::Set(max);
  V sum = V::Zero();
  ForVectors(
      count,
      [&](int64_t i) {
        const V e = ExpOf(V::Sub(V::Load(x + i), m));
        if (w) V::Store(w + i, e);
        sum = V::Add(sum, e);
      },
      [&](int64_t i, int64_t n) {
        float part[16] = {};
        V::StorePart(part, n, ExpOf(V::Sub(V::LoadPart(x + i, n), m)));
        for (int64_t l = 0; w && l < n; ++l) w[i + l] = part[l];
        sum = V::Add(sum, V::Load(part));
      });
  return V::Fold(sum);
}

void ToBf16(const float* from, int64_t count, uint16_t* to) {
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits;
    __builtin_memcpy(&bits, from + i, 4);
    const bool nan = (bits & 0x7fffffff) > 0x7f800000;
    to[i] = static_cast<uint16_t>(nan ? bits >> 16 | 0x40 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }
}

void RoundPairs(const float* x, int64_t k, void* to) {
  constexpr int kStep = WidenedPairs::kStep;
  auto* out = static_cast<float*>(to);
  for (int64_t i = 0; i < k; i += kStep, out += kStep) {
    uint16_t halves[kStep] = {};
    ToBf16(x + i, k - i < kStep ? k - i : kStep, halves);
    V::Store(out, V::LoadSeconds(halves));
    V::Store(out + 16, V::LoadFirsts(halves));
  }
}

#define SCOUT_FLOAT_KERNELS(table)                      \
  (table).f32 = PanelOf<LoadF32>;                       \
  (table).f16 = PanelOf<LoadF16>;                       \
  (table).bf16 = PairPanel;                             \
  (table).round_bf16 = RoundPairs;                      \
  (table).bf16_bytes = sizeof(float);                   \
  (table).sum_of_squares = SumOfSquares;                \
  (table).scale_by = ScaleBy;                           \
  (table).swiglu = SwiGlu;                              \
  (table).gelu = Gelu;                                  \
  (table).sum = Sum;                                    \
  (table).sum_of_centred_squares = SumOfCentredSquares; \
  (table).normalise = Normalise;                        \
  (table).rotate = Rotate;                              \
  (table).outer_product_add = OuterProductAdd;          \
  (table).widen_f16 = WidenF16;                         \
  (table).widen_bf16 = WidenBf16;                       \
  (table).widen_q8_0 = WidenQ8_0;                       \
  (table).turn = Turn;                                  \
  (table).outer_product = OuterProduct;                 \
  (table).add = AddTo;                                  \
  (table).multiply = Multiply;                          \
  (table).to_bf16 = ToBf16;                             \
  (table).scores_f32 = ScoresOf<LoadF32>;               \
  (table).scores_f16 = ScoresOf<LoadF16>;               \
  (table).scores_bf16 = ScoresOf<LoadBf16>;             \
  (table).scores_q8_0 = ScoresOf<LoadQ8_0>;             \
  (table).fold_f32 = FoldOf<LoadF32>;                   \
  (table).fold_f16 = FoldOf<LoadF16>;                   \
  (table).fold_bf16 = FoldOf<LoadBf16>;                 \
  (table).fold_q8_0 = FoldOf<LoadQ8_0>;                 \
  (table).merge = Merge;                                \
  (table).largest = Largest;                            \
  (table).exp_sum = ExpSum
