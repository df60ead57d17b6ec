// scout tiles and scout tokenize --image.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "program/shell.h"

namespace {

using nlohmann::json;
using program::Quoted;
using program::Result;
using program::Scout;

const std::string kFiles = SCOUT_SOURCE_DIR "/tests/fixtures/images/files/";

bool HasMedia() { return goldens::fs::exists(SCOUT_BINARY_DIR "/lib/scout/libscout-media.so"); }

TEST(ProgramTiles, TellsGridAndTokens) {
  if (!HasMedia()) GTEST_SKIP() << "this build has no libscout-media.so";
  const Result result = Scout("tiles " + Quoted(kFiles + "exif6.jpg") + " --json");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json report = json::parse(result.out);
  EXPECT_EQ(report["format"], "JPEG");
  EXPECT_EQ(report["width"], 43);
  EXPECT_EQ(report["height"], 61);
  EXPECT_EQ(report["tiles"], 1);
  EXPECT_EQ(report["tokens"], 147);
}

TEST(ProgramTiles, WritesASheetThatItCanReadItself) {
  if (!HasMedia()) GTEST_SKIP() << "this build has no libscout-media.so";
  const auto sheet = program::Scratch() / "sheet.png";
  const Result result = Scout("tiles " + Quoted(kFiles + "lossless.webp") + " -o " + Quoted(sheet.string()));
  if (result.exit_code != 0 && result.err.find("built without libpng") != std::string::npos) GTEST_SKIP() << result.err;
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("1 x 1 tiles of 336 pixels, drawn 336 x 236: 147 tokens"), std::string::npos) << result.out;
  const Result again = Scout("tiles " + Quoted(sheet.string()) + " --json");
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(json::parse(again.out)["width"], 336 + 16);
}

TEST(ProgramTiles, WhatIsNoPictureIsOneLineOnStderr) {
  const auto file = program::Scratch() / "picture.png";
  std::ofstream(file) << "GIF89a";
  for (const std::string& path : {file.string(), std::string("/no/such/picture.png")}) {
    const Result result = Scout("tiles " + Quoted(path));
    EXPECT_EQ(result.exit_code, 1) << path;
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_NE(result.err.find("picture.png"), std::string::npos) << result.err;
  }
}

TEST(ProgramTiles, TokenizeTakesAPicture) {
  const std::string model = SCOUT_SOURCE_DIR "/examples/models/scout-tiny.gguf";
  if (!HasMedia() || !goldens::fs::exists(model)) GTEST_SKIP() << "it takes libscout-media.so and the bundled model";
  const Result result = Scout("tokenize " + Quoted(model) + " -q --count --image " + Quoted(kFiles + "half.jpg"));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "19\n");  // sixteen rows of a tile of its tower, and what stands around them
}

}  // namespace
