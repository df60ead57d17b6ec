// Where the parts of a packed panel lie (packed.h), in bytes from its beginning. Included inside an unnamed namespace by everything
// that writes or reads panels, whatever instruction set it is compiled for.

template <int Lines, bool TwoFloats>
constexpr int64_t BlockAt(int64_t b) {
  return 64 * (TwoFloats ? b * (Lines + 1) + 1 : b * Lines + b / 2 + 1);
}
template <int Lines, bool TwoFloats>
constexpr int64_t FloatsAt(int64_t b) {
  return TwoFloats ? 64 * b * (Lines + 1) : 64 * (b / 2) * (2 * Lines + 1) + 32 * (b % 2);
}

// Groups that are taken apart together, as their fields lie together: those of 64 values for codes of two bits, of 32 for others.
template <int Bits>
constexpr int kGroupsTogether = Bits == 2 ? 16 : 8;
