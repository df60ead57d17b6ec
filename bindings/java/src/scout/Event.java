package scout;

import java.util.Arrays;

/**
 * A piece of an answer: whole characters, with what they came from. It holds nothing of the library's.
 *
 * @param text may be empty
 * @param ids the tokens the text came from
 * @param logprobs of these tokens, natural logarithm; null unless asked for
 * @param topIds for each token the most likely ones, best first; null unless asked for
 * @param topLogprobs theirs
 * @param stop why the answer ended; {@link Stop#NONE} while more events follow
 * @param tag as {@link RequestOptions#tag} said
 * @param message in the last event what there is to say about its end
 * @param status a failure where stop is ERROR or CANCELLED, else OK
 * @param promptTokens this and the following: in the last event
 * @param cachedTokens of the prompt, whose keys and values were found ready
 */
public record Event(String text, int[] ids, float[] logprobs, int[][] topIds, float[][] topLogprobs, Stop stop, long tag, String message,
    Status status, long promptTokens, long cachedTokens, long generatedTokens, double queueMs, double prefillMs, double decodeMs) {

  /** Why an answer ended. */
  public enum Stop {
    /** It did not: more events follow. */
    NONE,
    /** The model ended its turn. */
    END,
    /** A stop text. */
    STRING,
    /** A limit: the message says which. */
    LENGTH,
    /** {@link Request#cancel}, or its engine was closed. */
    CANCELLED,
    /** Status and message say what. */
    ERROR
  }

  /** True for the event that ends the answer. */
  public boolean last() {
    return stop != Stop.NONE;
  }

  /** For the native code. */
  static Event make(byte[] text, int[] ids, float[] logprobs, int[] topIds, float[] topLogprobs, int stop, long tag, byte[] message, int status,
      long prompt, long cached, long generated, double queue, double prefill, double decode) {
    int[][] rowsOfIds = null;
    float[][] rowsOfLogprobs = null;
    if (topIds != null) {
      int count = ids == null ? 0 : ids.length;
      int top = count == 0 ? 0 : topIds.length / count;
      rowsOfIds = new int[count][];
      rowsOfLogprobs = new float[count][];
      for (int i = 0; i < count; i++) {
        rowsOfIds[i] = Arrays.copyOfRange(topIds, i * top, (i + 1) * top);
        rowsOfLogprobs[i] = Arrays.copyOfRange(topLogprobs, i * top, (i + 1) * top);
      }
    }
    return new Event(Text.string(text), ids == null ? new int[0] : ids, logprobs, rowsOfIds, rowsOfLogprobs, Stop.values()[stop], tag,
        Text.string(message), Status.of(status), prompt, cached, generated, queue, prefill, decode);
  }
}
