// Plug-ins: parts of the library that need other libraries, in files of their own, opened when first needed.
//
// libscout-NAME.so lies in the folder "scout" beside libscout.so, or in a folder that the caller names; it is looked for nowhere
// else: no search path, no variable, no current folder. It is accepted when it says the same contract as the library (a hash of the
// headers between the two), so that a file of another build is refused with a sentence instead of called. Once accepted it stays
// for the life of the process: what it brought in may have threads and tables of its own.
#pragma once

#include <string>
#include <string_view>

#include "base/plugin_entry.h"

namespace scout {

struct PluginRequest {
  std::string_view name;      // "media"
  std::string_view contract;  // what PluginEntry::contract must be
  std::string_view folder;    // empty: "scout" beside the library
  std::string_view purpose;   // for the sentence that says it is missing: "reading PNG, JPEG and WebP"
};

// The file that OpenPlugin would open, whether it is there or not; empty where the system does not say where the library lies.
std::string PluginPath(std::string_view name, std::string_view folder);

// Whether that file is there; what it is shows when it is opened.
bool IsPluginThere(std::string_view name, std::string_view folder);

// Throws kUnsupported with a sentence: no such file, not loadable (and what the system says), no plug-in, of another build, or a
// process that has no loader because its program is static. Nothing is remembered about a failure. Any thread.
const PluginEntry& OpenPlugin(const PluginRequest& request);

}  // namespace scout
