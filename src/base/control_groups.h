// The control groups that this process lives in, for limits on memory and processors.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace scout {

// The text of a small system file, or nothing.
std::optional<std::string> ReadSystemFile(const std::string& path);

// The number at the start of `text`, blanks aside; nothing for "max", for no number, and for one past 64 bits.
std::optional<uint64_t> LeadingNumber(std::string_view text);

struct ControlGroup {
  std::string folder;  // where its files are
  std::string name;    // "/user.slice", for messages; "/" for the root
  bool version1 = false;
};

// Calls `visit` for the process's group and every one above it that has a say over `controller` ("memory", "cpu"), in the
// hierarchies of version 1 and 2. Inside a container the names may lead to folders that are not visible.
void ForEachControlGroup(const std::string& root, std::string_view controller,
                         const std::function<void(const ControlGroup&)>& visit);

}  // namespace scout
