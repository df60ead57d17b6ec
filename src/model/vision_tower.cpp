#include "model/vision_tower.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "base/checked.h"

namespace scout::model {
namespace {

StepPlan EmptyPlan() {
  StepPlan plan;
  plan.sequence_begin = {0};
  return plan;
}

Act RowsOf(const Act& act, int64_t first, int64_t count) {
  return {act.buffer, act.offset + static_cast<size_t>(first * act.cols) * 4, count, act.cols};
}

}  // namespace

VisionTower::VisionTower(std::shared_ptr<const void> owner, const VisionConfig& config, const VisionWeights& weights,
                         std::unique_ptr<Backend> backend, const VisionOptions& options)
    : owner_(std::move(owner)), config_(config), weights_(weights), backend_(std::move(backend)), plan_(EmptyPlan()) {
  tiles_at_once_ = static_cast<int64_t>(
      std::clamp<uint64_t>(options.workspace_bytes / std::max<uint64_t>(1, VisionWorkspaceBytes(config, 1)), 1, 1 << 16));
  const std::vector<float> turns = VisionTurns(config);
  turns_ = backend_->Alloc(MemoryKind::kWorkspace, turns.size() * 4);
  backend_->Upload(*turns_, 0, std::as_bytes(std::span(turns)));
}

// ---- the equations -----------------------------------------------------------------------------------------------------------
//
//   x = norm(patches and the class row + positions)
//   for every layer:  x += o(attention(norm(x)));  x += down(gelu(up(norm(x))))
//   features = projector(gelu(fc2(gelu(fc1(squares of neighbours of norm(x))))))
//
// Every product but the adapter's and the projector's has a bias. q and k turn by column and row; nothing is masked; the class row
// comes last in each tile and goes when neighbours are put together.

void VisionTower::Embed() {
  const auto tile_bytes = static_cast<size_t>(config_.tile_bytes());
  ForPicturesOfBatch([&](const Picture& picture, int64_t tile, int64_t count) {
    backend_->Unfold(
        {.tiles = picture.tiles.subspan(static_cast<size_t>(tile) * tile_bytes, static_cast<size_t>(count) * tile_bytes),
         .table = table_,
         .colours = static_cast<int32_t>(config_.colours),
         .tile_size = static_cast<int32_t>(config_.tile_size),
         .patch_size = static_cast<int32_t>(config_.patch_size),
         .out = RowsOf(a_.patches, (picture.first_tile + tile - first_tile_) * config_.patches(), count * config_.patches())});
  });
  backend_->Linear({a_.patches, weights_.patches.get(), Epilogue::kStore, a_.embedded});
  backend_->AddPositions({a_.embedded, weights_.class_row.get(), weights_.positions.get(), a_.x});
  const VisionNorm& norm = weights_.pre_norm;
  backend_->LayerNorm({a_.x, norm.weight.get(), norm.bias.get(), static_cast<float>(config_.norm_eps), a_.x});
}

void VisionTower::Layer(int64_t i) {
  const VisionLayerWeights& w = weights_.layer[static_cast<size_t>(i)];
  const auto heads = static_cast<int32_t>(config_.heads);
  const auto eps = static_cast<float>(config_.norm_eps);
  const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(config_.head_dim)));
  const Act turns{turns_.get(), 0, config_.rows(), config_.head_dim};

  backend_->LayerNorm({a_.x, w.attention_norm.weight.get(), w.attention_norm.bias.get(), eps, a_.y});
  backend_->Linear({a_.y, w.qkv.get(), Epilogue::kStore, a_.qkv, w.qkv_bias.get()});
  backend_->Rotate({a_.qkv, turns, heads});
  backend_->GroupAttention({a_.qkv, heads, config_.rows(), scale, a_.o});
  backend_->Linear({a_.o, w.o.get(), Epilogue::kAdd, a_.x, w.o_bias.get()});

  backend_->LayerNorm({a_.x, w.feed_norm.weight.get(), w.feed_norm.bias.get(), eps, a_.y});
  backend_->Linear({a_.y, w.up.get(), Epilogue::kGelu, a_.hidden, w.up_bias.get()});
  backend_->Linear({a_.hidden, w.down.get(), Epilogue::kAdd, a_.x, w.down_bias.get()});
}

void VisionTower::Project() {
  const VisionNorm& norm = weights_.post_norm;
  backend_->LayerNorm({a_.x, norm.weight.get(), norm.bias.get(), static_cast<float>(config_.norm_eps), a_.y});
  backend_->PixelShuffle({.in = a_.y,
                          .group_rows = config_.rows(),
                          .side = static_cast<int32_t>(config_.side()),
                          .factor = static_cast<int32_t>(config_.shuffle),
                          .out = a_.shuffled});
  backend_->Linear({a_.shuffled, weights_.adapter_up.get(), Epilogue::kGelu, a_.adapter});
  backend_->Linear({a_.adapter, weights_.adapter_down.get(), Epilogue::kGelu, a_.adapter_out});
  backend_->Linear({a_.adapter_out, weights_.projector.get(), Epilogue::kStore, a_.features});
  const int64_t rows = config_.feature_rows();
  ForPicturesOfBatch([&](const Picture& picture, int64_t tile, int64_t count) {
    const Act all{picture.features.get(), 0, picture.tile_count * rows, config_.out};
    const auto from = std::span(rows_).subspan(static_cast<size_t>((picture.first_tile + tile - first_tile_) * rows));
    backend_->GatherRows({a_.features, from.first(static_cast<size_t>(count * rows)), RowsOf(all, tile * rows, count * rows)});
  });
}

// ---- memory ------------------------------------------------------------------------------------------------------------------

