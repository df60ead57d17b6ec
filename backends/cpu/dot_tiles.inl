// Rows of one kind times rows of another, a tile of them in registers. Included after V (float_kernels.inl tells what that is),
// inside the same unnamed namespace.
//
// A Loader says how rows of the left become factors and meet those of the right:
//   Value, Other           what rows of the left and of the right are made of; Bytes(values) of the left
//   Factor, kStep, kParts  a step takes kStep values of either side, in kParts factors of sixteen lanes
//   Left, Right            (row, i, part): a factor of the step that begins at value i
//   LeftPart, RightPart    (row, i, n, part): the same where only n values are left; the others are 0
//   MultiplyAdd(l, r, sum)
//   Stride(k)              from one row of the right to the next, in Others

// Values widened to float32, which meet float32: lane l takes the values i with i mod 16 = l.
template <typename Loader>
struct MeetsFloats {
  using Other = float;
  using Factor = V;
  static constexpr int kStep = 16, kParts = 1;
  template <typename Value>
  static inline V Left(const Value* row, int64_t i, int) {
    return Loader::Load(row, i);
  }
  template <typename Value>
  static inline V LeftPart(const Value* row, int64_t i, int64_t n, int) {
    return Loader::LoadPart(row, i, n);
  }
  static inline V Right(const float* row, int64_t i, int) { return V::Load(row + i); }
  static inline V RightPart(const float* row, int64_t i, int64_t n, int) { return V::LoadPart(row + i, n); }
  static inline V MultiplyAdd(V l, V r, V sum) { return V::Fma(l, r, sum); }
  static constexpr int64_t Stride(int64_t k) { return k; }
};

// Asks for values `at` .. `at` + count - 1 of a row to come, into the second cache: a few lines beside each row's work, for there
// is no more room for questions than that.
template <typename Loader>
inline void AskNext(const HeadRows& rows, int64_t row, int64_t at, int64_t count) {
  const unsigned char* const from = rows.next + static_cast<size_t>(row) * rows.stride + Loader::Bytes(at);
  for (int64_t i = 0; i < Loader::Bytes(count); i += 64) __builtin_prefetch(from + i, 0, 2);
}

// dots[b * A + a] = left[a] . right[b] for A rows of one side and B of the other. Asks: for what lies `ahead` bytes behind each of
// the left ones, into the second cache.
template <typename Loader, int A, int B, bool Asks>
inline void DotTile(const typename Loader::Value* const* left, const typename Loader::Other* const* right, int64_t k, size_t ahead,
                    float* dots) {
  using Factor = typename Loader::Factor;
  V sum[B][A];
#pragma GCC unroll 8
  for (int b = 0; b < B; ++b)
#pragma GCC unroll 8
    for (int a = 0; a < A; ++a) sum[b][a] = V::Zero();
  const auto add = [&](const Factor* l, Factor r, int b) __attribute__((always_inline)) {
#pragma GCC unroll 8
    for (int a = 0; a < A; ++a) sum[b][a] = Loader::MultiplyAdd(l[a], r, sum[b][a]);
  };
  int64_t i = 0;
  for (; i + Loader::kStep <= k; i += Loader::kStep) {
#pragma GCC unroll 2
    for (int part = 0; part < Loader::kParts; ++part) {
      Factor l[A];
#pragma GCC unroll 8
      for (int a = 0; a < A; ++a) {
        if constexpr (Asks)
          if (part == 0) __builtin_prefetch(reinterpret_cast<const unsigned char*>(left[a] + i) + ahead, 0, 2);
        l[a] = Loader::Left(left[a], i, part);
      }
#pragma GCC unroll 8
      for (int b = 0; b < B; ++b) add(l, Loader::Right(right[b], i, part), b);
    }
  }
  if (i < k) {
#pragma GCC unroll 2
    for (int part = 0; part < Loader::kParts; ++part) {
      Factor l[A];
#pragma GCC unroll 8
      for (int a = 0; a < A; ++a) l[a] = Loader::LeftPart(left[a], i, k - i, part);
#pragma GCC unroll 8
      for (int b = 0; b < B; ++b) add(l, Loader::RightPart(right[b], i, k - i, part), b);
    }
  }
  V::template FoldEach<A, B>(sum, dots);
}

// call.operator()<count>() for a number known at run time, 1 .. V::kColTile.
template <typename Call>
inline void WithColumns(int64_t count, const Call& call) {
  static_assert(V::kColTile <= 5);
  if constexpr (V::kColTile >= 5)
    if (count == 5) return call.template operator()<5>();
  if constexpr (V::kColTile >= 4)
    if (count == 4) return call.template operator()<4>();
  if constexpr (V::kColTile >= 3)
    if (count == 3) return call.template operator()<3>();
  if (count == 2) return call.template operator()<2>();
  call.template operator()<1>();
}

// store(column, r, dots, rows): up to kRowTile rows of the left from r on, against one column of the right. Streams: rows of the
// left are asked for while those before them meet the first columns.
template <typename Loader, bool Streams, typename Store>
inline void DotAll(const HeadRows& rows_of_left, const typename Loader::Other* x, int64_t columns, int64_t k, const Store& store) {
  using Value = typename Loader::Value;
  constexpr int kRows = V::kRowTile;
  const int64_t rows = rows_of_left.count;
  if (columns == 0) return;
  // Tiles are as wide as registers allow, or one less, so that the last is no narrow one.
  const int64_t tiles = (columns + V::kColTile - 1) / V::kColTile, wider = columns - columns / tiles * tiles;
  float dots[kRows * V::kColTile];
  for (int64_t r = 0; r < rows; r += kRows) {
    if (rows_of_left.next)
      for (int64_t a = r; a < r + kRows && a < rows; ++a) AskNext<Loader>(rows_of_left, a, 0, k);
    const Value* left[kRows];
    for (int a = 0; a < kRows; ++a) {  // missing rows repeat the last one
      const int64_t row = r + a < rows ? r + a : rows - 1;
      left[a] = reinterpret_cast<const Value*>(rows_of_left.first + static_cast<size_t>(row) * rows_of_left.stride);
    }
    for (int64_t tile = 0, n = 0, count = 0; tile < tiles; ++tile, n += count) {
      count = columns / tiles + (tile < wider ? 1 : 0);
      const typename Loader::Other* right[V::kColTile];
      for (int64_t b = 0; b < count; ++b) right[b] = x + (n + b) * Loader::Stride(k);
      const size_t ahead = kRows * rows_of_left.stride;
      WithColumns(count, [&]<int B>() {
        if (Streams && tile == 0)
          DotTile<Loader, kRows, B, Streams>(left, right, k, ahead, dots);
        else
          DotTile<Loader, kRows, B, false>(left, right, k, ahead, dots);
      });
      for (int64_t b = 0; b < count; ++b) store(n + b, r, dots + b * kRows, rows - r < kRows ? rows - r : kRows);
    }
  }
}

template <typename Loader>
inline void DotPanel(const Panel& panel, const typename Loader::Other* x, int64_t count, float* y) {
  const HeadRows rows_of_panel = {panel.first, panel.row_bytes, panel.rows, nullptr};
  const auto store = [&](int64_t n, int64_t r, const float* dots, int64_t rows) {
    float* const to = y + n * kPanelRows + r;
    if (rows == V::kRowTile)  // one instruction
      for (int a = 0; a < V::kRowTile; ++a) to[a] = dots[a];
    else
      for (int64_t a = 0; a < rows; ++a) to[a] = dots[a];
  };
  DotAll<Loader, true>(rows_of_panel, x, count, panel.k, store);
}
