#include "gpu/device.h"

#include <algorithm>

#include "backend/host_weight.h"
#include "backend/page_format.h"
#include "base/checked.h"
#include "base/log.h"
#include "base/memory_info.h"
#include "gpu/arguments.h"

namespace scout::gpu {

void Check(const DriverStatus& status, const char* device, const char* what) {
  if (status.ok()) return;
  Fail(status.no_memory ? ErrorCode::kNoMemory : ErrorCode::kDevice, device, ": ", what, ": ", status.text, " (", status.code, ")");
}

const char* NameOf(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::kWeights:
      return "weights";
    case MemoryKind::kKv:
      return "keys and values";
    case MemoryKind::kWorkspace:
      return "a workspace";
    case MemoryKind::kStaging:
      break;
  }
  return "staging";
}

Device::Device(std::shared_ptr<Driver> driver, size_t slot_bytes) : driver_(std::move(driver)), ring_(*this, slot_bytes) {
  DeviceFacts facts;
  gpu::Check(driver_->Facts(facts), "device", "asked for its name");
  name_ = facts.name;
  Check(driver_->MakeStream(&stream_), "a stream");
}
Device::~Device() { driver_->FreeStream(stream_); }

DeviceFacts Device::Facts() const {
  DeviceFacts facts;
  Check(driver_->Facts(facts), "asked for its memory");
  return facts;
}

std::string Device::Room() const {
  DeviceFacts facts;
  if (!driver_->Facts(facts).ok()) return "the device does not say how much is free";
  return StrCat(facts.memory_free_bytes, " of ", facts.memory_total_bytes, " bytes of ", facts.description, " are free");
}

void Device::Check(const DriverStatus& status, const char* what) const {
  if (status.ok()) return;
  if (status.lost) {
    const std::lock_guard lock(loss_mutex_);
    if (loss_.empty()) loss_ = StrCat(what, ": ", status.text, " (", status.code, ")");
    lost_.store(true, std::memory_order_relaxed);
  }
  if (lost()) {
    const std::lock_guard lock(loss_mutex_);
    Fail(ErrorCode::kDevice, name_, ": the device is lost since ", loss_,
         "; free what is on it and load again, or start the process again");
  }
  if (status.no_memory) Fail(ErrorCode::kNoMemory, name_, ": ", what, ": ", status.text, " (", status.code, "): ", Room());
  gpu::Check(status, name(), what);
}

void Device::Upload(std::span<const Piece> pieces) {
  size_t all = 0;
  for (const Piece& piece : pieces) all += piece.bytes;
  if (all == 0) return;
  const std::lock_guard lock(mutex_);
  if (all > ring_.slot_bytes() && ring_.Ready()) {
    for (const Piece& piece : pieces)
      if (piece.bytes > 0) ring_.Add(piece.to, piece.from, piece.bytes, "upload");
    ring_.Finish("upload");
    return;
  }
  Copy(pieces, &Driver::CopyIn, "upload");
}
void Device::Download(std::span<const Piece> pieces) {
  const std::lock_guard lock(mutex_);
  Copy(pieces, &Driver::CopyOut, "download");
}
void Device::Copy(std::span<const Piece> pieces, CopyCall copy, const char* what) {
  DriverStatus status;
  size_t all = 0;
  for (const Piece& piece : pieces) {
    if (piece.bytes == 0 || !status.ok()) continue;
    status = (driver_.get()->*copy)(stream_, piece.to, piece.from, piece.bytes);
    all += piece.bytes;
  }
  if (all == 0) return;
  const DriverStatus waited = driver_->Synchronize(stream_);  // nothing is copied any more, whatever failed
  Check(status, what);
  Check(waited, what);
}
void Device::CopyWithin(void* to, const void* from, size_t bytes) {
  if (bytes == 0 || to == from) return;
  const std::lock_guard lock(mutex_);
  Check(driver_->CopyWithin(stream_, to, from, bytes), "copy");
  Check(driver_->Synchronize(stream_), "copy");
}

