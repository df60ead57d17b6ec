import java.util.Arrays;
import java.util.Map;
import scout.Chat;
import scout.Image;
import scout.ImageOptions;
import scout.LoadOptions;
import scout.Model;
import scout.TileOptions;
import scout.Tiling;

/** Pictures made of numbers, and the behaviours of pictures (bindings/conformance). */
final class Pictures extends Suite {
  private final Model model;

  Pictures(Model model, Map<String, Conformance.Kind> kinds) {
    this.model = model;
    kinds.put("image", this::image);
    kinds.put("tiling", c -> {
      int[] size = c.ints("size");
      same("grid", c.ints("grid"), grid(Tiling.ofSize(size[0], size[1], tileOptions(c))));
    });
    kinds.put("image_tokens", c -> {
      try (Image image = picture(c.ints("picture"))) {
        same("ids", c.ints("ids"), image.tokens(model, tileOptions(c)));
      }
    });
    kinds.put("chat_image", this::chatImage);
    kinds.put("error_image", c -> fails(c, () -> refused(c)));
  }

  /** The high bytes of a linear congruential generator. */
  static byte[] samples(int count, int seed) {
    byte[] made = new byte[count];
    for (int i = 0; i < count; i++) {
      seed = seed * 1664525 + 1013904223;
      made[i] = (byte) (seed >>> 24);
    }
    return made;
  }

  /** Of width, height, channels and seed. */
  static Image picture(int[] numbers) {
    return Image.fromPixels(samples(numbers[0] * numbers[1] * numbers[2], numbers[3]), numbers[0], numbers[1], numbers[2]);
  }

  static int checksum(byte[] data) {
    int sum = (int) 2166136261L;
    for (byte b : data) sum = (sum ^ (b & 255)) * 16777619;
    return sum & 0x7fffffff;
  }

  private static int[] grid(Tiling t) {
    return new int[] {t.rows(), t.columns(), t.tiles(), t.drawnWidth(), t.drawnHeight(), (int) t.tokens()};
  }

  private static ImageOptions imageOptions(Case c) {
    ImageOptions made = new ImageOptions();
    for (String line : c.all("image_option")) {
      String[] part = line.split(" ");
      int value = Integer.parseInt(part[1]);
      switch (part[0]) {
        case "alpha" -> made.alpha(ImageOptions.Alpha.values()[value]);
        case "orientation" -> made.orientation(value);
        case "max_pixels" -> made.maxPixels(value);
        case "max_bytes" -> made.maxBytes(value);
        default -> throw new Mismatch("unknown image option " + part[0]);
      }
    }
    return made;
  }

  static TileOptions tileOptions(Case c) {
    TileOptions made = new TileOptions();
    for (String line : c.all("tile_option")) {
      String[] part = line.split(" ");
      int value = Integer.parseInt(part[1]);
      made = switch (part[0]) {
        case "tile_side" -> made.withTileSide(value);
        case "max_tiles" -> made.withMaxTiles(value);
        case "patch_tokens" -> made.withPatchTokens(value);
        case "resize" -> made.withResize(TileOptions.Resize.values()[value]);
        case "threads" -> made.withThreads(value);
        default -> throw new Mismatch("unknown tile option " + part[0]);
      };
    }
    return made;
  }

  private void image(Case c) {
    int[] p = c.ints("picture");
    try (Image image = Image.fromPixels(samples(p[0] * p[1] * p[2], p[3]), p[0], p[1], 0, p[2], imageOptions(c))) {
      Image.Info info = image.info();
      same("info", c.ints("info"), new int[] {info.width(), info.height(), info.orientation()});
      same("format", c.one("format"), info.format());
      TileOptions options = tileOptions(c);
      Tiling tiling = image.tiling(options);
      same("grid", c.ints("grid"), grid(tiling));
      int[] sums = new int[tiling.tiles()];
      for (int index = 0; index < sums.length; index++) {
        byte[] tile = image.tile(index, options);
        same("bytes", tiling.tileBytes(), (long) tile.length);
        sums[index] = checksum(tile);
      }
      same("checksums", c.ints("checksums"), sums);
    }
  }

  private void chatImage(Case c) {
    try (Model seeing = Model.load("scout-tiny", new LoadOptions().vision()); Chat chat = seeing.chat()) {
      Runnable add = () -> {
        chat.begin(Chat.Role.USER);
        for (String line : c.all("part")) {
          String[] part = line.split(" ", 2);
          if (part[0].equals("text")) {
            chat.addText(utf8(unescape(part[1])));
            continue;
          }
          try (Image image = picture(Arrays.stream(part[1].split(" ")).mapToInt(Integer::parseInt).toArray())) {
            chat.addImage(image); // the chat keeps what it needs
          }
        }
      };
      if (c.has("status")) {
        fails(c, add);
        return;
      }
      add.run();
      same("prompt_ids", c.ints("prompt_ids"), chat.tokens());
    }
  }

  private void refused(Case c) {
    switch (c.one("call")) {
      case "pixels" -> {
        int[] p = c.ints("picture");
        byte[] pixels = samples(p[0] * p[1] * p[2], p[3]);
        if (c.has("count")) pixels = Arrays.copyOf(pixels, c.number("count"));
        Image.fromPixels(pixels, p[0], p[1], c.has("stride") ? c.number("stride") : 0, p[2], imageOptions(c));
      }
      case "bytes" -> Image.fromBytes(unescape(c.one("bytes")), imageOptions(c));
      case "file" -> Image.fromFile(c.one("path"));
      case "tiling" -> Tiling.ofSize(c.ints("size")[0], c.ints("size")[1], tileOptions(c));
      case "tile" -> picture(c.ints("picture")).tile(c.number("index"), null);
      case "closed" -> {
        Image image = picture(c.ints("picture"));
        image.close();
        image.tiling(null);
      }
      case "chat" -> {
        try (Chat chat = model.chat(); Image image = picture(c.ints("picture"))) {
          chat.begin(Chat.Role.USER).addImage(image);
        }
      }
      default -> throw new Mismatch("unknown call " + c.one("call"));
    }
  }
}
