#include "backend/placed_backend.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include "backend/placed_buffer.h"
#include "backend/placed_experts.h"
#include "backend/step_errors.h"

namespace scout {

std::optional<int> Placement::Only() const {
  bool one = head == embedding && vision == embedding;
  for (const Layer& of_layer : layer) {
    one &= of_layer.attention == embedding && of_layer.feed == embedding;
    for (const ExpertRange& range : of_layer.experts) one &= range.owner == embedding;
  }
  return one ? std::optional(embedding) : std::nullopt;
}

uint32_t Placement::Hosts() const {
  uint32_t hosts = uint32_t{1} << embedding | uint32_t{1} << head;
  for (const Layer& of_layer : layer) hosts |= uint32_t{1} << of_layer.attention | uint32_t{1} << of_layer.feed;
  return hosts;
}

uint32_t Placement::Workers() const {
  uint32_t workers = Hosts();
  for (const Layer& of_layer : layer)
    for (const ExpertRange& range : of_layer.experts) workers |= uint32_t{1} << range.owner;
  return workers;
}

namespace {

// A part of another source: some experts of all.
class PartSource final : public WeightSource {
 public:
  PartSource(std::shared_ptr<const WeightSource> all, uint64_t begin, uint64_t bytes)
      : all_(std::move(all)), begin_(begin), bytes_(bytes) {}
  uint64_t size_bytes() const override { return bytes_; }
  void Read(uint64_t offset, std::span<std::byte> out) const override { all_->Read(begin_ + offset, out); }
  std::span<const std::byte> ReadStaged(uint64_t offset, size_t size, StagingBuffer& staging) const override {
    return all_->ReadStaged(begin_ + offset, size, staging);
  }
  void Check(uint64_t offset, std::span<const std::byte> bytes) const override { all_->Check(begin_ + offset, bytes); }
  const std::byte* Mapped() const override {
    const std::byte* const all = all_->Mapped();
    return all ? all + begin_ : nullptr;
  }
  void Drop() const override { all_->Drop(); }

 private:
  std::shared_ptr<const WeightSource> all_;
  uint64_t begin_, bytes_;
};

WeightDesc ExpertsOf(const WeightDesc& all, int32_t first, int32_t last) {
  WeightDesc desc = all;
  desc.experts = last - first;
  for (WeightPart& part : desc.parts) {
    if (part.sources.size() == static_cast<size_t>(all.experts) && all.experts > 1) {
      part.sources = {part.sources.begin() + first, part.sources.begin() + last};
    } else {
      const auto from = static_cast<uint64_t>(first) * part.expert_bytes,
                 bytes = static_cast<uint64_t>(last - first) * part.expert_bytes;
      part.sources[0] = std::make_shared<PartSource>(part.sources[0], from, bytes);
    }
  }
  return desc;
}

const PlacedWeight& Placed(const Weight* weight) { return *static_cast<const PlacedWeight*>(weight); }
const PlacedPages& Placed(const KvPages& pages) { return static_cast<const PlacedPages&>(pages); }

class PlacedBackend final : public Backend, private PlacedMemory {
 public:
  PlacedBackend(std::vector<std::unique_ptr<Backend>> instances, std::shared_ptr<const Placement> placement, PlacedUse use)
      : instances_(std::move(instances)), placement_(std::move(placement)), experts_(*this) {
    SCOUT_CHECK(!instances_.empty() && instances_.size() <= kMaxInstances, instances_.size(), " instances in a placement");
    const uint32_t vision = uint32_t{1} << placement_->vision;
    hosts_ = use == PlacedUse::kVision ? vision : placement_->Hosts();
    workers_ = use == PlacedUse::kVision ? vision : placement_->Workers();
    SCOUT_CHECK(static_cast<size_t>(std::bit_width(workers_ | hosts_)) <= instances_.size(),
                "a placement over more instances than ", instances_.size());
    for (int i = 0; i < count(); ++i)
      SCOUT_CHECK((workers_ >> i & 1) == 0 || instances_[static_cast<size_t>(i)], "instance ", i, " of a placement is not there");
    first_host_ = std::countr_zero(hosts_);
  }

