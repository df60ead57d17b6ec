import static java.util.Arrays.asList;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import scout.Chat;
import scout.Engine;
import scout.EngineOptions;
import scout.Event;
import scout.Image;
import scout.ImageOptions;
import scout.LoadOptions;
import scout.Model;
import scout.Request;
import scout.RequestOptions;
import scout.ScoreBlock;
import scout.Scores;
import scout.ScoutException;
import scout.Status;
import scout.TileOptions;
import scout.Tiling;

/** Pictures: closed, shared by threads, of files, and in a chat with a model that sees. */
final class PictureTests {
  private static final TileOptions SMALL = new TileOptions().withTileSide(16);
  private static final int[] NUMBERS = {40, 30, 3, 1};

  private PictureTests() {}

  private static String text(byte[] bytes) {
    return Arrays.toString(bytes);
  }

  static void all(Model model) {
    Interface.test("a closed picture may be closed again, and says that it is closed", () -> {
      Image image = Pictures.picture(NUMBERS);
      image.close();
      image.close();
      for (Callable<?> use : List.<Callable<?>>of(image::info, () -> image.tile(0, null), () -> image.tokens(model, null),
          () -> model.chat().begin(Chat.Role.USER).addImage(image))) {
        Interface.same(Status.ERR_STATE, Interface.fails(use));
      }
    });
    Interface.test("a picture that is closed while threads look at it", () -> {
      for (int seed = 0; seed < 20; seed++) {
        Image image = Pictures.picture(new int[] {300, 200, 3, seed});
        List<CompletableFuture<Status>> looking = new ArrayList<>();
        for (int n = 0; n < 4; n++) {
          looking.add(Interface.started(() -> Interface.fails(() -> {
            for (int side = 8;; side = side % 40 + 8) {
              if (image.tile(0, new TileOptions().withTileSide(side)).length != 3 * side * side) return side;
            }
          })));
        }
        image.close();
        for (CompletableFuture<Status> status : looking) Interface.same(Status.ERR_STATE, Interface.within(status));
      }
    });
    Interface.test("pixels as AWT has them", () -> {
      byte[] pixels = Pictures.samples(40 * 30 * 4, 1);
      int[] argb = new int[40 * 30];
      for (int i = 0; i < argb.length; i++) {
        argb[i] = (pixels[4 * i + 3] & 255) << 24 | (pixels[4 * i] & 255) << 16 | (pixels[4 * i + 1] & 255) << 8 | (pixels[4 * i + 2] & 255);
      }
      ImageOptions white = new ImageOptions().alpha(ImageOptions.Alpha.WHITE);
      try (Image one = Image.fromPixels(pixels, 40, 30, 0, 4, white); Image two = Image.fromArgb(argb, 40, 30, white)) {
        Interface.same(text(one.tile(0, SMALL)), text(two.tile(0, SMALL)));
      }
    });
    Interface.test("sizes below zero, and null", () -> {
      Interface.same(Status.ERR_ARGUMENT, Interface.fails(() -> Image.fromPixels(new byte[3], -1, 1, 3)));
      Interface.same(Status.ERR_ARGUMENT, Interface.fails(() -> Tiling.ofSize(1, -1, null)));
      Interface.same(Status.ERR_ARGUMENT, Interface.fails(() -> Image.fromFile("a\0b")));
      for (Runnable call : asList((Runnable) () -> Image.fromPixels(null, 1, 1, 3), () -> Image.fromBytes(null), () -> Image.fromFile(null))) {
        try {
          call.run();
          throw new AssertionError("null was taken");
        } catch (NullPointerException expected) {
          continue;
        }
      }
    });
    Interface.test("files are read and turned", () -> {
      Path path = Path.of(System.getenv("SCOUT_PICTURES"), "exif6.png");
      try (Image image = Image.fromFile(path.toString());
          Image same = Image.fromBytes(Files.readAllBytes(path));
          Image stored = Image.fromFile(path.toString(), new ImageOptions().orientation(1))) {
        Interface.same("PNG 6", image.info().format() + " " + image.info().orientation());
        Interface.same(stored.info().width() + " " + stored.info().height(), image.info().height() + " " + image.info().width());
        Interface.same(text(same.tile(0, SMALL)), text(image.tile(0, SMALL)));
        Interface.holds(!text(stored.tile(0, SMALL)).equals(text(image.tile(0, SMALL))), "it was not turned");
      } catch (ScoutException error) {
        if (error.status() != Status.ERR_UNSUPPORTED || !error.getMessage().contains("plug-in")) throw error;
        System.out.println("skipped: " + error.getMessage());
      }
    });
    Interface.test("a model that sees answers", () -> {
      List<String> answers = new ArrayList<>();
      String path = System.getenv("SCOUT_SEEING");
      try (Model seeing = Model.load(path, new LoadOptions().vision()); Engine engine = seeing.engine()) {
        TileOptions options = seeing.tileOptions();
        for (int seed : new int[] {1, 2, 1}) {
          try (Image image = Pictures.picture(new int[] {3 * options.tileSide(), options.tileSide(), 3, seed}); Chat chat = seeing.chat()) {
            chat.begin(Chat.Role.USER).addImage(image).addText("what?");
            String shown = Arrays.toString(image.tokens(seeing, options));
            Interface.holds(Arrays.toString(chat.tokens()).contains(shown.substring(1, shown.length() - 1)), "the picture is not in the prompt");
            StringBuilder found = new StringBuilder();
            try (Request request = engine.submit(chat, new RequestOptions().maxTokens(8).ignoreEnd().logprobs(0))) {
              for (Event event : request) found.append(Arrays.toString(event.logprobs()));
            }
            answers.add(found.toString());
          }
        }
      }
      Interface.same(answers.get(0), answers.get(2));
      Interface.holds(!answers.get(0).equals(answers.get(1)), "another picture has the same answer");
      try (Model blind = Model.load(path); Image image = Pictures.picture(NUMBERS); Chat chat = blind.chat()) {
        Interface.same(Status.ERR_UNSUPPORTED, Interface.fails(() -> chat.begin(Chat.Role.USER).addImage(image)));
        Interface.same(Status.ERR_STATE, Interface.fails(blind::tileOptions));
      }
    });
    Interface.test("texts and ids have pictures too", () -> {
      try (Model seeing = Model.load(System.getenv("SCOUT_SEEING"), new LoadOptions().vision()); Engine engine = seeing.engine()) {
        Image image = Pictures.picture(new int[] {16, 16, 3, 1});
        int[] shown = image.tokens(seeing, seeing.tileOptions());
        int token = seeing.findToken("<|image|>".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        Interface.same(Arrays.toString(shown), Arrays.toString(seeing.expandPrompt(new int[] {token}, image)));
        RequestOptions options = new RequestOptions().raw().images(image).maxTokens(4).ignoreEnd();
        int[] ids = seeing.promptTokens("a<|image|>", options);
        for (int i = 0; i < 2; i++) {
          try (Request request = engine.submit("a<|image|>", options)) {
            for (Event event : request) {
              if (event.last()) Interface.same((long) ids.length, event.promptTokens());
            }
          }
        }
        Interface.same("1 1", engine.pictures().encoded() + " " + engine.pictures().misses());
        int rows = 0;
        try (Scores scores = engine.score(new int[] {65, token}, List.of(image))) {
          for (ScoreBlock block = scores.next(); block != null; block = scores.next()) rows += block.positions().length;
        }
        Interface.same(shown.length + 1, rows);
        Interface.same(Status.ERR_ARGUMENT, Interface.fails(() -> seeing.promptTokens("a", options)));
        image.close();
        Interface.same(Status.ERR_STATE, Interface.fails(() -> seeing.generate("what?", options)));
        try (Engine forgetful = seeing.engine(new EngineOptions().noPictureCache()); Engine small = seeing.engine(new EngineOptions().pictureCacheBytes(1000))) {
          Interface.same("0 1000", forgetful.pictures().limitBytes() + " " + small.pictures().limitBytes());
        }
      }
    });
  }
}
