// Compiled several times: a plug-in as it should be, and what is wrong with the others.
#include "base/plugin_entry.h"

namespace {

const int kTable = 42;

#if defined(PLUGIN_IS_OTHER_CONTRACT)
constexpr char kContract[] = "test-2";
#else
constexpr char kContract[] = "test-1";
#endif
#if defined(PLUGIN_IS_GOOD)
constexpr char kName[] = "good";
#elif defined(PLUGIN_IS_OTHER_CONTRACT)
constexpr char kName[] = "other_contract";
#elif defined(PLUGIN_IS_NO_TABLE)
constexpr char kName[] = "no_table";
#else
constexpr char kName[] = "somebody else";
#endif
#if defined(PLUGIN_IS_OLD_ENTRY)
constexpr uint32_t kBytes = 8;
#else
constexpr uint32_t kBytes = sizeof(scout::PluginEntry);
#endif
#if defined(PLUGIN_IS_NO_TABLE)
constexpr const void* kGiven = nullptr;
#else
constexpr const void* kGiven = &kTable;
#endif
[[maybe_unused]] const scout::PluginEntry kEntry = {scout::kPluginMagic, kBytes, kName, kContract, "0.0.9", kGiven};

}  // namespace

#if defined(PLUGIN_IS_MISSING_LIBRARY)
extern "C" int needed_by_a_plugin();
extern "C" __attribute__((visibility("default"))) int uses_it();
extern "C" int uses_it() { return needed_by_a_plugin(); }
#endif
#if !defined(PLUGIN_IS_NO_ENTRY)
extern "C" __attribute__((visibility("default"))) const scout::PluginEntry* scout_plugin_entry() noexcept;
extern "C" const scout::PluginEntry* scout_plugin_entry() noexcept { return &kEntry; }
#endif
