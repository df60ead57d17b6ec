#include "base/plugin.h"

#include <sys/stat.h>

#include "base/error.h"
#include "base/process.h"

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#endif
#if defined(__linux__)
#include <link.h>
#endif

namespace scout {
namespace {

constexpr size_t kPathBytes = 300;  // shown of a path in a message

bool Exists(const std::string& path) {
  struct stat info = {};
  return stat(path.c_str(), &info) == 0;
}

// A program that is linked with -static has no loader: dlopen there would bring in a second C library.
bool HasLoader() {
#if defined(__linux__)
  const auto find = [](dl_phdr_info* object, size_t, void*) {
    for (int i = 0; i < object->dlpi_phnum; ++i)
      if (object->dlpi_phdr[i].p_type == PT_INTERP) return 1;
    return 0;
  };
  return dl_iterate_phdr(find, nullptr) != 0;
#else
  return true;
#endif
}

#if defined(__unix__) || defined(__APPLE__)
// What the loader says about its last failure, as one printable line.
std::string LoaderSays() {
  const char* const text = dlerror();
  return text == nullptr ? "the loader does not say why" : Escape(text, 400);
}

bool SameText(const char* a, std::string_view b) { return a != nullptr && b == a; }

class OpenFile {
 public:
  explicit OpenFile(const std::string& path) : handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {}
  ~OpenFile() {
    if (handle_ != nullptr && !kept_) dlclose(handle_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  void* handle() const { return handle_; }
  void Keep() { kept_ = true; }

 private:
  void* handle_;
  bool kept_ = false;
};
#endif

}  // namespace

std::string PluginPath(std::string_view name, std::string_view folder) {
  const std::string own = folder.empty() ? OwnFolder() : std::string();
  if (folder.empty() && own.empty()) return {};  // never the current folder
  std::string path = folder.empty() ? own + "scout" : std::string(folder);
  // With a '/' in it the loader takes a path as it is and searches nowhere.
  if (path.find('/') == std::string::npos) path = "./" + path;
  return StrCat(path, "/libscout-", name, ".so");
}

bool IsPluginThere(std::string_view name, std::string_view folder) {
  const std::string path = PluginPath(name, folder);
  return !path.empty() && Exists(path);
}

const PluginEntry& OpenPlugin(const PluginRequest& request) {
  const std::string path = PluginPath(request.name, request.folder);
  const std::string shown = Escape(path, kPathBytes);
  if (path.empty())
    Fail(ErrorCode::kUnsupported, request.purpose, " needs the plug-in ", request.name,
         ", but the system does not say where libscout lies: name a folder");
  if (!Exists(path))
    Fail(ErrorCode::kUnsupported, request.purpose, " needs the plug-in ", request.name, ", which is not installed: there is no ",
         shown);
  if (!HasLoader())
    Fail(ErrorCode::kUnsupported, request.purpose, " needs the plug-in ", request.name,
         ", but this program is linked with -static and cannot open plug-ins");
#if defined(__unix__) || defined(__APPLE__)
  OpenFile file(path);
  if (file.handle() == nullptr) Fail(ErrorCode::kUnsupported, "the plug-in ", request.name, " cannot be opened: ", LoaderSays());
  const auto entry_function = reinterpret_cast<PluginEntryFunction>(dlsym(file.handle(), kPluginSymbol));
  if (entry_function == nullptr) Fail(ErrorCode::kUnsupported, shown, " is no plug-in of libscout: it has no ", kPluginSymbol);
  const PluginEntry* const entry = entry_function();
  if (entry == nullptr || entry->magic != kPluginMagic || entry->entry_bytes < sizeof(PluginEntry))
    Fail(ErrorCode::kUnsupported, shown, " is a plug-in of another libscout: its description is not known here");
  if (!SameText(entry->name, request.name))
    Fail(ErrorCode::kUnsupported, shown, " is the plug-in ", Escape(entry->name == nullptr ? "" : entry->name), ", expected ",
         request.name);
  if (!SameText(entry->contract, request.contract))
    Fail(ErrorCode::kUnsupported, shown, " was built for another libscout (",
         Escape(entry->version == nullptr ? "" : entry->version), ", contract ",
         Escape(entry->contract == nullptr ? "" : entry->contract), ", expected ", request.contract,
         "): install the one that came with this library");
  if (entry->table == nullptr) Fail(ErrorCode::kUnsupported, shown, " gives no table");
  file.Keep();
  return *entry;
#else
  Fail(ErrorCode::kUnsupported, request.purpose, " needs the plug-in ", request.name, ", which this system cannot open");
#endif
}

}  // namespace scout