void Device::Launch(const char* what, const void* kernel, unsigned threads, size_t shared_bytes, const void* arguments,
                    size_t bytes, unsigned grid) {
  const std::lock_guard lock(mutex_);
  Check(driver_->Launch(stream_, {what, kernel, {grid, 1}, threads, shared_bytes, arguments, bytes}), what);
  Check(driver_->Synchronize(stream_), what);
}

const Device::FastInstructions& Device::fast_instructions() {
  std::call_once(fast_asked_, [&] { fast_instructions_ = CheckFastInstructions(shared_from_this()); });
  return fast_instructions_;
}

const LibraryRace& Device::library_race(bool bf16) {
  const size_t at = bf16 ? 1 : 0;
  std::call_once(raced_[at], [&] { races_[at] = RaceLibrary(shared_from_this(), bf16); });
  return races_[at];
}
void Device::GiveUpLibrary(const LibraryStatus& failed) {
  try {
    Check(failed.status, failed.call);
  } catch (const Error& error) {
    GiveUpLibrary(error);
  }
}
void Device::GiveUpLibrary(const Error& failure) {
  if (lost()) throw failure;
  const std::lock_guard lock(library_mutex_);
  if (!has_library_.exchange(false, std::memory_order_relaxed)) return;
  library_failure_ = failure;
  Log(failure.code() == ErrorCode::kUnsupported ? LogLevel::kInfo : LogLevel::kWarning, failure.what(),
      "; own kernels serve products of halves");
}
std::optional<Error> Device::library_failure() const {
  const std::lock_guard lock(library_mutex_);
  return library_failure_;
}

std::shared_ptr<Device> SharedDevice::Get(const std::function<std::shared_ptr<Driver>()>& open) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Device> device = device_.lock();
  if (device && !device->lost()) return device;
  device = std::make_shared<Device>(open());
  CheckInstructions(device);
  device_ = device;
  return device;
}

DeviceBlock::DeviceBlock(std::shared_ptr<Device> device, size_t bytes, bool staging, const char* what)
    : device_(std::move(device)), bytes_(bytes), staging_(staging) {
  if (bytes == 0) return;
  Driver& driver = device_->driver();
  const DriverStatus status = staging ? driver.AllocateStaging(bytes, &block_) : driver.Allocate(bytes, &block_);
  if (!status.ok()) block_ = nullptr;
  if (!status.ok() && status.no_memory && staging) {
    const MemoryInfo host = ReadMemoryInfo();
    Fail(ErrorCode::kNoMemory, device_->name(), ": no ", bytes, " bytes of the host's memory for the copies of ", what, ": ",
         host.left_bytes, " of ", host.total_bytes, " bytes are left by ", host.limited_by);
  }
  if (!status.ok() && status.no_memory)
    Fail(ErrorCode::kNoMemory, device_->name(), ": no ", bytes, " bytes for ", what, ": ", device_->Room());
  device_->Check(status, what);
}
DeviceBlock::~DeviceBlock() {
  if (!block_) return;
  if (staging_)
    device_->driver().FreeStaging(block_);
  else
    device_->driver().Free(block_);
}
DeviceBlock& DeviceBlock::operator=(DeviceBlock&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(block_, other.block_);
  std::swap(bytes_, other.bytes_);
  std::swap(staging_, other.staging_);
  return *this;
}

DeviceWeight::DeviceWeight(const std::shared_ptr<Device>& device, const WeightDesc& desc, bool as_f32) {
  const auto host = HostWeight::Read(desc, as_f32);
  rows_ = host->rows();
  cols_ = host->cols();
  experts_ = host->experts();
  meets_floats_ = host->meets_floats();
  for (const HostWeight::Part& from : host->parts()) {
    Part part;
    part.format = from.format;
    part.first_row = from.first_row;
    part.rows = from.rows;
    part.row_bytes = from.row_bytes;
    const size_t bytes = static_cast<size_t>(from.rows) * from.row_bytes;
    part.expert_bytes = (bytes + 255) / 256 * 256;
    part.block = DeviceBlock(device, CheckedMul(part.expert_bytes, static_cast<uint64_t>(experts_), "tensor"), false, desc.name);
    std::vector<Device::Piece> pieces;
    for (int64_t e = 0; e < experts_; ++e)
      pieces.push_back(
          {part.block.data() + static_cast<size_t>(e) * part.expert_bytes, from.expert[static_cast<size_t>(e)], bytes});
    device->Upload(pieces);
    parts_.push_back(std::move(part));
  }
}
DeviceWeight::DeviceWeight(const std::shared_ptr<Device>& device, DType format, int64_t rows, int64_t cols)
    : rows_(rows), cols_(cols) {
  Part part;
  part.format = format;
  part.rows = rows;
  part.row_bytes = RowBytes(format, static_cast<uint64_t>(cols));
  part.expert_bytes = (static_cast<size_t>(rows) * part.row_bytes + 255) / 256 * 256;
  part.block = DeviceBlock(device, part.expert_bytes, false, "a measurement");
  parts_.push_back(std::move(part));
}
size_t DeviceWeight::size_bytes() const {
  size_t sum = 0;
  for (const Part& part : parts_) sum += part.block.size();
  return sum;
}

