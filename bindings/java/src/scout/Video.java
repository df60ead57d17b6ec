package scout;

import java.time.Duration;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.function.LongFunction;

/**
 * A clip: the frames that its options choose, in the order of their times, once. It needs no model. One thread at a time takes frames; any may
 * cancel or close.
 *
 * <pre>{@code
 * try (Video video = Video.fromFile("clip.mp4", new VideoOptions().fps(2))) {
 *   for (Video.Frame frame : video) {
 *     try (frame) {
 *       System.out.println(frame.time() + " " + frame.image().info().width());
 *     }
 *   }
 * }
 * try (Model model = Model.load("Llama-4-Scout.gguf", new LoadOptions().vision());
 *     Video video = Video.fromFile("clip.mp4");
 *     Engine engine = model.engine();
 *     Chat chat = model.chat().begin(Chat.Role.USER).addVideo(video).addText("What happens here?")) {
 *   for (Event event : engine.submit(chat)) System.out.print(event.text());
 * }
 * }</pre>
 */
public final class Video extends Handle implements Iterable<Video.Frame> {
  /**
   * A picture with its time: a part of a message ({@link Chat#addFrame}). Any picture will do; those of a clip come with their times.
   *
   * @param image closed with the frame; a chat keeps what it was given
   * @param time when it is shown, from the clip's start on
   * @param maxTiles of the picture in a chat, 1 to 256; 0 is 1
   */
  public record Frame(Image image, Duration time, int maxTiles) implements AutoCloseable {
    @Override
    public void close() {
      image.close();
    }
  }

  /**
   * What a clip is.
   *
   * @param width of a frame, once turned, in pixels
   * @param height of a frame, once turned, in pixels
   * @param duration of the clip
   * @param frameRate frames a second of the clip; 0: it does not say
   * @param frames that are chosen; as many come, or fewer
   * @param orientation EXIF's number by which frames are turned; 1: they are not
   * @param container "MP4", "QuickTime", "Matroska" or "WebM"
   * @param codec "H.264", "HEVC", "VP8", "VP9", "AV1" or "MJPEG"
   * @param decoder FFmpeg's name of the decoder
   * @param library FFmpeg's versions and the licence that its build is under
   */
  public record Info(int width, int height, Duration duration, double frameRate, long frames, int orientation, String container, String codec,
      String decoder, String library) {}

  private static final long NANOS = 1000; // of a microsecond
  private final int maxTiles;

  private Video(long pointer, int maxTiles) {
    super(pointer, "video", NativeJNI::scout_video_free, NativeJNI::scout_video_cancel);
    this.maxTiles = maxTiles;
  }

  /** Makes a handle; the options are the call's. */
  private interface Making {
    int call(long options, long[] video);
  }

  private static Video made(VideoOptions options, Making making) {
    return VideoOptions.with(options, o -> {
      long[] video = new long[1];
      making.call(o, video);
      return new Video(video[0], o == 0 ? 0 : NativeJNI.scout_video_options_max_tiles_get(o));
    });
  }

  /**
   * Opens an MP4, QuickTime, Matroska or WebM file, which stays open until {@link #close}; its name does not matter; null are the default
   * options. {@link Status#ERR_UNSUPPORTED} names another container or codec, and says when the library's plug-in for video is missing.
   */
  public static Video fromFile(String path, VideoOptions options) {
    byte[] bytes = Text.terminated("path", path);
    return made(options, (o, video) -> NativeJNI.scout_video_open(bytes, o, video));
  }

  /** {@link #fromFile(String, VideoOptions)} with the defaults. */
  public static Video fromFile(String path) {
    return fromFile(path, null);
  }

  /** Opens the bytes of such a file, which are copied; null are the default options. */
  public static Video fromBytes(byte[] file, VideoOptions options) {
    return made(options, (o, video) -> NativeJNI.scout_video_from_bytes(file, o, video));
  }

  /** {@link #fromBytes(byte[], VideoOptions)} with the defaults. */
  public static Video fromBytes(byte[] file) {
    return fromBytes(file, null);
  }

  static long micros(Duration time) {
    try {
      return Math.addExact(Math.multiplyExact(time.getSeconds(), 1_000_000L), time.getNano() / NANOS);
    } catch (ArithmeticException error) {
      throw new ScoutException(Status.ERR_ARGUMENT, "the time " + time + " is past 64 bits of microseconds");
    }
  }

  /** What the clip is. */
  public Info info() {
    return call(p -> {
      long made = NativeJNI.new_scout_video_info();
      try {
        NativeJNI.scout_video_get_info(p, made);
        LongFunction<Duration> micros = us -> Duration.ofNanos(Math.multiplyExact(us, NANOS));
        return new Info((int) NativeJNI.scout_video_info_width_get(made), (int) NativeJNI.scout_video_info_height_get(made),
            micros.apply(NativeJNI.scout_video_info_duration_us_get(made)), NativeJNI.scout_video_info_frame_rate_get(made),
            NativeJNI.scout_video_info_frames_get(made), NativeJNI.scout_video_info_orientation_get(made),
            Text.string(NativeJNI.scout_video_info_container_get(made)), Text.string(NativeJNI.scout_video_info_codec_get(made)),
            Text.string(NativeJNI.scout_video_info_decoder_get(made)), Text.string(NativeJNI.scout_video_info_library_get(made)));
      } finally {
        NativeJNI.delete_scout_video_info(made);
      }
    });
  }

  /** The next frame, to be closed by the caller; null at the end. After a failure every further call fails as the first did. */
  public Frame next() {
    return call(p -> {
      long[] image = new long[1];
      long[] time = new long[1];
      int status = NativeJNI.scout_video_next(p, image, time);
      return status == Status.DONE.code() ? null : new Frame(new Image(image[0]), Duration.ofNanos(Math.multiplyExact(time[0], NANOS)), maxTiles);
    });
  }

  /** The frames that were not taken yet. */
  @Override
  public Iterator<Frame> iterator() {
    return new Iterator<>() {
      private Frame ahead;

      @Override
      public boolean hasNext() {
        if (ahead == null) ahead = Video.this.next();
        return ahead != null;
      }

      @Override
      public Frame next() {
        if (!hasNext()) throw new NoSuchElementException();
        Frame frame = ahead;
        ahead = null;
        return frame;
      }
    };
  }

  /** Ends the call under way in another thread, soon, and those that follow, with {@link Status#ERR_CANCELLED}. Harmless after {@link #close}. */
  public void cancel() {
    try {
      call(NativeJNI::scout_video_cancel);
    } catch (ScoutException error) {
      if (error.status() != Status.ERR_STATE) throw error;
    }
  }
}
