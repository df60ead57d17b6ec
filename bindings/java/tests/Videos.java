import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import scout.Chat;
import scout.Model;
import scout.ScoutException;
import scout.Status;
import scout.Video;
import scout.VideoOptions;

/** The behaviours of clips (bindings/conformance). */
final class Videos extends Suite {
  private final Model model;

  Videos(Model model, Map<String, Conformance.Kind> kinds) {
    this.model = model;
    kinds.put("video", Videos::video);
    kinds.put("error_video", c -> fails(c, () -> refused(c)));
  }

  private static VideoOptions videoOptions(Case c) {
    VideoOptions made = new VideoOptions();
    for (String line : c.all("video_option")) {
      String[] part = line.split(" ");
      double value = Double.parseDouble(part[1]);
      switch (part[0]) {
        case "count" -> made.count((int) value);
        case "fps" -> made.fps(value);
        case "scene_change" -> made.sceneChange(value);
        case "start_us" -> made.start(Duration.ofNanos((long) value * 1000));
        case "end_us" -> made.end(Duration.ofNanos((long) value * 1000));
        case "orientation" -> made.orientation((int) value);
        case "max_frames" -> made.maxFrames((int) value);
        case "max_bytes" -> made.maxBytes((long) value);
        case "max_work" -> made.maxWork((long) value);
        default -> throw new Mismatch("unknown video option " + part[0]);
      }
    }
    return made;
  }

  /** Nothing can be shown of a clip where the library has no plug-in for video. */
  static Video opened(byte[] clip, VideoOptions options) {
    try {
      return Video.fromBytes(clip, options);
    } catch (ScoutException error) {
      if (error.status() == Status.ERR_UNSUPPORTED && error.getMessage().contains("plug-in")) throw new NotApplicable(error.getMessage());
      throw error;
    }
  }

  private static Video opened(Case c) {
    return opened(unescape(c.one("clip")), videoOptions(c));
  }

  /** The frames that are left. */
  static List<Video.Frame> all(Video video) {
    List<Video.Frame> frames = new ArrayList<>();
    for (Video.Frame frame : video) frames.add(frame);
    return frames;
  }

  private static void video(Case c) {
    try (Video video = opened(c)) {
      Video.Info info = video.info();
      same("info", c.ints("info"), new int[] {info.width(), info.height(), info.orientation(), (int) (info.duration().toNanos() / 1000), (int) info.frames()});
      if (Math.abs(c.doubles("frame_rate")[0] - info.frameRate()) > 1e-6) throw new Mismatch("frame rate: " + info.frameRate());
      same("container", c.one("container"), info.container());
      same("codec", c.one("codec"), info.codec());
      List<Video.Frame> frames = all(video);
      same("the end", 0, all(video).size());
      same("the end stays", null, video.next());
      same("times", c.ints("times"), frames.stream().mapToInt(frame -> (int) (frame.time().toNanos() / 1000)).toArray());
      int[] sums = new int[frames.size()];
      for (int i = 0; i < sums.length; i++) {
        same("format", "video", frames.get(i).image().info().format());
        sums[i] = Pictures.checksum(frames.get(i).image().tile(0, Pictures.tileOptions(c)));
        frames.get(i).close();
      }
      same("checksums", Arrays.toString(c.ints("checksums")), Arrays.toString(sums));
    }
  }

  private void refused(Case c) {
    if (c.one("call").equals("file")) {
      Video.fromFile(c.one("path"), videoOptions(c)).close();
      return;
    }
    try (Video video = opened(c); Chat chat = model.chat().begin(Chat.Role.USER)) {
      switch (c.one("call")) {
        case "bytes" -> {}
        case "next" -> all(video);
        case "cancelled" -> {
          video.cancel();
          video.next();
        }
        case "closed" -> {
          video.close();
          video.next();
        }
        case "chat" -> chat.addVideo(video);
        case "chat_frame" -> {
          try (Video.Frame frame = video.next()) {
            chat.addFrame(frame);
          }
        }
        default -> throw new Mismatch("unknown call " + c.one("call"));
      }
    }
  }
}
