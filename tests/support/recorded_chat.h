// Chats of the bundled model's recorded expectations.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "support/user.h"

namespace user {

// [{"role": "user", "content": "..."}, ...]
inline Chat ChatOf(const Model& model, const nlohmann::json& messages) {
  static const std::map<std::string, int32_t> kRoles = {
      {"system", SCOUT_ROLE_SYSTEM}, {"user", SCOUT_ROLE_USER}, {"assistant", SCOUT_ROLE_ASSISTANT}, {"tool", SCOUT_ROLE_TOOL}};
  scout_chat* made = nullptr;
  EXPECT_EQ(scout_chat_new(model.get(), &made), SCOUT_OK) << scout_last_error();
  Chat chat(made);
  for (const nlohmann::json& message : messages) {
    const std::string text = message["content"];
    EXPECT_EQ(scout_chat_add(made, kRoles.at(message["role"]), text.data(), text.size()), SCOUT_OK) << scout_last_error();
  }
  return chat;
}

}  // namespace user
