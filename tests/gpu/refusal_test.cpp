// What a machine without a device's plug-in is told.
#include <gtest/gtest.h>

#include "backend/backend.h"
#include "backend/device_plugin.h"

namespace scout {
namespace {

TEST(DevicePlugins, AreRefusedWithASentenceWhereTheyAreNotInstalled) {
  for (const std::string_view device : PluginDevices()) {
    // Looked for in the folder "scout" beside this program, where no plug-in lies.
    ASSERT_FALSE(IsPluginInstalled(device));
    try {
      const auto backend = MakeBackend(std::string(device), {});
      FAIL() << device << " was opened";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
      const std::string text = error.what();
      EXPECT_NE(
          text.find("device " + std::string(device) + " needs the plug-in " + std::string(device) + ", which is not installed"),
          std::string::npos)
          << text;
    }
  }
}

TEST(DevicePlugins, AreAmongTheNamesOfAnUnknownDevicesRefusal) {
  try {
    const auto backend = MakeBackend("abacus", {});
    FAIL() << "made";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("\"abacus\""), std::string::npos) << text;
    EXPECT_NE(text.find("cuda, hip"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace scout