// x and y stay; of the wide ones only the two that meet in one operation must not share memory.
VisionTower::Activations VisionTower::Place(const VisionConfig& c, Buffer* buffer, int64_t tiles) {
  Activations a;
  struct View {
    Act* act;
    int64_t rows, cols;
  };
  const auto place = [&](std::initializer_list<View> views) {
    uint64_t most = 0;
    for (const View& view : views) {
      *view.act = {buffer, static_cast<size_t>(a.bytes), view.rows, view.cols};
      const uint64_t values = CheckedMul(static_cast<uint64_t>(view.rows), static_cast<uint64_t>(view.cols), "workspace");
      most = std::max(most, CheckedMul(values, 4, "workspace"));
    }
    a.bytes = CheckedAlign(CheckedAdd(a.bytes, most, "workspace"), 64, "workspace");
  };
  const int64_t rows = tiles * c.rows(), patches = tiles * c.patches(), q = tiles * c.feature_rows();
  place({{&a.x, rows, c.width}});
  place({{&a.y, rows, c.width}, {&a.embedded, patches, c.width}, {&a.adapter, q, c.adapter}});
  place({{&a.o, rows, c.width}, {&a.adapter_out, q, c.adapter_out}});
  place({{&a.patches, patches, c.patch_values()},
         {&a.qkv, rows, 3 * c.width},
         {&a.hidden, rows, c.hidden},
         {&a.shuffled, q, c.shuffle * c.shuffle * c.width},
         {&a.features, q, c.out}});
  return a;
}

uint64_t VisionWorkspaceBytes(const VisionConfig& config, int64_t tiles) {
  return VisionTower::Place(config, nullptr, tiles).bytes;
}

// ---- steps -------------------------------------------------------------------------------------------------------------------

void VisionTower::Prepare(std::span<const std::span<const uint8_t>> pictures) {
  const auto tile_bytes = static_cast<size_t>(config_.tile_bytes());
  SCOUT_CHECK(table_.size() == 256, table_.size(), " entries for 256 bytes");
  for (const std::span<const uint8_t> tiles : pictures) {
    SCOUT_CHECK(tiles.size() % tile_bytes == 0, tiles.size(), " bytes of tiles of ", tile_bytes);
    Picture& picture = pictures_.emplace_back();
    picture.tiles = tiles;
    picture.first_tile = tile_count_;
    picture.tile_count = static_cast<int64_t>(tiles.size() / tile_bytes);
    tile_count_ += picture.tile_count;
    const uint64_t values = CheckedMul(static_cast<uint64_t>(picture.tile_count * config_.feature_rows()),
                                       static_cast<uint64_t>(config_.out), "features");
    picture.features = backend_->Alloc(MemoryKind::kWorkspace, static_cast<size_t>(CheckedMul(values, 4, "features")));
  }
  const int64_t most = std::min(tiles_at_once_, tile_count_);
  const uint64_t need = VisionWorkspaceBytes(config_, most);
  if (!workspace_ || workspace_->size_bytes() < need) {
    workspace_.reset();
    workspace_ = backend_->Alloc(MemoryKind::kWorkspace, static_cast<size_t>(need));
  }
  while (rows_.size() < static_cast<size_t>(most * config_.feature_rows())) rows_.push_back(static_cast<int32_t>(rows_.size()));
}

template <typename Body>
void VisionTower::ForPicturesOfBatch(const Body& body) {
  for (const Picture& picture : pictures_) {
    const int64_t first = std::max(picture.first_tile, first_tile_);
    const int64_t end = std::min(picture.first_tile + picture.tile_count, first_tile_ + batch_tiles_);
    if (first < end) body(picture, first - picture.first_tile, end - first);
  }
}

void VisionTower::BeginBatch() {
  batch_tiles_ = std::min(tiles_at_once_, tile_count_ - first_tile_);
  a_ = Place(config_, workspace_.get(), batch_tiles_);
  next_ = 0;
}

void VisionTower::Begin(std::span<const std::span<const uint8_t>> pictures, std::span<const float> table) noexcept {
  Abort();
  table_ = table;
  try {
    Prepare(pictures);
    BeginBatch();
  } catch (const Error& error) {
    error_ = error;
    return;
  } catch (...) {
    error_ = no_memory_;
    return;
  }
  begun_ = true;
  (void)backend_->BeginStep(plan_);
}

bool VisionTower::Advance() noexcept {
  if (!begun_ || first_tile_ == tile_count_) return true;
  if (next_ == 0) {
    Embed();
  } else if (next_ <= config_.layers) {
    Layer(next_ - 1);
  } else {
    Project();
    first_tile_ += batch_tiles_;
    if (first_tile_ == tile_count_) return true;
    BeginBatch();
    return false;
  }
  ++next_;
  return false;
}

std::optional<Error> VisionTower::Finish(std::vector<std::shared_ptr<const Features>>* features) noexcept {
  std::optional<Error> error;
  if (begun_) error = backend_->EndStep();
  if (error_) error = std::move(error_);
  if (!error && (!begun_ || first_tile_ != tile_count_))
    error = Error(ErrorCode::kInternal, "internal error: pictures were finished before their last layer");
  begun_ = false;
  if (!error) {
    try {
      features->clear();
      for (Picture& picture : pictures_)
        features->push_back(std::make_shared<const Features>(owner_, std::move(picture.features),
                                                             picture.tile_count * config_.feature_rows(), config_.out));
    } catch (...) {
      error = no_memory_;
    }
  }
  Abort();
  return error;
}

void VisionTower::Abort() noexcept {
  if (begun_) (void)backend_->EndStep();
  begun_ = false;
  error_.reset();
  pictures_.clear();
  table_ = {};
  tile_count_ = first_tile_ = batch_tiles_ = next_ = 0;
}

}  // namespace scout::model
