package scout;

import java.util.function.LongFunction;

/**
 * How a picture is cut into tiles: as the released Llama 4 models take it, unless said otherwise. {@link Model#tileOptions} has a model's.
 *
 * @param tileSide pixels, 1 to 4096; 0 is 336
 * @param maxTiles of a grid, 1 to 256; 0 is 16, 1 is always one tile
 * @param patchTokens tokens that a tile becomes, 1 to 65536; 0 is 144
 * @param resize by whose rule
 * @param threads 0 is as many as the process may use; they change no pixel
 */
public record TileOptions(int tileSide, int maxTiles, int patchTokens, Resize resize, int threads) {
  /** By whose rule pictures are resized. */
  public enum Resize {
    /** As {@link #TORCHVISION}. */
    DEFAULT,
    /** As Hugging Face. */
    TORCHVISION,
    /** As PIL before version 13; a level apart in a few pixels. */
    PIL
  }

  /** The defaults. */
  public TileOptions() {
    this(0, 0, 0, Resize.DEFAULT, 0);
  }

  /** These with another tile side. */
  public TileOptions withTileSide(int pixels) {
    return new TileOptions(pixels, maxTiles, patchTokens, resize, threads);
  }

  /** These with another largest grid. */
  public TileOptions withMaxTiles(int tiles) {
    return new TileOptions(tileSide, tiles, patchTokens, resize, threads);
  }

  /** These with another number of tokens for a tile. */
  public TileOptions withPatchTokens(int tokens) {
    return new TileOptions(tileSide, maxTiles, tokens, resize, threads);
  }

  /** These by another rule. */
  public TileOptions withResize(Resize rule) {
    return new TileOptions(tileSide, maxTiles, patchTokens, rule, threads);
  }

  /** These with another number of threads. */
  public TileOptions withThreads(int count) {
    return new TileOptions(tileSide, maxTiles, patchTokens, resize, count);
  }

  static <T> T with(TileOptions options, LongFunction<T> call) {
    if (options == null) return call.apply(0);
    long made = NativeJNI.new_scout_tile_options();
    try {
      NativeJNI.scout_tile_options_tile_side_set(made, options.tileSide);
      NativeJNI.scout_tile_options_max_tiles_set(made, options.maxTiles);
      NativeJNI.scout_tile_options_patch_tokens_set(made, options.patchTokens);
      NativeJNI.scout_tile_options_resize_set(made, options.resize.ordinal());
      NativeJNI.scout_tile_options_threads_set(made, options.threads);
      return call.apply(made);
    } finally {
      NativeJNI.delete_scout_tile_options(made);
    }
  }

  /** What call fills in. */
  static TileOptions read(LongFunction<Integer> call) {
    long made = NativeJNI.new_scout_tile_options();
    try {
      call.apply(made);
      return new TileOptions(NativeJNI.scout_tile_options_tile_side_get(made), NativeJNI.scout_tile_options_max_tiles_get(made),
          NativeJNI.scout_tile_options_patch_tokens_get(made), Resize.values()[NativeJNI.scout_tile_options_resize_get(made)],
          NativeJNI.scout_tile_options_threads_get(made));
    } finally {
      NativeJNI.delete_scout_tile_options(made);
    }
  }
}