  const Backend& instance(int i) const { return At(i); }

  DeviceInfo Info() const override {
    DeviceInfo all;
    for (const auto& instance : instances_) {
      if (!instance) continue;
      const DeviceInfo one = instance->Info();
      all.name += StrCat(all.name.empty() ? "" : ",", one.name);
      all.description += StrCat(all.description.empty() ? "" : "; ", one.description);
      all.memory_total_bytes += one.memory_total_bytes;
      all.memory_free_bytes += one.memory_free_bytes;
    }
    return all;
  }
  bool Supports(DType format, WeightRole role) const override {
    return std::all_of(instances_.begin(), instances_.end(),
                       [&](const auto& instance) { return !instance || instance->Supports(format, role); });
  }

  std::unique_ptr<Weight> PrepareWeight(const WeightDesc& desc) override {
    std::vector<PlacedWeight::Piece> pieces;
    if (desc.unit.kind == UnitKind::kExperts) {
      for (const Placement::ExpertRange& range : LayerOf(desc.unit).experts) {
        SCOUT_CHECK(range.first < range.last && range.last <= desc.experts, "experts ", range.first, " to ", range.last, " of ",
                    desc.experts);
        const bool all = range.first == 0 && range.last == desc.experts;
        pieces.push_back({range.owner, range.first, range.last,
                          At(range.owner).PrepareWeight(all ? desc : ExpertsOf(desc, range.first, range.last))});
      }
      SCOUT_CHECK(!pieces.empty(), "experts of layer ", desc.unit.layer, " have no place");
    } else {
      const int owner = OwnerOf(desc.unit);
      pieces.push_back({owner, 0, 1, At(owner).PrepareWeight(desc)});
    }
    return std::make_unique<PlacedWeight>(std::move(pieces), desc.experts);
  }

  std::unique_ptr<Buffer> Alloc(MemoryKind kind, size_t bytes) override {
    auto buffer = std::make_unique<PlacedBuffer>(bytes);
    buffer->part.resize(instances_.size());
    for (int i = 0; i < count(); ++i)
      if (hosts_ >> i & 1) buffer->part[static_cast<size_t>(i)] = At(i).Alloc(kind, bytes);
    return buffer;
  }
  void Upload(Buffer& to, size_t offset, std::span<const std::byte> from) override {
    auto& buffer = static_cast<PlacedBuffer&>(to);
    At(first_host_).Upload(PartOf(buffer, first_host_), offset, from);
    buffer.valid.Write(offset, offset + from.size(), first_host_);
  }
  void Download(const Buffer& from, size_t offset, std::span<std::byte> to) override {
    const auto& buffer = static_cast<const PlacedBuffer&>(from);
    SCOUT_CHECK(offset <= buffer.size_bytes() && to.size() <= buffer.size_bytes() - offset, "download of ", to.size(), " bytes at ",
                offset, " of ", buffer.size_bytes());
    buffer.valid.ForEach(offset, offset + to.size(), [&](size_t begin, size_t end, uint32_t holders) {
      const int holder = std::countr_zero(holders);
      At(holder).Download(PartOf(buffer, holder), begin, to.subspan(begin - offset, end - begin));
    });
  }

