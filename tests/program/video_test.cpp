// scout run --video, and paths of clips in a chat's lines.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "program/shell.h"
#include "question.h"
#include "support/clip_writer.h"
#include "support/gguf_writer.h"
#include "support/seeing_model.h"
#include "support/temp_dir.h"

namespace {

using program::Quoted;
using program::Result;
using program::Scout;

// A text model with random weights and the vision tower of a fixture beside it; a clip of three seconds.
struct Files {
  scout::test::TempDir folder;
  std::string model, clip;
  Files() {
    scout::test::WriteSeeingModel(model = folder / "model.gguf", SCOUT_SOURCE_DIR "/tests/fixtures/vision/square/mmproj-F32.gguf");
    const auto bytes = clips::Make({.container = "mov", .encoder = "mjpeg", .width = 96, .height = 96},
                                   [](int frame) { return clips::CircleGoesRight(96, 96, frame); });
    if (bytes) scout::test::WriteFile(clip = folder / "my clip.MOV", *bytes);
  }
};

const Files& TheFiles() {
  static const Files files;
  return files;
}

class ProgramVideo : public testing::Test {
 protected:
  void SetUp() override {
    if (TheFiles().clip.empty()) GTEST_SKIP() << "this build has no FFmpeg: it reads no video and makes no clips";
  }
};

int64_t PromptTokens(const std::string& arguments) {
  const Result result = Scout("run " + Quoted(TheFiles().model) + " -q -n 2 --context 2048 --json what " + arguments);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const size_t last = result.out.rfind("{\"text\"");
  return last == std::string::npos ? -1 : nlohmann::json::parse(result.out.substr(last)).value("prompt_tokens", int64_t{-1});
}

TEST_F(ProgramVideo, AQuestionMayBeAboutAClip) {
  const std::string clip = "--video " + Quoted(TheFiles().clip);
  const int64_t none = PromptTokens(""), three = PromptTokens(clip), six = PromptTokens(clip + " --fps 2"),
                one = PromptTokens(clip + " --frames 1");
  EXPECT_GT(none, 0);
  EXPECT_GT(one, none);
  // The times of all these frames have as many tokens.
  EXPECT_EQ(three - none, 3 * (one - none));
  EXPECT_EQ(six - none, 6 * (one - none));
  EXPECT_EQ(PromptTokens(clip + " --fps 2 --scene-change 100"), one);
}

TEST_F(ProgramVideo, WhatCannotBeShownIsSaidInOneLine) {
  const auto refused = [](const std::string& arguments, int exit_code, const std::string& because) {
    const Result result = Scout("run " + Quoted(TheFiles().model) + " -q what " + arguments);
    EXPECT_EQ(result.exit_code, exit_code) << arguments;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_NE(result.err.find(because), std::string::npos) << result.err;
    EXPECT_EQ(result.out, "");
  };
  const std::string clip = "--video " + Quoted(TheFiles().clip);
  refused(clip + " --raw", 2, "--raw");
  refused(clip + " --fps 1000", 1, "max_frames");
  refused("--video no/such.mp4", 1, "no/such.mp4");
  refused("--video " + Quoted(TheFiles().model), 1, "MP4, QuickTime, Matroska and WebM");
  refused("--video http://127.0.0.1:9/a.mp4", 1, "never over a network");
}

TEST_F(ProgramVideo, PathsInALineAreSeen) {
  const std::vector<cli::Piece> pieces = cli::CutLine("what moves in '" + TheFiles().clip + "' ?", true);
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[0].text, "what moves in ");
  EXPECT_NE(pieces[1].video, nullptr);
  EXPECT_EQ(pieces[1].image, nullptr);
  EXPECT_EQ(pieces[2].text, " ?");
  EXPECT_EQ(cli::CutLine("what moves in '" + TheFiles().clip + "' ?", false).size(), 1u);
  EXPECT_EQ(cli::CutLine("no/such.mp4", true)[0].video, nullptr);
  const scout::test::TempDir folder;
  scout::test::WriteFile(folder / "bad.webm", "no clip at all");
  EXPECT_THROW(cli::CutLine("what is " + (folder / "bad.webm"), true), cli::Failure);
}

}  // namespace
