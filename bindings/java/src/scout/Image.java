package scout;

import java.util.List;
import java.util.function.LongConsumer;
import java.util.function.Supplier;

/**
 * A picture: for a question about it ({@link Chat#addImage}), and for looking at what a vision model takes of it. It needs no model. Any number
 * of threads may use it.
 *
 * <pre>{@code
 * try (Model model = Model.load("Llama-4-Scout.gguf", new LoadOptions().vision());
 *     Image image = Image.fromFile("photo.jpg");
 *     Engine engine = model.engine();
 *     Chat chat = model.chat().begin(Chat.Role.USER).addImage(image).addText("What is this?")) {
 *   for (Event event : engine.submit(chat)) System.out.print(event.text());
 * }
 * }</pre>
 */
public final class Image extends Handle {
  Image(long pointer) {
    super(pointer, "image", NativeJNI::scout_image_free, null);
  }

  /** Makes a handle; the options are the call's. */
  private interface Making {
    int call(long options, long[] image);
  }

  private static Image made(ImageOptions options, Making making) {
    return ImageOptions.with(options, o -> {
      long[] image = new long[1];
      making.call(o, image);
      return new Image(image[0]);
    });
  }

  /** Gives the native handles of pictures to add, and keeps them until the call has returned. */
  static <T> T held(List<Image> images, LongConsumer add, Supplier<T> call) {
    if (images.isEmpty()) return call.get();
    return images.get(0).call(p -> {
      add.accept(p);
      return held(images.subList(1, images.size()), add, call);
    });
  }

  static void notNegative(long value, String what) {
    if (value < 0) throw new ScoutException(Status.ERR_ARGUMENT, what + " is " + value + ", must not be negative");
  }

  /**
   * Makes a picture of pixels, which are copied.
   *
   * @param pixels rows of samples of 8 bits, channel by channel
   * @param stride bytes from a row to the next; 0 is width * channels
   * @param channels 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA
   * @param options null are the defaults
   */
  public static Image fromPixels(byte[] pixels, int width, int height, int stride, int channels, ImageOptions options) {
    notNegative(width, "width");
    notNegative(height, "height");
    notNegative(stride, "stride");
    return made(options, (o, image) -> NativeJNI.scout_image_from_pixels(pixels, width, height, stride, channels, o, image));
  }

  /** {@link #fromPixels(byte[], int, int, int, int, ImageOptions)} of rows without gaps, with the defaults. */
  public static Image fromPixels(byte[] pixels, int width, int height, int channels) {
    return fromPixels(pixels, width, height, 0, channels, null);
  }

  /**
   * Makes a picture of pixels as {@code BufferedImage.getRGB(0, 0, width, height, null, 0, width)} gives them: alpha, red, green and blue from
   * the highest byte to the lowest. Of AWT itself nothing is needed here.
   */
  public static Image fromArgb(int[] argb, int width, int height, ImageOptions options) {
    byte[] pixels = new byte[Math.multiplyExact(argb.length, 4)];
    for (int i = 0; i < argb.length; i++) {
      pixels[4 * i] = (byte) (argb[i] >> 16);
      pixels[4 * i + 1] = (byte) (argb[i] >> 8);
      pixels[4 * i + 2] = (byte) argb[i];
      pixels[4 * i + 3] = (byte) (argb[i] >> 24);
    }
    return fromPixels(pixels, width, height, 0, 4, options);
  }

  /** Makes a picture of the bytes of a PNG, JPEG or WebP file; null are the default options. */
  public static Image fromBytes(byte[] file, ImageOptions options) {
    return made(options, (o, image) -> NativeJNI.scout_image_from_bytes(file, o, image));
  }

  /** {@link #fromBytes(byte[], ImageOptions)} with the defaults. */
  public static Image fromBytes(byte[] file) {
    return fromBytes(file, null);
  }

  /** Makes a picture of a PNG, JPEG or WebP file, whose name does not matter; null are the default options. */
  public static Image fromFile(String path, ImageOptions options) {
    byte[] bytes = Text.terminated("path", path);
    return made(options, (o, image) -> NativeJNI.scout_image_from_file(bytes, o, image));
  }

  /** {@link #fromFile(String, ImageOptions)} with the defaults. */
  public static Image fromFile(String path) {
    return fromFile(path, null);
  }

  /**
   * What a picture is.
   *
   * @param width pixels, once turned
   * @param height pixels, once turned
   * @param format "PNG", "JPEG", "WebP", "video" for a frame, or "pixels"
   * @param orientation EXIF's number by which it was turned; 1: it was not
   */
  public record Info(int width, int height, String format, int orientation) {}

  /** What the picture is. */
  public Info info() {
    return call(p -> {
      long made = NativeJNI.new_scout_image_info();
      try {
        NativeJNI.scout_image_get_info(p, made);
        return new Info((int) NativeJNI.scout_image_info_width_get(made), (int) NativeJNI.scout_image_info_height_get(made),
            Text.string(NativeJNI.scout_image_info_format_get(made)), NativeJNI.scout_image_info_orientation_get(made));
      } finally {
        NativeJNI.delete_scout_image_info(made);
      }
    });
  }

  /** What the picture becomes; null are the defaults. Nothing is computed of its pixels. */
  public Tiling tiling(TileOptions options) {
    return call(p -> TileOptions.with(options, o -> Tiling.read(made -> NativeJNI.scout_image_get_tiling(p, o, made))));
  }

  /**
   * What a model sees of a tile: tileSide rows of tileSide pixels of red, green and blue. The grid's tiles come row by row, the whole picture
   * last. All tiles are made by the first call and kept until other options ask for others.
   */
  public byte[] tile(int index, TileOptions options) {
    notNegative(index, "index");
    byte[] pixels = new byte[Math.toIntExact(tiling(options).tileBytes())];
    call(p -> TileOptions.with(options, o -> NativeJNI.scout_image_tile(p, o, index, pixels, new long[1])));
    return pixels;
  }

  /** The ids that stand for the picture in a prompt of a model; null are the default options. */
  public int[] tokens(Model model, TileOptions options) {
    return model.call(m -> TileOptions.with(options, o -> ids((p, ids, needed) -> NativeJNI.scout_image_tokens(p, m, o, ids, needed))));
  }
}