  std::unique_ptr<KvPages> AllocPages(const PageGroupSpec& spec) override {
    SCOUT_CHECK(spec.model_layers.size() == static_cast<size_t>(spec.layers), "pages of ", spec.layers, " layers, ",
                spec.model_layers.size(), " of them with a number");
    auto pages = std::make_unique<PlacedPages>(spec);
    pages->part.resize(instances_.size());
    std::vector<PageGroupSpec> of(instances_.size(), spec);
    for (PageGroupSpec& own : of) {
      own.layers = 0;
      own.model_layers.clear();
    }
    for (const int32_t layer : spec.model_layers) {
      const int owner = LayerOf({UnitKind::kAttention, layer}).attention;
      PageGroupSpec& own = of[static_cast<size_t>(owner)];
      pages->place.push_back({owner, own.layers++});
      own.model_layers.push_back(layer);
    }
    for (int i = 0; i < count(); ++i) {
      const PageGroupSpec& own = of[static_cast<size_t>(i)];
      if (own.layers == 0) continue;
      auto& part = pages->part[static_cast<size_t>(i)];
      part = At(i).AllocPages(own);
      const size_t layer_bytes = At(i).PageBytes(*part) / static_cast<size_t>(own.layers);
      SCOUT_CHECK(pages->layer_bytes == 0 || pages->layer_bytes == layer_bytes, "a layer's part of a page has ", layer_bytes,
                  " bytes on one device and ", pages->layer_bytes, " on another");
      pages->layer_bytes = layer_bytes;
    }
    return pages;
  }
  size_t PageBytes(const KvPages& pages) const override { return Placed(pages).layer_bytes * Placed(pages).place.size(); }
  void ReadPage(const KvPages& pages, int64_t page, std::span<std::byte> out) override {
    ForOwners(Placed(pages), [&](int i, const KvPages& part, std::span<std::byte> bytes) {
      At(i).ReadPage(part, page, bytes);
      ForLayers(Placed(pages), i,
                [&](size_t from, size_t to, size_t size) { std::memcpy(out.data() + to, bytes.data() + from, size); });
    });
  }
  void WritePage(KvPages& pages, int64_t page, std::span<const std::byte> in) override {
    ForOwners(Placed(pages), [&](int i, const KvPages& part, std::span<std::byte> bytes) {
      ForLayers(Placed(pages), i,
                [&](size_t to, size_t from, size_t size) { std::memcpy(bytes.data() + to, in.data() + from, size); });
      At(i).WritePage(const_cast<KvPages&>(part), page, bytes);
    });
  }
  void CopyPage(KvPages& pages, int64_t from, int64_t to) override {
    for (int i = 0; i < count(); ++i)
      if (const auto& part = Placed(pages).part[static_cast<size_t>(i)]) At(i).CopyPage(*part, from, to);
  }

  void BeginStep(const StepPlan& plan) noexcept override {
    errors_.Clear();
    ForWorkers([&](Backend& instance) { instance.BeginStep(plan); });
  }
  bool IsAsynchronous() const override { return true; }  // where one instance is
  void Submit() noexcept override {
    ForWorkers([](Backend& instance) { instance.Submit(); });
  }
  std::optional<Error> EndStep() noexcept override {
    std::optional<Error> first;
    ForWorkers([&](Backend& instance) {
      std::optional<Error> error = instance.EndStep();
      if (error && !first) first = std::move(error);
    });
    // What failed here failed because of what an instance knows, or by itself.
    std::optional<Error> own = errors_.Take();
    return first ? std::move(first) : std::move(own);
  }

