// What libscout-media.so gives away.
#include "base/plugin_entry.h"
#include "media/decoders.h"

extern "C" __attribute__((visibility("default"))) const scout::PluginEntry* scout_plugin_entry() noexcept;

extern "C" const scout::PluginEntry* scout_plugin_entry() noexcept {
  using namespace scout::media;
  static const MediaTable kTable = {{
#if defined(SCOUT_MEDIA_PNG)
      PngDecoder(),
#else
      {},
#endif
#if defined(SCOUT_MEDIA_JPEG)
      JpegDecoder(),
#else
      {},
#endif
#if defined(SCOUT_MEDIA_WEBP)
      WebpDecoder(),
#else
      {},
#endif
  }};
  static const scout::PluginEntry kEntry = {scout::kPluginMagic,   sizeof(scout::PluginEntry), "media",
                                            SCOUT_PLUGIN_CONTRACT, SCOUT_PLUGIN_VERSION,       &kTable};
  return &kEntry;
}
