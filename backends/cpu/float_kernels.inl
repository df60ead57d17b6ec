// Float kernels over a vector of sixteen lanes, written once. Each instruction set defines a type V (sixteen float32 lanes, with
// static functions) and includes this file inside its own unnamed namespace; nothing here has external linkage.
//
// V offers: Zero, Set, Load, LoadPart(p, n) (lanes from n on are 0), LoadF16/LoadF16Part, LoadBf16/LoadBf16Part, Store,
// StorePart, Add, Sub, Mul, Div, Fma(a, b, c), Max (b where either is NaN), Fold (lane l takes l + 8, + 4, + 2, + 1),
// Exp2Scale(p, n) and the comparisons that Exp needs; kRowTile x kColTile accumulators that fit the registers.

struct LoadF32 {
  using Value = float;
  static inline V Load(const Value* p) { return V::Load(p); }
  static inline V LoadPart(const Value* p, int64_t n) { return V::LoadPart(p, n); }
};
struct LoadF16 {
  using Value = uint16_t;
  static inline V Load(const Value* p) { return V::LoadF16(p); }
  static inline V LoadPart(const Value* p, int64_t n) {
    Value part[16] = {};
    for (int64_t i = 0; i < n; ++i) part[i] = p[i];
    return V::LoadF16(part);
  }
};
struct LoadBf16 {
  using Value = uint16_t;
  static inline V Load(const Value* p) { return V::LoadBf16(p); }
  static inline V LoadPart(const Value* p, int64_t n) {
    Value part[16] = {};
    for (int64_t i = 0; i < n; ++i) part[i] = p[i];
    return V::LoadBf16(part);
  }
};

// dots[a * dot_stride + b] = DotLanes(left[a], right[b]) for A rows of one side and B of the other. Loads of the left are widened.
template <typename Loader, int A, int B>
inline void DotTile(const typename Loader::Value* const* left, const float* const* right, int64_t k, float* dots,
                    int64_t dot_stride) {
  V sum[A][B];
  for (int a = 0; a < A; ++a)
    for (int b = 0; b < B; ++b) sum[a][b] = V::Zero();
  int64_t i = 0;
  for (; i + 16 <= k; i += 16) {
    V r[B];
    for (int b = 0; b < B; ++b) r[b] = V::Load(right[b] + i);
    for (int a = 0; a < A; ++a) {
      const V l = Loader::Load(left[a] + i);
      for (int b = 0; b < B; ++b) sum[a][b] = V::Fma(l, r[b], sum[a][b]);
    }
  }
  if (i < k) {
    for (int a = 0; a < A; ++a) {
      const V l = Loader::LoadPart(left[a] + i, k - i);
      for (int b = 0; b < B; ++b) sum[a][b] = V::Fma(l, V::LoadPart(right[b] + i, k - i), sum[a][b]);
    }
  }
  for (int a = 0; a < A; ++a)
    for (int b = 0; b < B; ++b) dots[a * dot_stride + b] = V::Fold(sum[a][b]);
}

// As above with a number of right rows known at run time, 1 .. V::kColTile.
template <typename Loader, int A>
inline void DotColumns(const typename Loader::Value* const* left, const float* const* right, int columns, int64_t k, float* dots,
                       int64_t dot_stride) {
  static_assert(V::kColTile <= 4);
  if constexpr (V::kColTile >= 4) {
    if (columns == 4) return DotTile<Loader, A, 4>(left, right, k, dots, dot_stride);
    if (columns == 3) return DotTile<Loader, A, 3>(left, right, k, dots, dot_stride);
  }
  if (columns == 2) return DotTile<Loader, A, 2>(left, right, k, dots, dot_stride);
  DotTile<Loader, A, 1>(left, right, k, dots, dot_stride);
}

