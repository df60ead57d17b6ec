package scout;

import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.util.function.LongConsumer;
import java.util.function.LongFunction;

/**
 * Owns one native handle. {@link #close} frees it at once, or, while other threads are inside calls on it, when the last one leaves; it may
 * be called twice and from any thread. What is forgotten is freed after the garbage collector found it.
 */
abstract class Handle implements AutoCloseable {
  private static final Cleaner CLEANER = Cleaner.create();

  /** All but the object itself, so that the cleaner does not keep it alive. */
  private static final class Held implements Runnable {
    private final String what;
    private final LongConsumer free;
    private final LongConsumer interrupt; // ends what others wait for; may be null
    private long pointer;
    private int users;
    private boolean closed;

    Held(long pointer, String what, LongConsumer free, LongConsumer interrupt) {
      this.pointer = pointer;
      this.what = what;
      this.free = free;
      this.interrupt = interrupt;
    }

    synchronized long enter() {
      if (closed) throw new ScoutException(Status.ERR_STATE, "the " + what + " is closed");
      users++;
      return pointer;
    }

    void leave() {
      synchronized (this) {
        if (--users != 0 || !closed) return;
      }
      free.accept(pointer);
    }

    @Override
    public void run() {
      boolean busy;
      synchronized (this) {
        if (closed) return;
        closed = true;
        busy = users != 0;
        users++; // so that nobody frees before the others are told
      }
      if (busy && interrupt != null) interrupt.accept(pointer);
      leave();
    }
  }

  private final Held held;
  private final Cleaner.Cleanable cleanable;

  Handle(long pointer, String what, LongConsumer free, LongConsumer interrupt) {
    held = new Held(pointer, what, free, interrupt);
    cleanable = CLEANER.register(this, held);
  }

  /** Runs f with the native handle, which lives until f returns. */
  <T> T call(LongFunction<T> f) {
    long pointer = held.enter();
    try {
      return f.apply(pointer);
    } finally {
      held.leave();
      Reference.reachabilityFence(this);
    }
  }

  /** A call of the kind that fills a buffer: asks for the size, then for the contents. */
  interface Filling {
    int call(long pointer, int[] ids, long[] needed);
  }

  int[] ids(Filling f) {
    return call(pointer -> {
      long[] needed = new long[1];
      f.call(pointer, null, needed);
      int[] ids = new int[(int) needed[0]];
      if (ids.length != 0) f.call(pointer, ids, needed);
      return ids;
    });
  }

  /** Frees what this holds. It may be called twice, in any order, from any thread. */
  @Override
  public void close() {
    cleanable.clean();
  }
}
