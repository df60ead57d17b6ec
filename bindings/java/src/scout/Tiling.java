package scout;

import java.util.function.LongFunction;

/**
 * What a picture becomes.
 *
 * @param rows of the grid
 * @param columns of the grid
 * @param tiles rows * columns, and one more for the whole picture where that is more than one
 * @param tileSide pixels
 * @param drawnWidth pixels of the canvas that the picture covers; the rest is black
 * @param drawnHeight the same, down
 * @param tokens in a prompt, with the control tokens around and between the tiles
 * @param tileBytes of one tile
 */
public record Tiling(int rows, int columns, int tiles, int tileSide, int drawnWidth, int drawnHeight, long tokens, long tileBytes) {
  /** What a picture of a size, once turned, becomes, without its pixels; null are the defaults. */
  public static Tiling ofSize(long width, long height, TileOptions options) {
    Image.notNegative(width, "width");
    Image.notNegative(height, "height");
    return TileOptions.with(options, o -> read(made -> NativeJNI.scout_tiling_of_size(width, height, o, made)));
  }

  /** What call fills in. */
  static Tiling read(LongFunction<Integer> call) {
    long made = NativeJNI.new_scout_tiling();
    try {
      call.apply(made);
      return new Tiling(NativeJNI.scout_tiling_rows_get(made), NativeJNI.scout_tiling_columns_get(made), NativeJNI.scout_tiling_tiles_get(made),
          NativeJNI.scout_tiling_tile_side_get(made), NativeJNI.scout_tiling_drawn_width_get(made), NativeJNI.scout_tiling_drawn_height_get(made),
          NativeJNI.scout_tiling_tokens_get(made), NativeJNI.scout_tiling_tile_bytes_get(made));
    } finally {
      NativeJNI.delete_scout_tiling(made);
    }
  }
}
