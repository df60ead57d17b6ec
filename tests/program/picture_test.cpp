// scout run --image, and paths of pictures in a chat's lines.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "program/shell.h"
#include "question.h"
#include "support/gguf_writer.h"
#include "support/seeing_model.h"
#include "support/temp_dir.h"

namespace {

using program::Quoted;
using program::Result;
using program::Scout;

const std::string kFiles = SCOUT_SOURCE_DIR "/tests/fixtures/images/files/";

bool HasMedia() { return std::filesystem::exists(SCOUT_BINARY_DIR "/lib/scout/libscout-media.so"); }

// A text model with random weights, alone and with the vision tower of a fixture beside it.
struct Models {
  scout::test::TempDir folder;
  std::string seeing, blind;
  Models() {
    seeing = folder / "seeing/model.gguf";
    blind = folder / "blind.gguf";
    scout::test::WriteSeeingModel(seeing, SCOUT_SOURCE_DIR "/tests/fixtures/vision/square/mmproj-F32.gguf");
    scout::test::WriteFile(blind, scout::test::SeeingModel().Build());
  }
};
const Models& TheModels() {
  static const Models models;
  return models;
}

int64_t PromptTokens(const Result& result) {
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const size_t last = result.out.rfind("{\"text\"");
  return last == std::string::npos ? -1 : nlohmann::json::parse(result.out.substr(last)).value("prompt_tokens", int64_t{-1});
}

TEST(ProgramPictures, AQuestionMayBeAboutSeveral) {
  if (!HasMedia()) GTEST_SKIP() << "it takes libscout-media.so";
  const std::string run = "run " + Quoted(TheModels().seeing) + " -q -n 2 --context 2048 --json what ";
  const std::string one = "--image " + Quoted(kFiles + "half.jpg") + " ",
                    two = one + "--image " + Quoted(kFiles + "exif6.jpg") + " ";
  const int64_t without = PromptTokens(Scout(run)), with_one = PromptTokens(Scout(run + one)),
                with_two = PromptTokens(Scout(run + two));
  EXPECT_GT(without, 0);
  EXPECT_GT(with_one, without + 3);
  EXPECT_GT(with_two, with_one + 3);
}

TEST(ProgramPictures, ARawPromptSaysWhereTheyStand) {
  if (!HasMedia()) GTEST_SKIP() << "it takes libscout-media.so";
  const std::string run = "run " + Quoted(TheModels().seeing) + " -q -n 2 --context 2048 --raw --json ";
  const std::string one = "--image " + Quoted(kFiles + "half.jpg") + " ";
  const int64_t without = PromptTokens(Scout(run + "ab")), with_one = PromptTokens(Scout(run + one + "'a<|image|>b'"));
  EXPECT_EQ(without, 3) << "the begin-of-text token and two bytes";
  EXPECT_GT(with_one, without + 3);
  EXPECT_EQ(PromptTokens(Scout(run + one + one + "'a<|image|>b<|image|>'")), 2 * with_one - without);
}

TEST(ProgramPictures, WhatCannotBeSeenIsSaidInOneLine) {
  if (!HasMedia()) GTEST_SKIP() << "it takes libscout-media.so";
  const std::string image = " --image " + Quoted(kFiles + "half.jpg");
  const auto refused = [](const std::string& arguments, int exit_code, const std::string& because) {
    const Result result = Scout(arguments);
    EXPECT_EQ(result.exit_code, exit_code) << arguments;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_NE(result.err.find(because), std::string::npos) << result.err;
    EXPECT_EQ(result.out, "");
  };
  refused("run " + Quoted(TheModels().blind) + " -q what" + image, 1, "vision");
  refused("run " + Quoted(TheModels().seeing) + " -q --raw what" + image, 1, "the prompt has 0 <|image|> and 1 picture is given");
  refused("run " + Quoted(TheModels().seeing) + " -q --no-vision what" + image, 2, "--no-vision");
  refused("run " + Quoted(TheModels().seeing) + " -q what --image no/such.png", 1, "no/such.png");
  refused("run " + Quoted(TheModels().seeing) + " -q what --image " + Quoted(TheModels().blind), 1, "neither PNG, JPEG nor WebP");
}

std::string Shown(const std::vector<cli::Piece>& pieces) {
  std::string shown;
  for (const cli::Piece& piece : pieces)
    shown += piece.image != nullptr ? "<" + std::filesystem::path(piece.text).filename().string() + ">" : piece.text;
  return shown;
}

TEST(ProgramPictures, PathsInALineAreSeen) {
  if (!HasMedia()) GTEST_SKIP() << "it takes libscout-media.so";
  const scout::test::TempDir folder;
  const std::string plain = kFiles + "half.jpg", spaced = folder / "my cat.JPG";
  std::filesystem::copy_file(plain, spaced);
  std::string escaped;
  for (const char c : spaced) escaped += c == ' ' ? std::string("\\ ") : std::string(1, c);
  EXPECT_EQ(Shown(cli::CutLine("what is " + plain + " about?", true)), "what is <half.jpg> about?");
  EXPECT_EQ(Shown(cli::CutLine("'" + spaced + "' and " + escaped + " differ", true)), "<my cat.JPG> and <my cat.JPG> differ");
  EXPECT_EQ(Shown(cli::CutLine("file://" + plain, true)), "<half.jpg>");
  EXPECT_EQ(Shown(cli::CutLine("\"" + plain + "\"  what?", true)), "<half.jpg>  what?");
  for (const std::string text : {"don't say \"no.png\", isn't it 'so", "no/such.png", "a\\b 'c", "", "   "})
    EXPECT_EQ(Shown(cli::CutLine(text, true)), text);
  EXPECT_EQ(Shown(cli::CutLine("what is " + plain, false)), "what is " + plain);
  scout::test::WriteFile(folder / "bad.png", "no picture");
  EXPECT_THROW(cli::CutLine("what is " + (folder / "bad.png"), true), cli::Failure);
}

}  // namespace