template <typename Loader>
void PanelOf(const Panel& panel, const float* x, int64_t count, float* y) {
  using Value = typename Loader::Value;
  const int64_t k = panel.k;
  float dots[V::kRowTile * V::kColTile];
  for (int r = 0; r < panel.rows; r += V::kRowTile) {
    const Value* rows[V::kRowTile];
    for (int a = 0; a < V::kRowTile; ++a) {  // missing rows repeat the last one
      const int row = r + a < panel.rows ? r + a : panel.rows - 1;
      rows[a] = reinterpret_cast<const Value*>(panel.first + static_cast<size_t>(row) * panel.row_bytes);
    }
    for (int64_t n = 0; n < count; n += V::kColTile) {
      const int columns = count - n < V::kColTile ? static_cast<int>(count - n) : V::kColTile;
      const float* right[V::kColTile];
      for (int b = 0; b < columns; ++b) right[b] = x + (n + b) * k;
      DotColumns<Loader, V::kRowTile>(rows, right, columns, k, dots, V::kColTile);
      for (int a = 0; a < V::kRowTile && r + a < panel.rows; ++a)
        for (int b = 0; b < columns; ++b) y[(n + b) * kPanelRows + r + a] = dots[a * V::kColTile + b];
    }
  }
}

template <typename Loader>
void ScoresOf(const float* q, int64_t heads, int64_t d, const HeadRows& k, float scale, float* scores, int64_t score_stride) {
  using Value = typename Loader::Value;
  float dots[V::kRowTile * V::kColTile];
  for (int64_t j = 0; j < k.count; j += V::kRowTile) {
    const Value* rows[V::kRowTile];
    for (int a = 0; a < V::kRowTile; ++a) {
      const int64_t row = j + a < k.count ? j + a : k.count - 1;
      rows[a] = reinterpret_cast<const Value*>(k.first + static_cast<size_t>(row) * k.stride);
    }
    for (int64_t g = 0; g < heads; g += V::kColTile) {
      const int columns = heads - g < V::kColTile ? static_cast<int>(heads - g) : V::kColTile;
      const float* right[V::kColTile];
      for (int b = 0; b < columns; ++b) right[b] = q + (g + b) * d;
      DotColumns<Loader, V::kRowTile>(rows, right, columns, d, dots, V::kColTile);
      for (int a = 0; a < V::kRowTile && j + a < k.count; ++a)
        for (int b = 0; b < columns; ++b) scores[(g + b) * score_stride + j + a] = dots[a * V::kColTile + b] * scale;
    }
  }
}

// H heads x C vectors of o stay in registers while the values go by.
template <typename Loader, int H, int C>
inline void FoldTile(const float* w, int64_t w_stride, int64_t d, const HeadRows& v, int64_t at, float* o) {
  V sum[H][C];
  for (int h = 0; h < H; ++h)
    for (int c = 0; c < C; ++c) sum[h][c] = V::Load(o + h * d + at + 16 * c);
  for (int64_t j = 0; j < v.count; ++j) {
    const auto* const row = reinterpret_cast<const typename Loader::Value*>(v.first + static_cast<size_t>(j) * v.stride) + at;
    V value[C];
    for (int c = 0; c < C; ++c) value[c] = Loader::Load(row + 16 * c);
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
  constexpr int kHeads = V::kColTile;
  int64_t h = 0;
  for (; h + kHeads <= heads; h += kHeads) FoldTile<Loader, kHeads, C>(w + h * w_stride, w_stride, d, v, at, o + h * d);
  for (; h < heads; ++h) FoldTile<Loader, 1, C>(w + h * w_stride, w_stride, d, v, at, o + h * d);
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
      const auto* const row = reinterpret_cast<const typename Loader::Value*>(v.first + static_cast<size_t>(j) * v.stride) + at;
      sum = V::Fma(V::Set(w[h * w_stride + j]), Loader::LoadPart(row, d - at), sum);
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

#define SCOUT_FLOAT_KERNELS(table)          \
  (table).f32 = PanelOf<LoadF32>;           \
  (table).f16 = PanelOf<LoadF16>;           \
  (table).bf16 = PanelOf<LoadBf16>;         \
  (table).sum_of_squares = SumOfSquares;    \
  (table).scale_by = ScaleBy;               \
  (table).swiglu = SwiGlu;                  \
  (table).add = AddTo;                      \
  (table).multiply = Multiply;              \
  (table).to_bf16 = ToBf16;                 \
  (table).scores_f32 = ScoresOf<LoadF32>;   \
  (table).scores_f16 = ScoresOf<LoadF16>;   \
  (table).scores_bf16 = ScoresOf<LoadBf16>; \
  (table).fold_f32 = FoldOf<LoadF32>;       \
  (table).fold_f16 = FoldOf<LoadF16>;       \
  (table).fold_bf16 = FoldOf<LoadBf16>;     \
  (table).merge = Merge;                    \
  (table).largest = Largest;                \
  (table).exp_sum = ExpSum