DevicePages::DevicePages(const std::shared_ptr<Device>& device, const PageGroupSpec& spec) : spec_(spec) {
  SCOUT_CHECK(spec.layers >= 0 && spec.page_size > 0 && spec.kv_heads > 0 && spec.head_dim > 0 && spec.page_count >= 0,
              "a page group of ", spec.layers, " layers, ", spec.page_size, " positions, ", spec.kv_heads, " x ", spec.head_dim);
  const auto heads = static_cast<uint64_t>(spec.kv_heads);
  k_slot_bytes_ = CheckedMul(heads, HeadBytes(spec.k_format, spec.head_dim), "bytes of a position");
  v_slot_bytes_ = CheckedMul(heads, HeadBytes(spec.v_format, spec.head_dim), "bytes of a position");
  layer_bytes_ = CheckedMul(CheckedAdd(k_slot_bytes_, v_slot_bytes_, "bytes of a position"), static_cast<uint64_t>(spec.page_size),
                            "bytes of a page");
  // Blocks of 34 bytes before values of four may leave those where a device cannot load them.
  const uint64_t k_bytes = k_slot_bytes_ * static_cast<uint64_t>(spec.page_size);
  const bool has_f32 = spec.k_format == DType::kF32 || spec.v_format == DType::kF32;
  if (has_f32 && (k_bytes % 4 != 0 || layer_bytes_ % 4 != 0))
    Fail(ErrorCode::kUnsupported, device->name(), ": pages of ", spec.page_size, " positions with keys as ",
         InfoOf(spec.k_format).name, " and values as ", InfoOf(spec.v_format).name, " take ", k_bytes, " + ",
         layer_bytes_ - k_bytes, " bytes, expected multiples of 4");
  page_bytes_ = CheckedMul(layer_bytes_, static_cast<uint64_t>(spec.layers), "bytes of a page");
  block_ = DeviceBlock(device, CheckedMul(page_bytes_, static_cast<uint64_t>(spec.page_count), "bytes of a page pool"), false,
                       "pages of keys and values");
}
uint8_t* DevicePages::Page(int64_t page, size_t bytes) const {
  SCOUT_CHECK(page >= 0 && page < spec_.page_count, "page ", page, " of ", spec_.page_count);
  SCOUT_CHECK(bytes == page_bytes_, bytes, " bytes for a page of ", page_bytes_);
  return block_.data() + static_cast<size_t>(page) * page_bytes_;
}

int PageFormat(DType format) { return format == DType::kQ8_0 ? static_cast<int>(kPageQ8) : FloatFormat(format); }

namespace {
constexpr DType kFloats[kFloatFormats] = {DType::kF32, DType::kF16, DType::kBF16};
constexpr DType kBlocks[kBlockFormats] = {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,
                                          DType::kQ2_K, DType::kQ3_K, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};
}  // namespace

int FloatFormat(DType format) {
  const auto* const at = std::find(std::begin(kFloats), std::end(kFloats), format);
  return at == std::end(kFloats) ? -1 : static_cast<int>(at - kFloats);
}
int BlockFormat(DType format) {
  const auto* const at = std::find(std::begin(kBlocks), std::end(kBlocks), format);
  return at == std::end(kBlocks) ? -1 : static_cast<int>(at - kBlocks);
}

}  // namespace scout::gpu
