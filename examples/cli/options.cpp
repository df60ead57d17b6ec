#include <CLI/CLI.hpp>

#include "commands.h"
#include "common.h"

namespace cli {

Option& Option::Required() {
  option_->required();
  return *this;
}
Option& Option::ShowsDefault() {
  option_->capture_default_str();
  return *this;
}
Option& Option::Between(int64_t least, int64_t most) {
  option_->check(CLI::Range(least, most));
  return *this;
}
Option& Option::BetweenReals(double least, double most) {
  option_->check(CLI::Range(least, most));
  return *this;
}
Option& Option::OneOf(const std::vector<std::string>& words) {
  option_->check(CLI::IsMember(words));
  return *this;
}
Option& Option::WithCommas() {
  option_->delimiter(',');
  return *this;
}
Option& Option::OneEach() {
  option_->allow_extra_args(false);
  return *this;
}
Option& Option::Excludes(const Option& other) {
  option_->excludes(other.option_);
  return *this;
}

Command::Command(CLI::App& app, const std::string& name, const std::string& help) : app_(app.add_subcommand(name, help)) {}
template <typename Value>
Option Command::Add(const std::string& names, Value& value, const std::string& help) {
  return Option(app_->add_option(names, value, help));
}
template Option Command::Add(const std::string&, std::string&, const std::string&);
template Option Command::Add(const std::string&, std::vector<std::string>&, const std::string&);
template Option Command::Add(const std::string&, std::vector<int64_t>&, const std::string&);
template Option Command::Add(const std::string&, int32_t&, const std::string&);
template Option Command::Add(const std::string&, uint32_t&, const std::string&);
template Option Command::Add(const std::string&, int64_t&, const std::string&);
template Option Command::Add(const std::string&, uint64_t&, const std::string&);
template Option Command::Add(const std::string&, float&, const std::string&);
template Option Command::Add(const std::string&, double&, const std::string&);
void Command::Flag(const std::string& names, bool& value, const std::string& help) { app_->add_flag(names, value, help); }
void Command::Footer(const std::string& text) { app_->footer(text); }
void Command::OnRun(std::function<void()> run) { app_->callback(std::move(run)); }

void AddCommands(CLI::App& app) {
  app.name("scout");
  app.description("libscout " + std::string(scout_version()) + ": Meta's Llama 4 on this machine");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("scout ") + scout_version() + "\n" + scout_build_info());
  AddRun(app);
  AddTokenize(app);
  AddTiles(app);
  AddInspect(app);
  AddLogits(app);
  AddPerplexity(app);
  AddBench(app);
  AddPack(app);
  AddDevices(app);
  AddSelftest(app);
}

int RunCommandLine(int argc, char** argv) {
  CLI::App app;
  AddCommands(app);
  try {
    app.parse(argc, argv);
    return kOk;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
}

}  // namespace cli
