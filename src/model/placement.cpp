#include "model/placement.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/error.h"

namespace scout::model {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// body(piece) for each piece between separators.
template <typename Body>
void ForPieces(std::string_view text, char separator, const Body& body) {
  for (;;) {
    const size_t end = text.find(separator);
    body(Trim(text.substr(0, end)));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

struct Range {
  int64_t first = 0, last = 0;  // both belong to it
};

class PlacementParser {
 public:
  PlacementParser(const Config& config, std::vector<std::string>& devices) : config_(config), devices_(devices) {
    for (const LayerKind& kind : config.layer) {
      Layer& layer = layers_.emplace_back();
      if (kind.moe) layer.experts.assign(static_cast<size_t>(config.experts), 0);
    }
  }

  Placement Parse(std::string_view text) {
    ForPieces(text, ';', [&](std::string_view piece) {
      ++item_;
      piece_ = piece;
      if (!piece.empty()) Item(piece);
    });
    placement_.layer.clear();
    for (const Layer& layer : layers_) {
      Placement::Layer& out = placement_.layer.emplace_back();
      out.attention = layer.attention;
      out.feed = layer.feed;
      for (size_t e = 0; e < layer.experts.size(); ++e) {
        const auto first = static_cast<int32_t>(e);
        if (out.experts.empty() || out.experts.back().owner != layer.experts[e])
          out.experts.push_back({first, first, layer.experts[e]});
        out.experts.back().last = first + 1;
      }
    }
    return placement_;
  }

 private:
  struct Layer {
    int attention = 0, feed = 0;
    std::vector<int> experts;  // [E] their owners
  };

  template <typename... Parts>
  [[noreturn]] void Refuse(const Parts&... parts) const {
    Fail(ErrorCode::kArgument, "placement: item ", item_, " \"", Escape(piece_, 80), "\": ", parts...);
  }

  void Item(std::string_view item) {
    const size_t equals = item.find('=');
    if (equals == std::string_view::npos) Refuse("there is no \"=\": an item is UNIT=DEVICE");
    const std::string_view unit = Trim(item.substr(0, equals)), device = Trim(item.substr(equals + 1));
    if (device.empty()) Refuse("there is no device behind \"=\"");
    if (device.find_first_of(kSpace) != std::string_view::npos || device.find('=') != std::string_view::npos)
      Refuse("\"", Escape(device, 40), "\" is no device: items are separated by \";\"");
    const size_t end = std::min(unit.find_first_not_of("abcdefghijklmnopqrstuvwxyz"), unit.size());
    const std::string_view name = unit.substr(0, end);
    Unit(name, Trim(unit.substr(end)), DeviceOf(device));
  }

  int DeviceOf(std::string_view name) {
    const auto found = std::find(devices_.begin(), devices_.end(), name);
    if (found != devices_.end()) return static_cast<int>(found - devices_.begin());
    if (devices_.size() == kMaxInstances) Refuse("at most ", kMaxInstances, " devices serve one model");
    devices_.emplace_back(name);
    return static_cast<int>(devices_.size()) - 1;
  }

  void Unit(std::string_view name, std::string_view rest, int device) {
    const bool whole = name == "all" || name == "embedding" || name == "head" || name == "vision";
    if (whole && !rest.empty()) Refuse("\"", name, "\" has no parts to choose");
    const bool all = name == "all", layers = all || name == "layers";
    const bool attention = layers || name == "attention", feed = layers || name == "feed", experts = layers || name == "experts";
    if (!whole && !attention && !feed && !experts)
      Refuse("there is no unit \"", Escape(name, 40),
             "\"; there are: all, embedding, head, vision, layers, attention, feed, experts");
    if (all || name == "embedding") placement_.embedding = device;
    if (all || name == "head") placement_.head = device;
    if (all || name == "vision") placement_.vision = device;
    if (whole && !all) return;

    Range chosen{0, config_.experts - 1};
    if (!rest.empty() && rest.front() == '[') {
      const size_t close = rest.find(']');
      if (name != "experts") Refuse("only \"experts\" takes a range in brackets");
      if (close == std::string_view::npos) Refuse("\"[\" without \"]\"");
      chosen = RangeOf(Trim(rest.substr(1, close - 1)), config_.experts, "expert", "each layer");
      rest = Trim(rest.substr(close + 1));
    }
    const Range range = rest.empty() ? Range{0, config_.layers - 1} : RangeOf(rest, config_.layers, "layer", "the model");
    for (int64_t i = range.first; i <= range.last; ++i) {
      Layer& layer = layers_[static_cast<size_t>(i)];
      if (attention) layer.attention = device;
      if (feed) layer.feed = device;
      if (!experts || layer.experts.empty()) continue;
      std::fill(layer.experts.begin() + chosen.first, layer.experts.begin() + chosen.last + 1, device);
    }
  }

  Range RangeOf(std::string_view text, int64_t count, const char* what, const char* whose) const {
    const size_t dash = text.find('-');
    const std::string_view first = Trim(text.substr(0, dash));
    const std::string_view last = dash == std::string_view::npos ? first : Trim(text.substr(dash + 1));
    const Range range{NumberOf(first), NumberOf(last)};
    for (const int64_t number : {range.first, range.last})
      if (number >= count)
        Refuse(what, " ", number, " is not there: ", whose, " has ", count, count > 0 ? StrCat(", 0-", count - 1) : "");
    if (range.first > range.last) Refuse("the range ", range.first, "-", range.last, " is empty");
    return range;
  }
  int64_t NumberOf(std::string_view text) const {
    int64_t value = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0)
      Refuse("\"", Escape(text, 40), "\" is no number: a range is 3 or 0-11");
    return value;
  }

  const Config& config_;
  std::vector<std::string>& devices_;
  Placement placement_;
  std::vector<Layer> layers_;
  int item_ = 0;
  std::string_view piece_;
};

}  // namespace

std::vector<std::string> SplitDevices(std::string_view list) {
  std::vector<std::string> devices;
  if (Trim(list).empty()) return {""};
  ForPieces(list, ',', [&](std::string_view name) {
    if (name.empty()) Fail(ErrorCode::kArgument, "device \"", Escape(list, 80), "\": a name is missing between commas");
    if (std::find(devices.begin(), devices.end(), name) != devices.end())
      Fail(ErrorCode::kArgument, "device \"", Escape(list, 80), "\": \"", Escape(name, 40), "\" is there twice");
    devices.emplace_back(name);
  });
  if (devices.size() > kMaxInstances)
    Fail(ErrorCode::kArgument, "device lists ", devices.size(), " devices, at most ", kMaxInstances, " serve one model");
  return devices;
}

Placement PlaceAll(const Config& config, int owner) {
  Placement placement;
  placement.embedding = placement.head = placement.vision = owner;
  for (const LayerKind& kind : config.layer) {
    Placement::Layer& layer = placement.layer.emplace_back();
    layer.attention = layer.feed = owner;
    if (kind.moe) layer.experts.push_back({0, static_cast<int32_t>(config.experts), owner});
  }
  return placement;
}

Placement ParsePlacement(std::string_view text, const Config& config, std::vector<std::string>& devices) {
  return PlacementParser(config, devices).Parse(text);
}

std::string PlacementText(const Placement& placement, std::span<const std::string> devices, bool vision) {
  std::string text;
  const auto add = [&](const std::string& unit, int owner) {
    text += StrCat(text.empty() ? "" : "; ", unit, "=", devices[static_cast<size_t>(owner)]);
  };
  // Runs of layers with the same owner; `of` answers nothing where a layer has no such part.
  const auto runs = [&](const char* name, const auto& of) {
    const auto count = static_cast<int64_t>(placement.layer.size());
    for (int64_t first = 0; first < count;) {
      int64_t last = first;
      const std::optional<int> owner = of(placement.layer[static_cast<size_t>(first)]);
      while (last + 1 < count && of(placement.layer[static_cast<size_t>(last + 1)]) == owner) ++last;
      if (owner) add(first == last ? StrCat(name, " ", first) : StrCat(name, " ", first, "-", last), *owner);
      first = last + 1;
    }
  };
  using Layer = Placement::Layer;
  const bool together =
      std::all_of(placement.layer.begin(), placement.layer.end(), [](const Layer& layer) { return layer.attention == layer.feed; });
  add("embedding", placement.embedding);
  if (together) {
    runs("layers", [](const Layer& layer) { return std::optional(layer.attention); });
  } else {
    runs("attention", [](const Layer& layer) { return std::optional(layer.attention); });
    runs("feed", [](const Layer& layer) { return std::optional(layer.feed); });
  }
  // Experts that lie with the rest of their layer have been said.
  runs("experts", [&](const Layer& layer) -> std::optional<int> {
    if (layer.experts.size() != 1 || (together && layer.experts.front().owner == layer.feed)) return std::nullopt;
    return layer.experts.front().owner;
  });
  for (size_t i = 0; i < placement.layer.size(); ++i)
    if (placement.layer[i].experts.size() > 1)
      for (const Placement::ExpertRange& range : placement.layer[i].experts)
        add(StrCat("experts[", range.first, "-", range.last - 1, "] ", i), range.owner);
  add("head", placement.head);
  if (vision) add("vision", placement.vision);
  return text;
}

}  // namespace scout::model
