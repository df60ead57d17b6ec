package scout;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import java.util.function.LongFunction;

/** What an engine is made with. Each method returns the options, so that they chain. */
public final class EngineOptions {
  private final List<LongConsumer> settings = new ArrayList<>();

  private EngineOptions set(LongConsumer setting) {
    settings.add(setting);
    return this;
  }

  /** The caller runs the steps by {@link Engine#step}: no thread is made and no call waits. */
  public EngineOptions stepped() {
    return set(o -> NativeJNI.scout_engine_options_mode_set(o, 1));
  }

  /** Positions that one request may use. */
  public EngineOptions context(long positions) {
    return set(o -> NativeJNI.scout_engine_options_context_set(o, positions));
  }

  /** How keys and values are kept. */
  public EngineOptions kvFormat(KvFormat format) {
    return set(o -> NativeJNI.scout_engine_options_kv_format_set(o, format.ordinal()));
  }

  /** Memory for keys and values. */
  public EngineOptions kvBytes(long bytes) {
    return set(o -> NativeJNI.scout_engine_options_kv_bytes_set(o, bytes));
  }

  /** Most tokens of a step. */
  public EngineOptions stepRows(int rows) {
    return set(o -> NativeJNI.scout_engine_options_step_rows_set(o, rows));
  }

  /** Requests in the waiting list before submitting says {@link Status#AGAIN}. */
  public EngineOptions maxWaiting(int requests) {
    return set(o -> NativeJNI.scout_engine_options_max_waiting_set(o, requests));
  }

  /** Requests that share a step. */
  public EngineOptions maxRunning(int requests) {
    return set(o -> NativeJNI.scout_engine_options_max_running_set(o, requests));
  }

  /** Pages of finished prompts are not kept for later ones. */
  public EngineOptions noPrefixCache() {
    return set(o -> NativeJNI.scout_engine_options_no_prefix_cache_set(o, 1));
  }

  /** Requests of engines with different salts never share pages. */
  public EngineOptions cacheSalt(long salt) {
    return set(o -> NativeJNI.scout_engine_options_cache_salt_set(o, salt));
  }

  /** Most memory for what was computed of pictures that later requests may ask about again; 0 is 268435456. Not with {@link #noPictureCache}. */
  public EngineOptions pictureCacheBytes(long bytes) {
    return set(o -> NativeJNI.scout_engine_options_picture_cache_bytes_set(o, bytes));
  }

  /** Nothing is kept of a picture when the requests that need it have computed it. */
  public EngineOptions noPictureCache() {
    return set(o -> NativeJNI.scout_engine_options_no_picture_cache_set(o, 1));
  }

  static <T> T with(EngineOptions options, LongFunction<T> call) {
    if (options == null) return call.apply(0);
    long made = NativeJNI.new_scout_engine_options();
    try {
      for (LongConsumer setting : options.settings) setting.accept(made);
      return call.apply(made);
    } finally {
      NativeJNI.delete_scout_engine_options(made);
    }
  }
}
