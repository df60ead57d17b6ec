import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import scout.Chat;
import scout.Engine;
import scout.EngineOptions;
import scout.Event;
import scout.KvFormat;
import scout.LoadOptions;
import scout.Log;
import scout.Model;
import scout.Numerics;
import scout.Request;
import scout.RequestOptions;
import scout.ScoutException;
import scout.Status;

/** What the list of behaviours does not ask: the default engine, waits that are ended, the log, closing under another thread's feet. */
public final class Interface {
  interface Test {
    void run() throws Exception;
  }

  private static final String QUESTION = "Tell me a story about a fox.";
  private static int failed;

  static void test(String name, Test test) {
    try {
      test.run();
      System.out.println("ok   " + name);
    } catch (Throwable error) {
      failed++;
      System.out.println("FAIL " + name + ": " + error);
      error.printStackTrace(System.out);
    }
  }

  static void same(Object expected, Object found) {
    if (!java.util.Objects.equals(expected, found)) throw new AssertionError("expected " + expected + ", found " + found);
  }

  static void holds(boolean condition, String what) {
    if (!condition) throw new AssertionError(what);
  }

  /** The status that a call fails with. */
  static Status fails(Callable<?> call) throws Exception {
    try {
      Object found = call.call();
      throw new AssertionError("it gave " + found);
    } catch (ScoutException error) {
      return error.status();
    }
  }

  static <T> CompletableFuture<T> started(Callable<T> call) {
    CompletableFuture<T> future = new CompletableFuture<>();
    Thread thread = new Thread(() -> {
      try {
        future.complete(call.call());
      } catch (Throwable error) {
        future.completeExceptionally(error);
      }
    });
    thread.setDaemon(true);
    thread.start();
    return future;
  }

  static <T> T within(CompletableFuture<T> future) throws Exception {
    try {
      return future.get(60, TimeUnit.SECONDS);
    } catch (java.util.concurrent.ExecutionException error) {
      throw (Exception) error.getCause();
    }
  }

  private static String answer(Request request) {
    try (request) {
      return request.text();
    }
  }

