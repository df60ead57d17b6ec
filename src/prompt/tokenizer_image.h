// A tokenizer's tables as one block of bytes, to be used where it lies: the way around reading a vocabulary of hundreds of
// thousands of entries and hashing each of them.
//
//   ImageHeader    numbers of entries, flags, seeds
//   arrays, each from a multiple of 64 on, zeros between, in the order of the header's counts:
//     begin u32 [tokens + 1], slots [slots], pair slots [pair_slots], results i32 [results], merges [merges],
//     ranks u32 [65536] of pairs of bytes, stops i32 [stops], kinds u8 [tokens], blob [blob_bytes]
//
// The block comes from a file, so every count is compared with the block's size and every number that a method follows is looked at
// once (a few million of them take a few milliseconds): whatever the block holds, the tokenizer stays inside it. Whether it holds
// the right tables is the business of the file's hash.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "prompt/tokenizer.h"

namespace scout::prompt {

std::string WriteImage(const Tokenizer& tokenizer);

// image: aligned to 64, and there as long as `owner`. Throws kFormat, kTruncated or kLimit naming field, value and limit.
std::shared_ptr<const Tokenizer> ReadImage(std::span<const std::byte> image, std::shared_ptr<const void> owner);

}  // namespace scout::prompt
