package scout;

/**
 * The library's log: silent unless it is opened. It is one log for the whole process.
 *
 * <pre>{@code
 * try (Log.Forwarding log = Log.forward(System.getLogger("scout"), System.Logger.Level.INFO)) {
 *   ...
 * }
 * }</pre>
 */
public final class Log {
  private static final System.Logger.Level[] LEVELS = {
    System.Logger.Level.ERROR, System.Logger.Level.WARNING, System.Logger.Level.INFO, System.Logger.Level.DEBUG
  };

  private Log() {}

  /** A line of the log. */
  public record Line(System.Logger.Level level, String text) {}

  /**
   * Keeps the newest lines, so many of them, of this level and of what matters more, for {@link #next}. Opening again forgets what was kept.
   */
  public static void open(System.Logger.Level level, int lines) {
    int most = 0;
    while (most + 1 < LEVELS.length && LEVELS[most + 1].getSeverity() >= level.getSeverity()) most++;
    NativeJNI.scout_log_open(most, lines);
  }

  /** Silence again; whoever waits in {@link #next} gets null. */
  public static void close() {
    NativeJNI.scout_log_open(0, 0);
  }

  /** The oldest line that is kept; null when the time is up or the log is not open; -1 waits without end. */
  public static Line next(long timeoutMs) {
    long[] level = new long[1];
    long[] size = new long[1];
    while (true) {
      if (NativeJNI.scout_log_next(timeoutMs, level, null, size) != Status.OK.code()) return null; // how long is it?
      byte[] text = new byte[(int) size[0]];
      try {
        int status = NativeJNI.scout_log_next(0, level, text, size);
        if (status == Status.DONE.code()) return null;
        if (status == Status.OK.code()) return new Line(LEVELS[(int) level[0]], Text.string(java.util.Arrays.copyOf(text, (int) size[0])));
      } catch (ScoutException error) {
        if (error.status() != Status.ERR_LIMIT) throw error;
      }
      // Another thread took the line.
    }
  }

  /** Hands the log to a logger, from a thread of its own, until it is closed. */
  public static final class Forwarding implements AutoCloseable {
    private final Thread thread;

    Forwarding(System.Logger logger) {
      thread = new Thread(() -> {
        for (Line line = next(-1); line != null; line = next(-1)) logger.log(line.level(), line.text());
      }, "scout-log");
      thread.setDaemon(true);
      thread.start();
    }

    /** Silence again. What was not handed on yet is forgotten. */
    @Override
    public void close() {
      Log.close();
      boolean interrupted = false;
      while (thread.isAlive()) {
        try {
          thread.join();
        } catch (InterruptedException error) {
          interrupted = true;
        }
      }
      if (interrupted) Thread.currentThread().interrupt();
    }
  }

  /** Opens the log and hands it to a logger. */
  public static Forwarding forward(System.Logger logger, System.Logger.Level level) {
    open(level, 1000);
    return new Forwarding(logger);
  }
}
