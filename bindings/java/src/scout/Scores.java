package scout;

import java.util.concurrent.atomic.AtomicBoolean;

/** Scoring that is under way. One thread at a time reads it; any may cancel. */
public final class Scores extends Handle {
  private final AtomicBoolean inside = new AtomicBoolean();
  private volatile boolean done;

  Scores(long pointer) {
    super(pointer, "scoring", NativeJNI::scout_scores_free, NativeJNI::scout_scores_cancel);
  }

  /** The next block, waited for without end; null after the last. */
  public ScoreBlock next() {
    return next(-1);
  }

  /** The next block; null when the time is up or after the last (see {@link #done}). */
  public ScoreBlock next(long timeoutMs) {
    if (!inside.compareAndSet(false, true)) throw new ScoutException(Status.ERR_STATE, "another thread is inside these scores");
    try {
      return call(pointer -> {
        ScoreBlock[] block = new ScoreBlock[1];
        if (!done && NativeJNI.scout_scores_next(pointer, timeoutMs, block) == Status.DONE.code()) done = true;
        return block[0];
      });
    } finally {
      inside.set(false);
    }
  }

  /** True once everything was taken. */
  public boolean done() {
    return done;
  }

  /** Ends the scoring; {@link #next()} then throws CANCELLED. From any thread. */
  public void cancel() {
    call(NativeJNI::scout_scores_cancel);
  }
}
