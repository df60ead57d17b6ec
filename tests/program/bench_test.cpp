// `scout bench`: not how fast, but that what it says about bytes, operations and fractions follows from the model and the probes.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "program/shell.h"

namespace {

using nlohmann::json;
using program::Quoted;
using program::Result;
using program::Scout;

const std::string kTiny = SCOUT_SOURCE_DIR "/examples/models/scout-tiny.gguf";

json Report(const std::string& arguments) {
  const Result result = Scout("bench " + Quoted(kTiny) + " --json -t 1 --probe-mb 16 " + arguments);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return result.exit_code == 0 ? json::parse(result.out) : json();
}

struct Tensors {
  double bytes = 0, weights = 0;
};

// Those whose name holds one of the parts, or is one that begins with "=".
Tensors Named(const json& inspected, std::initializer_list<const char*> parts) {
  Tensors sum;
  for (const json& tensor : inspected["tensors"]) {
    const std::string name = tensor["name"];
    if (tensor["shape"].size() < 2 || name.rfind("v.", 0) == 0) continue;  // no step of text reads the vision tower
    for (const char* part : parts) {
      if (part[0] == '=' ? name != part + 1 : name.find(part) == std::string::npos) continue;
      sum.bytes += tensor["bytes"].get<double>();
      double weights = 1;
      for (const json& dim : tensor["shape"]) weights *= dim.get<double>();
      sum.weights += weights;
      break;
    }
  }
  return sum;
}

json PhaseOf(const json& work, const std::string& name) {
  for (const json& phase : work)
    if (phase["phase"] == name) return phase;
  ADD_FAILURE() << "no phase " << name << " in " << work;
  return {};
}

class Bench : public testing::Test {
 protected:
  void SetUp() override {
    if (!goldens::fs::exists(kTiny)) GTEST_SKIP() << "the bundled model is not there";
    inspected_ = json::parse(Scout("inspect " + Quoted(kTiny) + " --tensors --json").out);
  }
  json inspected_;
};

TEST_F(Bench, CountsTheBytesAndOperationsThatAStepCannotDoWithout) {
  const json report = Report("-p 16 -n 5 -b 3 -r 1 --no-probes");
  const json& work = report["decode"]["work"];
  const double experts = inspected_["experts"], used = inspected_["experts_used"], layers = inspected_["layers"];
  const Tensors routed = Named(inspected_, {"_exps."}), head = Named(inspected_, {"=output.weight"}),
                attention = Named(inspected_, {"attn_"});

  const double wanted = 1 - std::pow(1 - used / experts, 3);  // of an expert, by three random rows
  EXPECT_NEAR(PhaseOf(work, "routed experts")["bytes"], routed.bytes * wanted, 1);
  EXPECT_NEAR(PhaseOf(work, "routed experts")["operations"], 2 * routed.weights * used / experts * 3, 1);
  EXPECT_NEAR(PhaseOf(work, "attention projections")["bytes"], attention.bytes, 1);
  EXPECT_NEAR(PhaseOf(work, "attention projections")["operations"], 2 * attention.weights * 3, 1);
  if (!inspected_["tied_head"].get<bool>()) {
    EXPECT_NEAR(PhaseOf(work, "head")["bytes"], head.bytes, 1);
    EXPECT_NEAR(PhaseOf(report["prefill"]["work"], "head")["operations"], 2 * head.weights * 3, 1);  // the last row of each prompt
  }
  // 4 heads head_dim operations for each key; the position is between the prompt's end and the last token's.
  const double each = 4 * inspected_["heads"].get<double>() * inspected_["head_dim"].get<double>() * layers * 3;
  const double keys = PhaseOf(work, "attention over keys")["operations"].get<double>() / each;
  EXPECT_GE(keys, 17);
  EXPECT_LE(keys, 40);
}

TEST_F(Bench, FractionsAreWorkOverProbesOverTime) {
  const json report = Report("-p 16 -n 9 -r 2");
  for (const char* name : {"prefill", "decode"}) {
    const json& phase = report[name];
    double bytes = 0, ops = 0;
    for (const json& part : phase["work"]) {
      bytes += part["bytes"].get<double>();
      ops += part["operations"].get<double>();
    }
    const double tokens = std::string(name) == "prefill" ? 16 : 1;
    for (size_t round = 0; round < 2; ++round) {
      const double seconds = tokens / phase["tokens_per_s"][round].get<double>();
      const double read = report["probes"]["read_gb_per_s"][round];
      ASSERT_GT(read, 0);
      if (round == 0) {  // the work of the first round is what is listed
        EXPECT_NEAR(phase["gb_per_s"][round].get<double>() / (bytes / seconds * 1e-9), 1, 1e-6);
        EXPECT_NEAR(phase["tops"][round].get<double>() / (ops / seconds * 1e-12), 1, 1e-6);
        EXPECT_NEAR(phase["of_read"][round].get<double>() / (bytes / seconds * 1e-9 / read), 1, 1e-6);
      }
      if (phase["of_peak"][round].is_null()) continue;  // a processor without a probe of arithmetic
      // A sum of maxima is at least the larger of the sums and at most both together.
      const double of_read = phase["of_read"][round], of_peak = phase["of_peak"][round], of_roofline = phase["of_roofline"][round];
      EXPECT_GE(of_roofline, std::max(of_read, of_peak) * (1 - 1e-9));
      EXPECT_LE(of_roofline, (of_read + of_peak) * (1 + 1e-9));
    }
  }
}

TEST_F(Bench, WithoutProbesThereAreNoFractions) {
  const json report = Report("-p 8 -n 3 -r 1 --no-probes");
  for (const char* name : {"of_read", "of_peak", "of_roofline"}) EXPECT_TRUE(report["decode"][name][0].is_null()) << name;
  EXPECT_TRUE(report["probes"]["read_gb_per_s"][0].is_null());
  EXPECT_GT(report["decode"]["gb_per_s"][0].get<double>(), 0);
}

TEST_F(Bench, ADepthIsKeptFromRoundToRoundAndItsKeysAreCounted) {
  const json report = Report("-p 8 -n 3 -d 128 -r 3 --no-probes");
  ASSERT_EQ(report["prefill"]["tokens_per_s"].size(), 3u);
  const double each = 4 * inspected_["heads"].get<double>() * inspected_["head_dim"].get<double>();
  // 8 queries over 129 .. 136 keys in global layers; fewer keys in chunked ones.
  const double pairs = PhaseOf(report["prefill"]["work"], "attention over keys")["operations"].get<double>() / each;
  EXPECT_GT(pairs, inspected_["global_layers"].get<double>() * 1000);
  // Far fewer rows than 136 were read: the depth came from the cache.
  const json& projections = PhaseOf(report["prefill"]["work"], "attention projections");
  EXPECT_LT(projections["operations"].get<double>(), 2 * Named(inspected_, {"attn_"}).weights * 72);
}

TEST_F(Bench, TheTableHasBothPhasesAndTheProbes) {
  const Result result = Scout("bench " + Quoted(kTiny) + " -q -t 1 --probe-mb 16 -p 8 -n 3 -b 2 -r 2");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* text : {"\nprefill ", "\ndecode ", "of roofline", "probes, 1 threads", "median of 2 rounds"})
    EXPECT_NE(result.out.find(text), std::string::npos) << text << "\n" << result.out;
}

}  // namespace