  void Embed(const EmbedOp& op) noexcept override {
    Run([&] {
      const int i = OwnerOf(op.table);
      At(i).Embed({Only(op.table), Out(op.out, i)});
    });
  }
  void RmsNorm(const RmsNormOp& op) noexcept override {
    Run([&] {
      const int i = OwnerOf(op.weight);
      const Act in = In(op.in, i);
      At(i).RmsNorm({in, Only(op.weight), op.eps, Out(op.out, i)});
    });
  }
  void Linear(const LinearOp& op) noexcept override {
    Run([&] {
      const int i = OwnerOf(op.weight);
      const Act in = In(op.in, i);
      const Act out = op.epilogue == Epilogue::kAdd ? InOut(op.out, i) : Out(op.out, i);
      At(i).Linear({in, Only(op.weight), op.epilogue, out, op.bias ? Only(op.bias) : nullptr});
    });
  }
  void RopeNormStore(const RopeNormStoreOp& op) noexcept override {
    Run([&] {
      const PlacedPages::Place place = Placed(*op.pages).place[static_cast<size_t>(op.layer)];
      RopeNormStoreOp own = op;
      own.qkv = In(op.qkv, place.owner);
      own.q = Out(op.q, place.owner);
      own.pages = Placed(*op.pages).part[static_cast<size_t>(place.owner)].get();
      own.layer = place.layer;
      At(place.owner).RopeNormStore(own);
    });
  }
  void Attention(const AttentionOp& op) noexcept override {
    Run([&] {
      const PlacedPages::Place place = Placed(*op.pages).place[static_cast<size_t>(op.layer)];
      AttentionOp own = op;
      own.q = In(op.q, place.owner);
      own.out = Out(op.out, place.owner);
      if (op.lse.buffer) own.lse = Out(op.lse, place.owner);
      own.pages = Placed(*op.pages).part[static_cast<size_t>(place.owner)].get();
      own.layer = place.layer;
      At(place.owner).Attention(own);
    });
  }
  void MergeAttention(const MergeAttentionOp& op) noexcept override {
    Run([&] {
      const int i = HolderOf(op.partial.front());
      std::vector<Act> partial, lse;
      for (const Act& act : op.partial) partial.push_back(In(act, i));
      for (const Act& act : op.lse) lse.push_back(In(act, i));
      const Act out = Out(op.out, i);
      At(i).MergeAttention({partial, lse, op.heads, out, op.out_lse.buffer ? Out(op.out_lse, i) : Act{}});
    });
  }
  void Route(const RouteOp& op) noexcept override {
    Run([&] {
      const int i = OwnerOf(op.router);
      const Act in = In(op.in, i);
      const Act ids = Out(op.ids, i);
      At(i).Route({in, Only(op.router), op.top_k, ids, Out(op.gates, i)});
    });
  }
  void Experts(const ExpertsOp& op) noexcept override {
    Run([&] {
      const PlacedWeight& gate_up = Placed(op.gate_up);
      const int home = op.shared_gate_up ? OwnerOf(op.shared_gate_up) : HolderOf(op.ids);
      if (gate_up.pieces().size() > 1 || gate_up.owner() != home) {
        experts_.Run(op, home);
        return;
      }
      ExpertsOp own = op;
      own.in = In(op.in, home);
      own.ids = In(op.ids, home);
      own.gates = In(op.gates, home);
      own.gate_up = Only(op.gate_up);
      own.down = Only(op.down);
      own.shared_gate_up = op.shared_gate_up ? Only(op.shared_gate_up) : nullptr;
      own.shared_down = op.shared_down ? Only(op.shared_down) : nullptr;
      if (op.addends.buffer)
        own.addends = InOut(op.addends, home);
      else
        own.residual = InOut(op.residual, home);
      At(home).Experts(own);
    });
  }
  void CombineExperts(const CombineExpertsOp& op) noexcept override {
    Run([&] {
      const int i = HolderOf(op.residual);
      CombineExpertsOp own = op;
      own.ids = In(op.ids, i);
      if (op.shared.buffer) own.shared = In(op.shared, i);
      own.addends = In(op.addends, i);
      own.residual = InOut(op.residual, i);
      At(i).CombineExperts(own);
    });
  }
  void GatherRows(const GatherRowsOp& op) noexcept override {
    Run([&] {
      const int i = HolderOf(op.in);
      const Act in = In(op.in, i);
      At(i).GatherRows({in, op.rows, Out(op.out, i)});
    });
  }
  void ScatterRows(const ScatterRowsOp& op) noexcept override {
    Run([&] {
      const int i = HolderOf(op.out);
      const Act in = ReadOnly(op.in, i);
      At(i).ScatterRows({in, op.rows, op.first, InOut(op.out, i)});
    });
  }
  void Unfold(const UnfoldOp& op) noexcept override {
    Run([&] {
      UnfoldOp own = op;
      own.out = Out(op.out, first_host_);
      At(first_host_).Unfold(own);
    });
  }
  void AddPositions(const AddPositionsOp& op) noexcept override {
    Run([&] {
      const int i = OwnerOf(op.last);
      const Act in = In(op.in, i);
      At(i).AddPositions({in, Only(op.last), Only(op.position), Out(op.out, i)});
    });
  }
  void LayerNorm(const LayerNormOp& op) noexcept override {
    Run([&] {
      const int i = OwnerOf(op.weight);
      const Act in = In(op.in, i);
      At(i).LayerNorm({in, Only(op.weight), Only(op.bias), op.eps, Out(op.out, i)});
    });
  }
  void Rotate(const RotateOp& op) noexcept override {
    Run([&] {
      const int i = HolderOf(op.qkv);
      const Act turns = In(op.turns, i);
      At(i).Rotate({InOut(op.qkv, i), turns, op.heads});
    });
  }
  void GroupAttention(const GroupAttentionOp& op) noexcept override {
    Run([&] {
      const int i = HolderOf(op.qkv);
      const Act qkv = In(op.qkv, i);
      At(i).GroupAttention({qkv, op.heads, op.group_rows, op.scale, Out(op.out, i)});
    });
  }
  void PixelShuffle(const PixelShuffleOp& op) noexcept override {
    Run([&] {
      const int i = HolderOf(op.in);
      const Act in = In(op.in, i);
      At(i).PixelShuffle({in, op.group_rows, op.side, op.factor, Out(op.out, i)});
    });
  }
  void Sample(const SampleOp& op, std::span<SampleResult> results) noexcept override {
    Run([&] {
      const int i = HolderOf(op.logits);
      At(i).Sample({In(op.logits, i), op.rows}, results);
    });
  }

