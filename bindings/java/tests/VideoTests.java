import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import scout.Chat;
import scout.Engine;
import scout.Event;
import scout.LoadOptions;
import scout.Model;
import scout.Request;
import scout.RequestOptions;
import scout.Status;
import scout.Video;
import scout.VideoOptions;

/** Clips: of files, closed and cancelled under those who take frames, and in a chat with a model that sees. */
final class VideoTests {
  private VideoTests() {}

  /** 16 x 16 pixels, two seconds, two frames a second. */
  private static byte[] clip() {
    try {
      for (Suite.Case c : Suite.read(Path.of(System.getenv("SCOUT_LIST")))) {
        if (c.name.equals("video.a_frame_a_second")) return Suite.unescape(c.one("clip"));
      }
    } catch (Exception error) {
      throw new AssertionError("the list cannot be read", error);
    }
    throw new AssertionError("the list has no clip");
  }

  private static VideoOptions many() {
    return new VideoOptions().fps(1000).maxFrames(4000);
  }

  static void all(Model model) {
    byte[] clip = clip();
    try (Video video = Videos.opened(clip, null)) {
      Interface.same(16, video.info().width());
    } catch (Suite.NotApplicable why) {
      System.out.println("skipped: " + why.getMessage());
      return;
    }
    Interface.test("a file is a clip whatever its name", () -> {
      Path path = Files.createTempFile("clip", ".txt");
      try {
        Files.write(path, clip);
        try (Video video = Video.fromFile(path.toString(), new VideoOptions().fps(2).maxTiles(3))) {
          List<Video.Frame> frames = Videos.all(video);
          Interface.same("[0, 500, 1000, 1500]", frames.stream().map(frame -> frame.time().toMillis()).toList().toString());
          Interface.same(3, frames.get(0).maxTiles());
          video.close();
          Interface.same(16, frames.get(3).image().info().width());
        }
        Interface.same(Status.ERR_UNSUPPORTED, Interface.fails(() -> Video.fromFile(path.toString(), new VideoOptions().pluginDir("no/such/folder"))));
      } finally {
        Files.delete(path);
      }
      Interface.same(Status.ERR_ARGUMENT, Interface.fails(() -> Video.fromFile("a\0b")));
      Interface.same(Status.ERR_ARGUMENT, Interface.fails(() -> new VideoOptions().start(Duration.ofSeconds(Long.MAX_VALUE))));
      for (Runnable call : Arrays.<Runnable>asList(() -> Video.fromBytes(null), () -> Video.fromFile(null), () -> model.chat().addVideo(null),
          () -> model.chat().addFrame(null))) {
        try {
          call.run();
          throw new AssertionError("null was taken");
        } catch (NullPointerException expected) {
          continue;
        }
      }
    });
    Interface.test("a closed clip may be closed again, and says that it is closed", () -> {
      Video video = Video.fromBytes(clip);
      video.close();
      video.close();
      video.cancel();
      for (Callable<?> use : List.<Callable<?>>of(video::info, video::next, () -> model.chat().begin(Chat.Role.USER).addVideo(video))) {
        Interface.same(Status.ERR_STATE, Interface.fails(use));
      }
    });
    Interface.test("a loop over frames that is left goes on where it was", () -> {
      try (Video video = Video.fromBytes(clip, new VideoOptions().fps(2))) {
        for (Video.Frame frame : video) {
          frame.close();
          break;
        }
        Interface.same(3, Videos.all(video).size());
      }
    });
    Interface.test("another thread cancels a clip, or closes it", () -> {
      for (int round = 0; round < 20; round++) {
        Video video = Video.fromBytes(clip, many());
        CompletableFuture<Status> taking = Interface.started(() -> Interface.fails(() -> {
          while (true) {
            try (Video.Frame frame = video.next()) {
              if (frame != null) Interface.same(0, frame.maxTiles());
            }
          }
        }));
        if (round % 2 == 0) {
          video.cancel();
        } else {
          video.close();
        }
        Status found = Interface.within(taking);
        Interface.holds(found == Status.ERR_CANCELLED || (found == Status.ERR_STATE && round % 2 == 1), "ended with " + found);
        video.close();
      }
    });
    Interface.test("a clip is its frames with their times", () -> {
      List<Video.Frame> frames = Videos.all(Video.fromBytes(clip));
      List<Consumer<Chat>> ways = List.of(chat -> chat.addVideo(Video.fromBytes(clip)), chat -> frames.forEach(chat::addFrame),
          chat -> frames.forEach(frame -> chat.addText("[" + frame.time().getSeconds() + ".0 s]").addImage(frame.image())));
      List<String> found = new ArrayList<>();
      try (Model seeing = Model.load(System.getenv("SCOUT_SEEING"), new LoadOptions().vision()); Engine engine = seeing.engine()) {
        for (Consumer<Chat> way : ways) {
          try (Chat chat = seeing.chat().begin(Chat.Role.USER)) {
            way.accept(chat);
            chat.addText("What moves?");
            StringBuilder shown = new StringBuilder(Arrays.toString(chat.tokens()));
            try (Request request = engine.submit(chat, new RequestOptions().maxTokens(6).ignoreEnd().logprobs(0))) {
              for (Event event : request) shown.append(Arrays.toString(event.logprobs()));
            }
            found.add(shown.toString());
          }
        }
        Interface.same(found.get(0), found.get(1));
        Interface.same(found.get(0), found.get(2));
        try (Chat chat = seeing.chat().begin(Chat.Role.USER).addText("so")) {
          String before = Arrays.toString(chat.tokens());
          Video costly = Video.fromBytes(clip, new VideoOptions().fps(2).maxWork(2 * 16 * 16));
          Interface.same(Status.ERR_LIMIT, Interface.fails(() -> chat.addVideo(costly)));
          Interface.same(before, Arrays.toString(chat.tokens()));
          Video.Frame large = new Video.Frame(frames.get(0).image(), Duration.ZERO, 257);
          Interface.same(Status.ERR_ARGUMENT, Interface.fails(() -> chat.addFrame(large)));
        }
      }
    });
  }
}
