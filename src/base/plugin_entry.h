// What a plug-in's file gives away: one C function that returns one description. Seen by the library and by its plug-ins; nothing
// of C++ crosses that line, nothing throws across it.
#pragma once

#include <cstdint>

namespace scout {

inline constexpr uint32_t kPluginMagic = 0x50435331;  // "1SCP"

struct PluginEntry {
  uint32_t magic;        // kPluginMagic
  uint32_t entry_bytes;  // sizeof(PluginEntry)
  const char* name;      // "media"
  const char* contract;  // identifies the headers that both sides were compiled with; must equal the library's, byte for byte
  const char* version;   // of the libscout that it was built with, for messages
  const void* table;     // what the contract says
};

using PluginEntryFunction = const PluginEntry* (*)() noexcept;

inline constexpr char kPluginSymbol[] = "scout_plugin_entry";

}  // namespace scout
