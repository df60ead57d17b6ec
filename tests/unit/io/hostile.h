// The contract that every malformed checkpoint must meet, as one function.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace scout::io {

struct HostileCase {
  std::string id;     // row of the catalogue, then what is wrong: "G07 key length 2^64-1"
  std::string bytes;  // of the file
  ErrorCode code;
  std::vector<std::string> says;  // the message holds each of these
  double cpu_s = 1.0;             // most seconds of processor time; more under a sanitizer (support/bounded_call.h)
  int64_t peak_bytes = -1;        // most extra memory; -1: 4 MiB + twice the input
};

// Opens `path` (a file or folder of `input_bytes`) on a small stack and checks: it is refused with `code`; the message is one
// printable line of at most 500 characters that holds every text of `says` and no address; time and memory are bounded; no
// allocation and no descriptor is left; and a good file opens afterwards with the same bytes as before. Returns the message.
std::string ExpectRefused(const std::string& id, const std::string& path, uint64_t input_bytes, ErrorCode code,
                          const std::vector<std::string>& says, double cpu_s = 1.0, int64_t peak_bytes = -1);

// Writes each case to a file of its own and calls ExpectRefused.
void ExpectAllRefused(const std::vector<HostileCase>& cases);

// The same bounds for something that is accepted.
void ExpectAccepted(const std::string& id, const std::string& path, uint64_t input_bytes, double cpu_s = 1.0);

}  // namespace scout::io
