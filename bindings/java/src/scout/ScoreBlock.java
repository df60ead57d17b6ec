package scout;

/**
 * A run of consecutive results. It holds nothing of the library's.
 *
 * @param positions ascending
 * @param logprobs ln p of the token at each position given those before it; NaN at position 0; null with logits
 * @param logits [positions][vocabulary] of what follows; null unless asked for
 * @param vocabulary the length of a row of logits
 */
public record ScoreBlock(long[] positions, float[] logprobs, float[] logits, long vocabulary) {
  /** For the native code. */
  static ScoreBlock make(long[] positions, float[] logprobs, float[] logits, long vocabulary) {
    return new ScoreBlock(positions, logprobs, logits, vocabulary);
  }
}
