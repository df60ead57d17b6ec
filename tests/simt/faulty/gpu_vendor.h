// The emulator's words with one that does something else, so that the self-test of a device's instructions can be seen to fail:
// SCOUT_PLANTED is 1 for the matrix instruction's fragments (gpu_matrix.h), 2 for a shuffle, 3 for a division, 4 for copies that
// nobody waits for, 5 for a vote, 6 for copies of which the last group is left out of the wait, 7 for the
// matrix instruction over halves; 8 is no fault: a device without matrix instructions. Of products of four warps: 9 nobody waits
// for arrivals, 10 a thread takes its neighbour's columns of the result for its own, 11 the last group is left out of the wait, 12
// the second factor is said to lie closer together than it does, 13 lanes do not wait for their warp, 14 there is no fence, 15
// those who bring wait for the wrong phase. 16 and 17: launches do not wait for the ones before them. Of products in tensor memory:
// 18 there is no fence, 19 nobody says that what he has stored is there, 20 nothing is committed, 21 the second factor is said to
// lie closer together than it does, 22 nothing is freed, 23 half is reserved, 24 two words of a store are exchanged, 25 factors are
// taken for the other format, 26 nobody waits for arrivals, 27 lanes do not wait for their warp, 28 those who make halves wait for
// the wrong phase.
#pragma once

#include "../gpu_vendor.h"

namespace scout::SCOUT_GPU {

template <typename T, typename Mask>
inline T WrongShflXor(Mask mask, T value, int bits) {
  return ShflXor(mask, value, bits == 8 ? 4 : bits);
}
inline float WrongDivide(float a, float b) { return a * (1.0f / b) * (1 + 0x1p-23f); }
inline double WrongDivide(double a, double b) { return a * (1.0 / b) * (1 + 0x1p-52); }
template <int kGroupsLeft>
inline void NoAsyncWait() {}
template <int kGroupsLeft>
inline void LateAsyncWait() {
  AsyncWait<kGroupsLeft + 1>();
}
template <typename Mask>
inline Mask WrongBallot(Mask mask, bool value) {
  return Ballot(mask, value) >> 1;
}

inline void NoWaitArrivals(SharedRef<Arrivals>, int) {}
inline void WrongWaitArrivals(SharedRef<Arrivals> at, int parity) { WaitArrivals(at, Thread() < 256 ? parity : parity ^ 1); }
inline void HastyWaitArrivals(SharedRef<Arrivals> at, int parity) { WaitArrivals(at, Thread() < 256 ? parity ^ 1 : parity); }
template <typename Mask>
inline void NoSyncWarp(Mask) {}
inline void WaitAtTheEnd() { WaitForEarlier(); }
inline void NoWaitForEarlier() {}

}  // namespace scout::SCOUT_GPU

#if SCOUT_PLANTED == 9 || SCOUT_PLANTED == 26
#define WaitArrivals NoWaitArrivals
#elif SCOUT_PLANTED == 13 || SCOUT_PLANTED == 27
#define SyncWarp NoSyncWarp
#elif SCOUT_PLANTED == 15
#define WaitArrivals WrongWaitArrivals
#elif SCOUT_PLANTED == 28
#define WaitArrivals HastyWaitArrivals
#elif SCOUT_PLANTED == 2
#define ShflXor WrongShflXor
#elif SCOUT_PLANTED == 3
#define Divide WrongDivide
#elif SCOUT_PLANTED == 4
#define AsyncWait NoAsyncWait
#elif SCOUT_PLANTED == 6
#define AsyncWait LateAsyncWait
#elif SCOUT_PLANTED == 5
#define Ballot WrongBallot
#elif SCOUT_PLANTED == 16 || SCOUT_PLANTED == 17
#define WaitForEarlier NoWaitForEarlier
#endif