 private:
  int count() const { return static_cast<int>(instances_.size()); }
  template <typename Body>
  void ForWorkers(const Body& body) noexcept {
    for (int i = 0; i < count(); ++i)
      if (workers_ >> i & 1) body(*instances_[static_cast<size_t>(i)]);
  }
  // The first error ends the step's work here; instances keep their own.
  template <typename Body>
  void Run(const Body& body) noexcept {
    errors_.Run(body);
  }

  const Placement::Layer& LayerOf(const ModelUnit& unit) const {
    SCOUT_CHECK(unit.layer >= 0 && static_cast<size_t>(unit.layer) < placement_->layer.size(), "layer ", unit.layer, " of ",
                placement_->layer.size(), " with a place");
    return placement_->layer[static_cast<size_t>(unit.layer)];
  }
  int OwnerOf(const ModelUnit& unit) const {
    switch (unit.kind) {
      case UnitKind::kEmbedding:
        return placement_->embedding;
      case UnitKind::kAttention:
        return LayerOf(unit).attention;
      case UnitKind::kFeed:
        return LayerOf(unit).feed;
      case UnitKind::kHead:
        return placement_->head;
      case UnitKind::kVision:
        return placement_->vision;
      case UnitKind::kExperts:
      case UnitKind::kNone:
        break;
    }
    Fail(ErrorCode::kInternal, "internal error: a weight of no unit in a placement");
  }
  static int OwnerOf(const Weight* weight) { return Placed(weight).owner(); }
  static const Weight* Only(const Weight* weight) { return Placed(weight).only(); }

  // A buffer of one page's layers on each owner.
  template <typename Body>
  void ForOwners(const PlacedPages& pages, const Body& body) {
    for (int i = 0; i < count(); ++i) {
      const auto& part = pages.part[static_cast<size_t>(i)];
      if (!part) continue;
      std::vector<std::byte> bytes(At(i).PageBytes(*part));
      body(i, *part, std::span(bytes));
    }
  }
  // move(offset on the owner, offset in the whole page, bytes)
  template <typename Move>
  static void ForLayers(const PlacedPages& pages, int owner, const Move& move) {
    for (size_t layer = 0; layer < pages.place.size(); ++layer) {
      const PlacedPages::Place place = pages.place[layer];
      if (place.owner == owner)
        move(static_cast<size_t>(place.layer) * pages.layer_bytes, layer * pages.layer_bytes, pages.layer_bytes);
    }
  }

