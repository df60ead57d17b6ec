#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "common.h"

namespace cli {
namespace {

struct InspectOptions {
  ModelOptions model;
  std::vector<int64_t> contexts = {8192, 131072, 1048576, 10485760};
  bool tensors = false;
  bool json = false;
};

using Json = nlohmann::ordered_json;

Json Facts(const scout_model_info& info) {
  return {{"name", info.name},
          {"version", info.version},
          {"architecture", info.architecture},
          {"parameters", info.parameters},
          {"file_bytes", info.file_bytes},
          {"weight_bytes", info.weight_bytes},
          {"layers", info.layers},
          {"moe_layers", info.moe_layers},
          {"global_layers", info.global_layers},
          {"embedding", info.embedding},
          {"heads", info.heads},
          {"kv_heads", info.kv_heads},
          {"head_dim", info.head_dim},
          {"experts", info.experts},
          {"experts_used", info.experts_used},
          {"expert_hidden", info.expert_hidden},
          {"dense_hidden", info.dense_hidden},
          {"vocabulary", info.vocabulary},
          {"tokenizer_size", info.tokenizer_size},
          {"has_chat", info.has_chat != 0},
          {"placement", info.placement},
          {"context", info.context},
          {"attention_chunk", info.attention_chunk},
          {"rope_base", info.rope_base},
          {"rope_scaling", info.rope_scaling},
          {"qk_norm", info.qk_norm != 0},
          {"norm_eps", info.norm_eps},
          {"temperature_length", info.temperature_length},
          {"temperature_scale", info.temperature_scale},
          {"tied_head", info.tied_head != 0}};
}

void Inspect(const InspectOptions& options) {
  const Model model = Load(options.model);
  const scout_model_info info = InfoOf(model.get());
  Json report = Facts(info);

  struct Sum {
    uint64_t bytes = 0, tensors = 0;
  };
  std::map<std::string, Sum> formats;
  Json tensors = Json::array();
  uint64_t tensor_count = 0;
  Check(scout_model_tensor_count(model.get(), &tensor_count));
  for (uint64_t i = 0; i < tensor_count; ++i) {
    scout_tensor_info tensor = {};
    tensor.struct_size = sizeof tensor;
    Check(scout_model_get_tensor(model.get(), i, &tensor));
    Sum& sum = formats[tensor.format];
    sum.bytes += tensor.bytes;
    sum.tensors += 1;
    Json shape = Json::array();
    for (int d = 0; d < tensor.rank; ++d) shape.push_back(tensor.shape[d]);
    tensors.push_back(
        {{"name", tensor.name}, {"format", tensor.format}, {"shape", shape}, {"bytes", tensor.bytes}, {"used", tensor.used != 0}});
  }
  report["formats"] = Json::object();
  for (const auto& [name, sum] : formats) report["formats"][name] = {{"tensors", sum.tensors}, {"bytes", sum.bytes}};
  report["kv"] = Json::array();
  for (const int64_t context : options.contexts) {
    uint64_t bytes = 0;
    Check(scout_model_kv_bytes(model.get(), context, KvFormat(options.model.kv), &bytes));
    report["kv"].push_back({{"context", context}, {"format", options.model.kv}, {"bytes", bytes}});
  }
  if (options.tensors) report["tensors"] = tensors;
  if (options.json) {
    std::printf("%s\n", report.dump(2).c_str());
    return;
  }
  for (const auto& [key, value] : report.items()) {
    if (key == "formats" || key == "kv" || key == "tensors") continue;
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    const bool bytes = key.size() > 6 && key.compare(key.size() - 6, 6, "_bytes") == 0;
    std::printf("%-20s %s%s\n", key.c_str(), text.c_str(), bytes ? (" (" + Bytes(value.get<uint64_t>()) + ")").c_str() : "");
  }
  std::printf("\n%-10s %8s %12s\n", "format", "tensors", "size");
  for (const auto& [name, sum] : formats)
    std::printf("%-10s %8llu %12s\n", name.c_str(), static_cast<unsigned long long>(sum.tensors), Bytes(sum.bytes).c_str());
  std::printf("\nkeys and values of one request, %s pages:\n", options.model.kv.c_str());
  for (const Json& row : report["kv"])
    std::printf("%10lld positions %12s\n", static_cast<long long>(row["context"].get<int64_t>()),
                Bytes(row["bytes"].get<uint64_t>()).c_str());
  if (options.tensors) {
    std::printf("\n");
    for (const Json& tensor : tensors)
      std::printf("%-44s %-6s %-24s %12s%s\n", tensor["name"].get<std::string>().c_str(),
                  tensor["format"].get<std::string>().c_str(), tensor["shape"].dump().c_str(),
                  Bytes(tensor["bytes"].get<uint64_t>()).c_str(), tensor["used"].get<bool>() ? "" : "  not used");
  }
}

}  // namespace

void AddInspect(CLI::App& app) {
  Command command(app, "inspect", "show a model's hyper-parameters, formats and sizes");
  auto options = std::make_shared<InspectOptions>();
  AddModelOptions(command, options->model);
  command.Add("--at", options->contexts, "contexts whose bytes of keys and values are wanted").WithCommas().ShowsDefault();
  command.Flag("--tensors", options->tensors, "list every tensor");
  command.Flag("--json", options->json, "as JSON");
  command.OnRun([options] { Inspect(*options); });
}

}  // namespace cli
