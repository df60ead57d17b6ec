// What is opened as a plug-in, and the sentence for everything else.
#include "base/plugin.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/error.h"
#include "base/process.h"

namespace scout {
namespace {

namespace fs = std::filesystem;

std::string Refusal(std::string_view name, std::string_view folder = TEST_PLUGINS) {
  try {
    (void)OpenPlugin({.name = name, .contract = "test-1", .folder = folder, .purpose = "testing"});
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    const std::string message = error.what();
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message;
  }
  return "";
}

void ExpectSays(const std::string& message, std::initializer_list<const char*> parts) {
  for (const char* part : parts) EXPECT_NE(message.find(part), std::string::npos) << "\"" << message << "\" lacks " << part;
}

TEST(Plugin, GivesItsTable) {
  const PluginEntry& entry = OpenPlugin({.name = "good", .contract = "test-1", .folder = TEST_PLUGINS, .purpose = "testing"});
  EXPECT_EQ(*static_cast<const int*>(entry.table), 42);
  const PluginEntry& again = OpenPlugin({.name = "good", .contract = "test-1", .folder = TEST_PLUGINS, .purpose = "testing"});
  EXPECT_EQ(&entry, &again);
}

TEST(Plugin, MissingIsASentenceThatNamesPurposeAndFile) {
  ExpectSays(Refusal("absent"), {"testing needs the plug-in absent", "not installed", TEST_PLUGINS "/libscout-absent.so"});
}

TEST(Plugin, OfAnotherBuildIsRefused) {
  ExpectSays(Refusal("other_contract"), {"another libscout (0.0.9", "contract test-2", "expected test-1"});
  ExpectSays(Refusal("old_entry"), {"another libscout"});
  ExpectSays(Refusal("other_name"), {"somebody else", "expected other_name"});
  ExpectSays(Refusal("no_entry"), {"no plug-in of libscout", "scout_plugin_entry"});
  ExpectSays(Refusal("no_table"), {"gives no table"});
}

TEST(Plugin, TellsWhatTheLoaderSays) {
  ExpectSays(Refusal("missing_library"), {"cannot be opened", "libplugin_needed.so"});
  const fs::path folder = fs::path(testing::TempDir()) / "no_plugins";
  fs::create_directories(folder);
  std::ofstream(folder / "libscout-text.so") << "this is no library\n";
  ExpectSays(Refusal("text", folder.string()), {"cannot be opened", "libscout-text.so"});
  fs::create_directories(folder / "libscout-folder.so");
  ExpectSays(Refusal("folder", folder.string()), {"cannot be opened"});
  fs::remove_all(folder);
}

TEST(Plugin, IsLookedForInOneFolderOnly) {
  EXPECT_EQ(PluginPath("media", ""), OwnFolder() + "scout/libscout-media.so");
  EXPECT_EQ(PluginPath("media", "/opt/x"), "/opt/x/libscout-media.so");
  // Without a '/' the loader would search its own path.
  EXPECT_EQ(PluginPath("media", "plugins"), "./plugins/libscout-media.so");
  EXPECT_FALSE(OwnFolder().empty());
  EXPECT_TRUE(fs::is_directory(OwnFolder()));
}

}  // namespace
}  // namespace scout