  // ---- PlacedMemory
  Backend& At(int instance) const override {
    Backend* const backend = instances_[static_cast<size_t>(instance)].get();
    SCOUT_CHECK(backend != nullptr, "instance ", instance, " of a placement is not there");
    return *backend;
  }
  Act In(const Act& act, int instance) override {
    auto& buffer = static_cast<PlacedBuffer&>(*act.buffer);
    buffer.valid.Read(act.offset, EndOf(act), instance, [&](size_t begin, size_t end, uint32_t holders) {
      Copy(buffer, std::countr_zero(holders), PartOf(buffer, instance), begin, instance, begin, end - begin);
    });
    return PartOf(act, buffer, instance);
  }
  Act Out(const Act& act, int instance) override {
    auto& buffer = static_cast<PlacedBuffer&>(*act.buffer);
    buffer.valid.Write(act.offset, EndOf(act), instance);
    return PartOf(act, buffer, instance);
  }
  Act InOut(const Act& act, int instance) override {
    (void)In(act, instance);
    return Out(act, instance);
  }
  int HolderOf(const Act& act) const {
    const auto& buffer = static_cast<const PlacedBuffer&>(*act.buffer);
    const uint32_t all = buffer.valid.HoldersOf(act.offset, EndOf(act));
    return all == 0 ? first_host_ : std::countr_zero(all);
  }
  // A view that another placed backend may have made and several may read at once: nothing is noted in it.
  Act ReadOnly(const Act& act, int instance) {
    const auto& buffer = static_cast<const PlacedBuffer&>(*act.buffer);
    const uint32_t holders = buffer.valid.HoldersOf(act.offset, EndOf(act));
    SCOUT_CHECK(holders != 0, "rows that nobody holds");
    if (holders >> instance & 1) return PartOf(act, buffer, instance);
    Buffer& lent = Scratch(lent_, instance, EndOf(act) - act.offset);
    Copy(buffer, std::countr_zero(holders), lent, 0, instance, act.offset, EndOf(act) - act.offset);
    return {&lent, 0, act.rows, act.cols};
  }
  void Copy(const PlacedBuffer& from, int from_instance, Buffer& to, size_t to_offset, int to_instance, size_t offset,
            size_t bytes) {
    if (staging_.size() < bytes) staging_.resize(bytes);
    const auto staged = std::span(staging_).first(bytes);
    At(from_instance).Download(PartOf(from, from_instance), offset, staged);
    At(to_instance).Upload(to, to_offset, staged);
  }
  static Buffer& PartOf(const PlacedBuffer& buffer, int instance) {
    Buffer* const part = buffer.part[static_cast<size_t>(instance)].get();
    SCOUT_CHECK(part != nullptr, "a buffer without a part on instance ", instance);
    return *part;
  }
  static Act PartOf(const Act& act, const PlacedBuffer& buffer, int instance) {
    return {&PartOf(buffer, instance), act.offset, act.rows, act.cols};
  }

  std::vector<std::unique_ptr<Backend>> instances_;
  const std::shared_ptr<const Placement> placement_;
  uint32_t hosts_ = 0, workers_ = 0;
  int first_host_ = 0;
  std::vector<std::byte> staging_;
  ScratchBuffers lent_;
  PlacedExperts experts_;
  StepErrors errors_{"a step over several devices"};
};

}  // namespace

std::unique_ptr<Backend> MakePlacedBackend(std::vector<std::unique_ptr<Backend>> instances,
                                           std::shared_ptr<const Placement> placement, PlacedUse use) {
  return std::make_unique<PlacedBackend>(std::move(instances), std::move(placement), use);
}

const Backend& InstanceOf(const Backend& backend, int instance) {
  const auto* const placed = dynamic_cast<const PlacedBackend*>(&backend);
  return placed ? placed->instance(instance) : backend;
}

uint64_t BytesOn(const Weight& weight, int instance) {
  const auto* const placed = dynamic_cast<const PlacedWeight*>(&weight);
  if (placed == nullptr) return instance == 0 ? weight.size_bytes() : 0;
  uint64_t bytes = 0;
  for (const PlacedWeight::Piece& piece : placed->pieces())
    if (piece.owner == instance) bytes += piece.weight->size_bytes();
  return bytes;
}

}  // namespace scout
