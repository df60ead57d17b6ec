package scout;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import java.util.function.LongFunction;

/** Which frames are taken of a clip, and what it may cost: a frame a second, unless said otherwise. Methods return the options, so that they chain. */
public final class VideoOptions {
  private final List<LongConsumer> settings = new ArrayList<>();

  private VideoOptions set(LongConsumer setting) {
    settings.add(setting);
    return this;
  }

  /** Frames in all, evenly from the beginning on; 0 is by {@link #fps}. */
  public VideoOptions count(int frames) {
    return set(o -> NativeJNI.scout_video_options_count_set(o, frames));
  }

  /** Frames a second, up to 1000, not with {@link #count}; 0 is 1. A frame that is chosen twice is taken once. */
  public VideoOptions fps(double rate) {
    return set(o -> NativeJNI.scout_video_options_fps_set(o, rate));
  }

  /**
   * Only frames that differ from the last taken by at least so many percent of the most they could; 0 is all. A cut is often 10 and
   * more.
   */
  public VideoOptions sceneChange(double percent) {
    return set(o -> NativeJNI.scout_video_options_scene_change_set(o, percent));
  }

  /** Where the part to take begins, from the clip's start on. */
  public VideoOptions start(Duration time) {
    long micros = Video.micros(time);
    return set(o -> NativeJNI.scout_video_options_start_us_set(o, micros));
  }

  /** Where it ends; zero is with the clip. */
  public VideoOptions end(Duration time) {
    long micros = Video.micros(time);
    return set(o -> NativeJNI.scout_video_options_end_us_set(o, micros));
  }

  /** Of a frame in a chat, 1 to 256; 0 is 1. */
  public VideoOptions maxTiles(int tiles) {
    return set(o -> NativeJNI.scout_video_options_max_tiles_set(o, tiles));
  }

  /** 0 turns as the clip says, 1 leaves it as it is stored, 2 to 8 turn as EXIF means by that number. */
  public VideoOptions orientation(int exif) {
    return set(o -> NativeJNI.scout_video_options_orientation_set(o, exif));
  }

  /** Of the decoder; 0 is as many as the process may use, at most 8. They change no pixel. */
  public VideoOptions threads(int threads) {
    return set(o -> NativeJNI.scout_video_options_threads_set(o, threads));
  }

  /** Refuses a choice of more; 0 is 256. */
  public VideoOptions maxFrames(int frames) {
    return set(o -> NativeJNI.scout_video_options_max_frames_set(o, frames));
  }

  /** Refuses a longer clip; zero is four hours. */
  public VideoOptions maxDuration(Duration time) {
    long micros = Video.micros(time);
    return set(o -> NativeJNI.scout_video_options_max_duration_us_set(o, micros));
  }

  /** Refuses a larger clip; 0 is 4294967296. */
  public VideoOptions maxBytes(long bytes) {
    return set(o -> NativeJNI.scout_video_options_max_bytes_set(o, bytes));
  }

  /** Refuses a clip with larger frames, before one is decoded; 0 is 35389440. */
  public VideoOptions maxPixels(long pixels) {
    return set(o -> NativeJNI.scout_video_options_max_pixels_set(o, pixels));
  }

  /** Pixels decoded in all, those of frames that are not taken included; 0 is 274877906944. */
  public VideoOptions maxWork(long pixels) {
    return set(o -> NativeJNI.scout_video_options_max_work_set(o, pixels));
  }

  /** Where the plug-in that reads clips is looked for. */
  public VideoOptions pluginDir(String path) {
    byte[] bytes = Text.bytes(path);
    return set(o -> RequestOptions.check(NativeJNI.scout_video_options_set_plugin_dir(o, bytes)));
  }

  static <T> T with(VideoOptions options, LongFunction<T> call) {
    if (options == null) return call.apply(0);
    long made = NativeJNI.new_scout_video_options();
    try {
      for (LongConsumer setting : options.settings) setting.accept(made);
      return call.apply(made);
    } finally {
      NativeJNI.delete_scout_video_options(made);
    }
  }
}
