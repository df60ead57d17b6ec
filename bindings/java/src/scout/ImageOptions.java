package scout;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import java.util.function.LongFunction;

/** How a picture is read. Each method returns the options, so that they chain. */
public final class ImageOptions {
  /** What becomes of pixels that are not opaque. */
  public enum Alpha {
    /** As {@link #DROP}. */
    DEFAULT,
    /** The colour as it is stored; where nothing shows that is often black. */
    DROP,
    /** Over white, as most people see such a picture. */
    WHITE
  }

  private final List<LongConsumer> settings = new ArrayList<>();

  private ImageOptions set(LongConsumer setting) {
    settings.add(setting);
    return this;
  }

  /** What becomes of pixels that are not opaque. */
  public ImageOptions alpha(Alpha rule) {
    return set(o -> NativeJNI.scout_image_options_alpha_set(o, rule.ordinal()));
  }

  /** 0 turns as the file's EXIF says, 1 leaves it as it is stored, 2 to 8 turn as EXIF means by that number. */
  public ImageOptions orientation(int exif) {
    return set(o -> NativeJNI.scout_image_options_orientation_set(o, exif));
  }

  /** Refuses a picture with more, before it is decoded; 0 is 134217728. */
  public ImageOptions maxPixels(long pixels) {
    return set(o -> NativeJNI.scout_image_options_max_pixels_set(o, pixels));
  }

  /** Refuses a file with more; 0 is 268435456. */
  public ImageOptions maxBytes(long bytes) {
    return set(o -> NativeJNI.scout_image_options_max_bytes_set(o, bytes));
  }

  /** Where the plug-in that reads files is looked for. */
  public ImageOptions pluginDir(String path) {
    byte[] bytes = Text.bytes(path);
    return set(o -> RequestOptions.check(NativeJNI.scout_image_options_set_plugin_dir(o, bytes)));
  }

  static <T> T with(ImageOptions options, LongFunction<T> call) {
    if (options == null) return call.apply(0);
    long made = NativeJNI.new_scout_image_options();
    try {
      for (LongConsumer setting : options.settings) setting.accept(made);
      return call.apply(made);
    } finally {
      NativeJNI.delete_scout_image_options(made);
    }
  }
}
