package scout;

import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.LongFunction;

/** Runs many requests of one model together. Any thread may submit; one at a time takes events or runs steps. */
public final class Engine extends Handle {
  private final AtomicBoolean inside = new AtomicBoolean();
  private final AtomicBoolean woken = new AtomicBoolean();

  Engine(long pointer) {
    super(pointer, "engine", NativeJNI::scout_engine_free, NativeJNI::scout_engine_wake);
  }

  /** Asks for an answer to a conversation, which is copied. A full waiting list throws {@link Status#AGAIN}. */
  public Request submit(Chat chat, RequestOptions options) {
    return chat.call(said -> call(p -> RequestOptions.with(options, o -> {
      long[] request = new long[1];
      NativeJNI.scout_submit(p, said, o, request);
      return new Request(request[0]);
    })));
  }

  /** {@link #submit(Chat, RequestOptions)} with the defaults. */
  public Request submit(Chat chat) {
    return submit(chat, null);
  }

  /** Asks for an answer to a text, as {@link Model#generate(String, RequestOptions)} does. */
  public Request submit(String prompt, RequestOptions options) {
    byte[] bytes = Text.bytes(prompt);
    return call(p -> RequestOptions.with(options, o -> {
      long[] request = new long[1];
      NativeJNI.scout_submit_text(p, bytes, o, request);
      return new Request(request[0]);
    }));
  }

  /** Asks for token ids to be continued, as they are. */
  public Request submit(int[] ids, RequestOptions options) {
    return call(p -> RequestOptions.with(options, o -> {
      long[] request = new long[1];
      NativeJNI.scout_submit_tokens(p, ids, o, request);
      return new Request(request[0]);
    }));
  }

  /**
   * The next event of any of the engine's requests; its tag tells whose. Null when the time is up or {@link #wake} was called; -1 waits
   * without end, a stepped engine never waits. Who reads a request first keeps it: one whose own methods are used is left out here, and
   * the other way round they throw {@link Status#ERR_STATE}. Keep each {@link Request} until its last event has come: one that is forgotten
   * is freed after the garbage collector found it, and what was to come of it does not.
   */
  public Event next(long timeoutMs) {
    if (!inside.compareAndSet(false, true)) throw new ScoutException(Status.ERR_STATE, "another thread is inside this engine");
    try {
      long end = System.nanoTime() + timeoutMs * 1_000_000;
      while (true) {
        long left = timeoutMs < 0 ? -1 : Math.max(0, (end - System.nanoTime() + 999_999) / 1_000_000);
        Event[] event = new Event[1];
        int status = call(pointer -> NativeJNI.scout_engine_next(pointer, left, event));
        if (event[0] != null) return event[0];
        if (status == Status.DONE.code()) throw new ScoutException(Status.ERR_STATE, "the engine is closed");
        if (woken.compareAndSet(true, false) || stepped || (timeoutMs >= 0 && System.nanoTime() >= end)) return null;
      }
    } finally {
      inside.set(false);
    }
  }

  boolean stepped;

  /** Makes the {@link #next} that waits, or else the next one that finds no event, return null. From any thread. */
  public void wake() {
    woken.set(true);
    call(NativeJNI::scout_engine_wake);
  }

  /** Runs a stepped engine for about this long, rounded up to a layer. True while work is left. */
  public boolean step(long budgetMs) {
    return call(p -> NativeJNI.scout_engine_step(p, budgetMs)) == Status.OK.code();
  }

  /** Computes the log-probabilities of given tokens. */
  public Scores score(int[] ids) {
    return score(ids, List.of(), false);
  }

  /** {@link #score(int[])} of ids in which each "&lt;|image|&gt;" becomes the tokens of the next of the pictures. */
  public Scores score(int[] ids, List<Image> images) {
    return score(ids, images, false);
  }

  /** Computes whole rows of logits, of these positions (ascending) or of all. */
  public Scores scoreLogits(int[] ids, long... positions) {
    return score(ids, List.of(), true, positions);
  }

  /** {@link #scoreLogits(int[], long...)} with pictures; positions are those of {@link Model#expandPrompt}. */
  public Scores scoreLogits(int[] ids, List<Image> images, long... positions) {
    return score(ids, images, true, positions);
  }

  private Scores score(int[] ids, List<Image> images, boolean logits, long... positions) {
    long options = NativeJNI.new_scout_score_options();
    try {
      NativeJNI.scout_score_options_logits_set(options, logits ? 1 : 0);
      for (long position : positions) RequestOptions.check(NativeJNI.scout_score_options_add_position(options, position));
      return Image.held(images, image -> RequestOptions.check(NativeJNI.scout_score_options_add_image(options, image)), () -> call(p -> {
        long[] scores = new long[1];
        NativeJNI.scout_score(p, ids, options, scores);
        return new Scores(scores[0]);
      }));
    } finally {
      NativeJNI.delete_scout_score_options(options);
    }
  }

  /** Tokens generated so far. */
  public long generatedTokens() {
    return stats(NativeJNI::scout_engine_stats_generated_tokens_get);
  }

  /**
   * What the engine keeps of pictures.
   *
   * @param encoded by the vision tower, so far
   * @param hits pictures of requests that needed no encoding, so far
   * @param misses pictures of requests for which encoding was begun, so far
   * @param entries pictures of which is kept what was computed
   * @param bytes of what is kept
   * @param limitBytes that may be kept; 0: nothing, or no vision tower
   */
  public record Pictures(long encoded, long hits, long misses, long entries, long bytes, long limitBytes) {}

  /** What the engine keeps of pictures. */
  public Pictures pictures() {
    return stats(s -> new Pictures(NativeJNI.scout_engine_stats_pictures_encoded_get(s), NativeJNI.scout_engine_stats_picture_cache_hits_get(s),
        NativeJNI.scout_engine_stats_picture_cache_misses_get(s), NativeJNI.scout_engine_stats_picture_cache_entries_get(s),
        NativeJNI.scout_engine_stats_picture_cache_bytes_get(s), NativeJNI.scout_engine_stats_picture_cache_limit_bytes_get(s)));
  }

  private <T> T stats(LongFunction<T> read) {
    return call(p -> {
      long stats = NativeJNI.new_scout_engine_stats();
      try {
        NativeJNI.scout_engine_get_stats(p, stats);
        return read.apply(stats);
      } finally {
        NativeJNI.delete_scout_engine_stats(stats);
      }
    });
  }
}
