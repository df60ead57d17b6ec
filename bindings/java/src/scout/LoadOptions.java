package scout;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import java.util.function.LongFunction;

/** How a model is loaded. Each method returns the options, so that they chain. */
public final class LoadOptions {
  private final List<LongConsumer> settings = new ArrayList<>();

  private LoadOptions set(LongConsumer setting) {
    settings.add(setting);
    return this;
  }

  /** "cpu", "ref": see {@link Model#devices}. */
  public LoadOptions device(String name) {
    byte[] bytes = Text.bytes(name);
    return set(o -> RequestOptions.check(NativeJNI.scout_load_options_set_device(o, bytes)));
  }

  /** What lies on which device: "experts=cpu", "layers 0-23=cuda:0; layers 24-47=cuda:1". The grammar is in scout/model.h. */
  public LoadOptions placement(String items) {
    byte[] bytes = Text.bytes(items);
    return set(o -> RequestOptions.check(NativeJNI.scout_load_options_set_placement(o, bytes)));
  }

  /** Where plug-ins are looked for. */
  public LoadOptions pluginDir(String path) {
    byte[] bytes = Text.bytes(path);
    return set(o -> RequestOptions.check(NativeJNI.scout_load_options_set_plugin_dir(o, bytes)));
  }

  /** Compute threads; 0 is as many as the process may use. */
  public LoadOptions threads(int value) {
    return set(o -> NativeJNI.scout_load_options_threads_set(o, value));
  }

  /** What sums may depend on. */
  public LoadOptions numerics(Numerics value) {
    return set(o -> NativeJNI.scout_load_options_numerics_set(o, value.ordinal()));
  }

  /** How keys and values are kept. */
  public LoadOptions kvFormat(KvFormat format) {
    return set(o -> NativeJNI.scout_load_options_kv_format_set(o, format.ordinal()));
  }

  /** Positions that one request may use. */
  public LoadOptions context(long positions) {
    return set(o -> NativeJNI.scout_load_options_context_set(o, positions));
  }

  /** Memory for keys and values. */
  public LoadOptions kvBytes(long bytes) {
    return set(o -> NativeJNI.scout_load_options_kv_bytes_set(o, bytes));
  }

  /** Refuses to load what needs more. */
  public LoadOptions memoryLimitBytes(long bytes) {
    return set(o -> NativeJNI.scout_load_options_memory_limit_bytes_set(o, bytes));
  }

  /** Maps the file instead of reading it. A file that shrinks then ends the process. */
  public LoadOptions mapFile() {
    return set(o -> NativeJNI.scout_load_options_map_file_set(o, 1));
  }

  /** Loads the vision tower too, where the files have one or one mmproj*.gguf lies beside them, so that chats can hold pictures. */
  public LoadOptions vision() {
    return set(o -> NativeJNI.scout_load_options_vision_set(o, 1));
  }

  /** What a load does with a packed side-file, with which a GGUF file loads in milliseconds, shared by processes. */
  public enum Pack {
    /** There is none. */
    NONE,
    /** It is used, and must fit the file and the machine. */
    USE,
    /** It is used after all of it was compared with its hashes. */
    CHECK,
    /** The model is loaded from the file, and the side-file written. */
    WRITE
  }

  /** Uses or writes a packed side-file beside the GGUF file: its path with ".pack" behind it. A side-file that shrinks ends the process. */
  public LoadOptions pack(Pack how) {
    return set(o -> NativeJNI.scout_load_options_pack_set(o, how.ordinal()));
  }

  /** Where the packed side-file lies. */
  public LoadOptions packPath(String path) {
    byte[] bytes = Text.bytes(path);
    return set(o -> RequestOptions.check(NativeJNI.scout_load_options_set_pack_path(o, bytes)));
  }

  static <T> T with(LoadOptions options, LongFunction<T> call) {
    if (options == null) return call.apply(0);
    long made = NativeJNI.new_scout_load_options();
    try {
      for (LongConsumer setting : options.settings) setting.accept(made);
      return call.apply(made);
    } finally {
      NativeJNI.delete_scout_load_options(made);
    }
  }
}
