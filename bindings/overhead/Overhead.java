import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import scout.Engine;
import scout.EngineOptions;
import scout.Event;
import scout.LoadOptions;
import scout.Model;
import scout.Request;
import scout.RequestOptions;

/** What README.md says, in Java. Usage: Overhead REQUESTS TOKENS ROUNDS */
public final class Overhead {
  private static final String PROMPT = "Write an email about history.";
  private static long bytes;
  private static int events;

  private static List<Request> ask(Engine engine, int count, RequestOptions options) {
    List<Request> requests = new ArrayList<>();
    for (int i = 0; i < count; i++) requests.add(engine.submit(PROMPT, options));
    return requests;
  }

  /** Tokens per second, and per second of the processor: the best so far. */
  private static final class Rate {
    private static final OperatingSystemMXBean SYSTEM = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    private long start;
    private long used;
    private double most;
    private double ofProcessor;

    void begin() {
      start = System.nanoTime();
      used = SYSTEM.getProcessCpuTime();
    }

    void end(long tokens) {
      most = Math.max(most, tokens * 1e9 / (System.nanoTime() - start));
      ofProcessor = Math.max(ofProcessor, tokens * 1e9 / (SYSTEM.getProcessCpuTime() - used));
    }

    void print(String name) {
      System.out.printf(Locale.ROOT, "%s %.1f%n%s_processor %.1f%n", name, most, name, ofProcessor);
    }
  }

  private static void many(Rate rate, Model model, int count, RequestOptions options) {
    rate.begin();
    long tokens = 0;
    try (Engine engine = model.engine()) {
      List<Request> requests = ask(engine, count, options);
      for (int open = count; open > 0; ) {
        Event event = engine.next(-1);
        bytes += event.text().length();
        tokens += event.ids().length;
        if (event.last()) open--;
      }
      requests.forEach(Request::close);
    }
    rate.end(tokens);
  }

  private static void one(Rate rate, Model model, int count, RequestOptions options) {
    rate.begin();
    long tokens = 0;
    for (int i = 0; i < count; i++) {
      try (Request request = model.generate(PROMPT, options)) {
        for (Event event : request) {
          bytes += event.text().length();
          tokens += event.ids().length;
        }
      }
    }
    rate.end(tokens);
  }

  /** All events are ready before the clock starts, so that only the calls are timed. */
  private static double eventCost(Model model, int count, RequestOptions options) {
    try (Engine engine = model.engine(new EngineOptions().stepped())) {
      List<Request> requests = ask(engine, count, options);
      while (engine.step(1000)) {}
      events = 0;
      long start = System.nanoTime();
      for (Event event = engine.next(0); event != null; event = engine.next(0)) {
        bytes += event.text().length();
        events++;
      }
      double cost = (double) (System.nanoTime() - start) / events;
      requests.forEach(Request::close);
      return cost;
    }
  }

  public static void main(String[] arguments) {
    int count = Integer.parseInt(arguments[0]);
    int tokens = Integer.parseInt(arguments[1]);
    int rounds = Integer.parseInt(arguments[2]);
    RequestOptions options = new RequestOptions().ignoreEnd().maxTokens(tokens);
    try (Model model = Model.load("scout-tiny", new LoadOptions().threads(1))) {
      double least = Double.MAX_VALUE;
      Rate together = new Rate();
      Rate alone = new Rate();
      for (int i = 0; i < rounds; i++) {
        least = Math.min(least, eventCost(model, 64, options));
        many(together, model, count, options);
        one(alone, model, (count + 4) / 5, options);
      }
      System.out.printf(Locale.ROOT, "event %.1f%n", least);
      together.print("many");
      alone.print("one");
      System.out.printf("events %d%nbytes %d%n", events, bytes);
    }
  }
}