  public static void main(String[] arguments) {
    try (Model model = Model.load("scout-tiny")) {
      test("the default engine is the one that generates", () -> {
        try (Engine engine = model.defaultEngine()) {
          long before = engine.generatedTokens();
          String text = answer(model.generate(QUESTION));
          holds(engine.generatedTokens() > before, "it generated nothing");
          engine.close(); // of the handle only
          same(text, answer(model.generate(QUESTION)));
        }
      });
      test("options of a load and of an engine arrive", () -> {
        same(Status.ERR_ARGUMENT, fails(() -> Model.load("scout-tiny", new LoadOptions().numerics(Numerics.FLOAT32))));
        try (Model exact = Model.load("scout-tiny", new LoadOptions().device("ref").numerics(Numerics.FLOAT32).kvFormat(KvFormat.F32))) {
          holds(!answer(exact.generate(QUESTION, new RequestOptions().maxTokens(2))).isEmpty(), "no answer");
        }
        RequestOptions few = new RequestOptions().maxTokens(12);
        String text = answer(model.generate(QUESTION, few));
        try (Model placed = Model.load("scout-tiny", new LoadOptions().placement("head=ref"))) {
          same(text, answer(placed.generate(QUESTION, few)));
          same(2, placed.parts().size());
          same("ref", placed.parts().get(1).device());
          holds(placed.placement().endsWith("head=ref"), placed.placement());
        }
        same(Status.ERR_ARGUMENT, fails(() -> Model.load("scout-tiny", new LoadOptions().placement("tail=ref"))));
        Path side = Files.createTempDirectory("scout").resolve("tiny.pack");
        LoadOptions options = new LoadOptions().packPath(side.toString());
        same(Status.ERR_IO, fails(() -> Model.load("scout-tiny", options.pack(LoadOptions.Pack.USE))));
        Model.load("scout-tiny", options.pack(LoadOptions.Pack.WRITE)).close();
        for (LoadOptions.Pack how : new LoadOptions.Pack[] {LoadOptions.Pack.CHECK, LoadOptions.Pack.USE}) {
          try (Model packed = Model.load("scout-tiny", options.pack(how))) {
            same(text, answer(packed.generate(QUESTION, few)));
          }
        }
        Files.delete(side);
        Files.delete(side.getParent());
      });
      test("a text may hold a NUL", () -> {
        String text = "Who are\0 you?";
        RequestOptions few = new RequestOptions().maxTokens(12);
        try (Engine engine = model.defaultEngine(); Chat chat = model.chat()) {
          String expected = answer(engine.submit(chat.add(Chat.Role.USER, text), few));
          same(expected, answer(model.generate(text, few)));
          same(expected, answer(engine.submit(text, few)));
          holds(!expected.equals(answer(model.generate("Who are", few))), "the text after the NUL changes nothing");
        }
      });
      test("closing an engine ends a wait", () -> {
        for (int i = 0; i < 20; i++) {
          Engine engine = model.engine();
          CompletableFuture<Event> waiting = started(() -> engine.next(-1));
          Thread.sleep(i % 5);
          engine.close();
          same(Status.ERR_STATE, fails(() -> within(waiting)));
        }
      });
      test("wake ends a wait, now or later", () -> {
        try (Engine engine = model.engine()) {
          CompletableFuture<Event> waiting = started(() -> engine.next(-1));
          Thread.sleep(5);
          engine.wake();
          same(null, within(waiting));
          engine.wake();
          same(null, engine.next(-1));
          same(null, engine.next(1));
        }
      });
      test("the first reader keeps a request", () -> {
        try (Engine engine = model.engine()) {
          Request first = engine.submit(QUESTION, new RequestOptions().tag(1));
          Request second = engine.submit(QUESTION, new RequestOptions().tag(2));
          holds(!answer(second).isEmpty(), "no answer");
          same(1L, engine.next(-1).tag());
          same(Status.ERR_STATE, fails(() -> first.next(0)));
          first.close();
        }
      });
      test("closing under readers", () -> {
        for (int i = 0; i < 50; i++) {
          Request request = model.generate(QUESTION, new RequestOptions().ignoreEnd().maxTokens(4000));
          List<CompletableFuture<Integer>> readers = new ArrayList<>();
          for (int reader = 0; reader < 3; reader++) {
            readers.add(started(() -> {
              int events = 0;
              try {
                while (request.next() != null) events++;
              } catch (ScoutException error) {
                same(Status.ERR_STATE, error.status());
              }
              return events;
            }));
          }
          request.close();
          for (CompletableFuture<Integer> reader : readers) within(reader);
        }
      });
    }
    test("a stepped engine never waits", () -> {
      try (Model model = Model.load("scout-tiny"); Engine engine = model.engine(new EngineOptions().stepped())) {
        same(null, engine.next(-1));
      }
    });
    test("the log is read line by line", () -> {
      same(null, Log.next(-1)); // not open
      Log.open(System.Logger.Level.INFO, 100);
      Model.load("scout-tiny").close();
      Log.Line line = Log.next(-1);
      same(System.Logger.Level.INFO, line.level());
      holds(line.text().startsWith("loaded ") && line.text().contains("scout-tiny"), line.text());
      same(null, Log.next(1));
      CompletableFuture<Log.Line> waiting = started(() -> Log.next(-1));
      Log.close();
      same(null, within(waiting));
      same(Status.ERR_ARGUMENT, fails(() -> {
        Log.open(System.Logger.Level.INFO, 1 << 20);
        return null;
      }));
    });
    test("the log goes to a logger", () -> {
      CompletableFuture<String> seen = new CompletableFuture<>();
      System.Logger logger = new System.Logger() {
        @Override
        public String getName() {
          return "test";
        }

        @Override
        public boolean isLoggable(Level level) {
          return true;
        }

        @Override
        public void log(Level level, java.util.ResourceBundle bundle, String text, Throwable thrown) {
          seen.complete(level + " " + text);
        }

        @Override
        public void log(Level level, java.util.ResourceBundle bundle, String format, Object... parameters) {
          seen.complete(level + " " + format);
        }
      };
      try (Log.Forwarding log = Log.forward(logger, System.Logger.Level.INFO)) {
        Model.load("scout-tiny").close();
        holds(within(seen).startsWith("INFO loaded "), seen.get());
      }
      same(null, Log.next(0)); // silent again
    });
    try (Model model = Model.load("scout-tiny")) {
      PictureTests.all(model);
      VideoTests.all(model);
    }
    test("statuses have names", () -> same("SCOUT_ERR_LIMIT", Status.ERR_LIMIT.symbol()));
    if (failed != 0) System.exit(1);
  }
}
