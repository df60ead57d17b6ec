import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import scout.Chat;
import scout.Engine;
import scout.EngineOptions;
import scout.Image;
import scout.Model;
import scout.Request;
import scout.RequestOptions;
import scout.Scores;
import scout.ScoutException;
import scout.Status;
import scout.TileOptions;

/** Many threads on one model, and what grows. Usage: Stress THREADS LOOPS */
public final class Stress {
  private interface Kind {
    void run(int i) throws Exception;
  }

  private static final RequestOptions FEW = new RequestOptions().maxTokens(4);

  private static long resident() throws Exception {
    for (int i = 0; i < 4; i++) { // the cleaner's thread frees what was forgotten
      System.gc();
      Thread.sleep(100);
    }
    return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]) * 4096;
  }

  private static void holds(boolean condition, String what) {
    if (!condition) throw new AssertionError(what);
  }

  private static void endsWithState(Runnable reading) {
    try {
      reading.run();
    } catch (ScoutException error) {
      if (error.status() != Status.ERR_STATE) throw error;
    }
  }

  public static void main(String[] arguments) throws Exception {
    int threads = Integer.parseInt(arguments[0]);
    int loops = Integer.parseInt(arguments[1]);
    ConcurrentLinkedQueue<Throwable> wrong = new ConcurrentLinkedQueue<>();
    long grown;
    try (Model model = Model.load("scout-tiny"); Request first = model.generate("Hello!", FEW)) {
      String expected = first.text();
      List<Kind> kinds = List.of(i -> {
        try (Chat chat = model.chat()) {
          holds(chat.add(Chat.Role.USER, "Hello " + i).tokens().length > 4, "a chat is short");
        }
      }, i -> {
        try (Request request = model.generate("Hello!", FEW)) {
          holds(request.text().equals(expected), "another answer");
        }
      }, i -> { // a picture, closed while it is looked at, or forgotten
        Image image = Pictures.picture(new int[] {40, 30, 3, i});
        holds(image.tile(0, new TileOptions().withTileSide(16)).length == 768, "a tile is short");
        if (i % 2 == 0) return;
        Thread closing = new Thread(image::close);
        closing.start();
        endsWithState(() -> {
          while (true) image.tile(0, new TileOptions().withTileSide(8));
        });
        closing.join();
      }, i -> { // closed under a reader, or forgotten
        Request request = model.generate("Hello!", new RequestOptions().ignoreEnd().maxTokens(4000));
        request.next();
        if (i % 4 == 0) {
          request.cancel();
          return;
        }
        Thread closing = new Thread(request::close);
        closing.start();
        endsWithState(() -> {
          while (request.next() != null) {}
        });
        closing.join();
      }, i -> {
        String given = "a\0b " + i + " \u00e9";
        holds(model.decode(model.encode(given)).equals(given), "another text");
      }, i -> {
        String name = "no/such/file-" + Thread.currentThread().getName() + "-" + i;
        try {
          Model.load(name).close();
          throw new AssertionError("it loaded");
        } catch (ScoutException error) {
          holds(error.status() == Status.ERR_IO && error.getMessage().contains(name), error.getMessage());
        }
      }, i -> { // an engine that ends while it is read
        Engine engine = model.engine(new EngineOptions().context(256));
        Request request = engine.submit("Hello!", new RequestOptions().maxTokens(4).logprobs(2));
        Scores scores = engine.scoreLogits(new int[] {1, 2, 3});
        if (i % 24 != 5) scores.close(); // a few are forgotten: the collector does not feel what they hold
        holds(engine.next(-1) != null, "no event");
        java.lang.ref.Reference.reachabilityFence(request); // a forgotten request is cancelled, and its events do not come
        Thread closing = new Thread(engine::close);
        closing.start();
        endsWithState(() -> {
          while (true) engine.next(-1);
        });
        closing.join();
      });
      together(threads, 0, loops / 2, kinds, wrong);
      long before = resident();
      together(threads, loops / 2, loops, kinds, wrong);
      grown = resident() - before;
    }
    wrong.stream().limit(3).forEach(error -> error.printStackTrace(System.out));
    System.out.printf("Java: %d threads, %d loops, %d bytes grown in the second half, %d failed%n", threads, threads * loops, grown, wrong.size());
    if (!wrong.isEmpty() || grown > 512 << 20) System.exit(1);
  }

  private static void together(int threads, int from, int to, List<Kind> kinds, ConcurrentLinkedQueue<Throwable> wrong) throws Exception {
    List<Thread> workers = new ArrayList<>();
    for (int k = 0; k < threads; k++) {
      int shift = k;
      workers.add(new Thread(() -> {
        try {
          for (int i = from + shift; i < to + shift; i++) kinds.get(i % kinds.size()).run(i);
        } catch (Throwable error) {
          wrong.add(error);
        }
      }));
    }
    for (Thread worker : workers) worker.start();
    for (Thread worker : workers) worker.join();
  }
}
