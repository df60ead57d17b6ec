// The packed layout: sixteen rows of a quantised weight, rearranged once at load so that lane r of a register is row r.
//
// A panel of sixteen rows is a run of blocks (256 values of K for the K-quants, 32 for the others), with the blocks' floats between
// them. Every part of a block is whole lines of 64 bytes; bytes 4 r .. 4 r + 3 of a line belong to row r. A *group* g is the four
// codes of values 4 g .. 4 g + 3 of the block, so that a line of bytes meets four activations in one vpdpbusd. Codes are unsigned:
// those of signed formats have their offset (4, 8, 16, 32 or 128) added.
//
//   fields     of W bits, the bits of a few lines of neighbouring groups: whole groups first, from bit 0 of each line on, and
//              what is left over at the lines' tops makes the last ones, so that taking a group apart is one or two instructions:
//     4 bits   line i: bits 0-3 are group 2 i, bits 4-7 group 2 i + 1
//     2 bits   lines 4 i + j, j < 4: bits 2 t, 2 t + 1 are group 16 i + 4 t + j, so that a field of four lines is a run of 16
//              values, whose sum of products can be shifted instead of each line
//     6 bits   lines 3 i + t, t < 3: bits 0-5 are group 4 i + t, bits 6-7 are bits 2 t, 2 t + 1 of group 4 i + 3
//     5 bits   lines 5 i + t, t < 5: bits 0-4 are group 8 i + t; the tops of t < 3 are bits 0-2 of group 8 i + 5 + t; bits 5-6
//              of t = 3 and of t = 4 are bits 3-4 of groups 8 i + 5 and 8 i + 6, their bits 7 bits 3 and 4 of group 8 i + 7
//     3 bits   lines 3 i + t, t < 3: bits 0-2 are group 8 i + t, bits 3-5 group 8 i + 3 + t; bits 6-7 of t < 2 are bits 0-1 of
//              group 8 i + 6 + t, and those of t = 2 their bits 2
//   bytes      line i: group i
//   scales     the file's own bytes: line i has bytes 4 i .. 4 i + 3 of the row's scales, in their order
//
//            lines of a block            floats of a row and block
//   Q4_K     3 scales, 32 of 4 bits      d, dmin
//   Q5_K     3 scales, 40 of 5 bits      d, dmin
//   Q6_K     4 scales, 48 of 6 bits      d
//   Q3_K     3 scales, 24 of 3 bits      d
//   Q2_K     4 scales, 16 of 2 bits      d, dmin
//   Q4_0     4 of 4 bits                 d
//   Q4_1     4 of 4 bits                 d, m
//   Q5_0     5 of 5 bits                 d
//   Q5_1     5 of 5 bits                 d, m
//   Q8_0     8 bytes                     d
//
// Floats are binary16 as in the file. Two of a block make a line of their own before it, row r's at 4 r; those of two blocks with
// one share a line before the first of them, row r's at 2 r and 32 + 2 r. So a panel has as many bytes as its rows had in the
// file, up to the last line, and everything is read in its order: what a block needs first lies first.
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
