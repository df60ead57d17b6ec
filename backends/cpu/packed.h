// The packed layout: sixteen rows of a quantised weight, rearranged once at load so that lane r of a register is row r.
//
// A panel of sixteen rows is a run of blocks (256 values of K for the K-quants, 32 for the others), then the blocks' floats. Every
// part of a block is whole lines of 64 bytes; bytes 4 r .. 4 r + 3 of a line belong to row r. A *group* g is the four codes of
// values 4 g .. 4 g + 3 of the block, so that a line of bytes meets four activations in one vpdpbusd. Codes are unsigned: those of
// signed formats have their offset (4, 8, 16, 32 or 128) added.
//
//   nibbles    line i: bits 0-3 are bits 0-3 of group 2 i, bits 4-7 those of group 2 i + 1
//   pairs      line i: bits 2 t, 2 t + 1 are two bits of group 4 i + t   (bits 0-1 of Q2_K and Q3_K, bits 4-5 of Q6_K)
//   bits       line i: bit t is one bit of group 8 i + t                 (bit 4 of Q5_*, bit 2 of Q3_K)
//   bytes      line i: group i                                           (Q8_0)
//   scales     the file's own bytes: line i has bytes 4 i .. 4 i + 3 of the row's scales, in their order
//
//            lines of a block                             floats of a row and block
//   Q4_K     32 nibbles, 3 scales                         d, dmin
//   Q5_K     32 nibbles, 8 bits, 3 scales                 d, dmin
//   Q6_K     32 nibbles, 16 pairs, 4 scales               d
//   Q3_K     16 pairs, 8 bits, 3 scales                   d
//   Q2_K     16 pairs, 4 scales                           d, dmin
//   Q4_0     4 nibbles                                    d
//   Q4_1     4 nibbles                                    d, m
//   Q5_0     4 nibbles, 1 bits                            d
//   Q5_1     4 nibbles, 1 bits                            d, m
//   Q8_0     8 bytes                                      d
//
// Floats are binary16 as in the file: for block b of row r one at 2 (16 b + r), or two at 4 (16 b + r). They come last so that the
// blocks keep to lines. So a panel has as many bytes as its rows had in the file, up to the last line.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace scout::cpu {

// Bytes of a panel of sixteen rows of k values, a multiple of 64; 0 for a format that is not packed.
size_t PackedPanelBytes(DType format, int64_t k);

// rows: sixteen rows of k values in the file's blocks, one after the other. panel: [PackedPanelBytes], aligned to 64.
void PackPanel(DType format, const std::byte* rows, int64_t k, std::byte* panel);

}  // namespace scout::cpu
