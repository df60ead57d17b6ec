import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import scout.Chat;
import scout.Engine;
import scout.EngineOptions;
import scout.Event;
import scout.Model;
import scout.Request;
import scout.RequestOptions;
import scout.ScoreBlock;
import scout.Scores;
import scout.ScoutException;
import scout.Status;

/** The list of behaviours (bindings/conformance) against the Java package. Usage: Conformance conformance.txt scout-tiny.gguf */
public final class Conformance extends Suite {
  interface Kind {
    void run(Case c) throws Exception;
  }

  final Path modelFile;
  final Model model = Model.load("scout-tiny");
  final Map<String, Kind> kinds = new LinkedHashMap<>();

  Conformance(Path modelFile) {
    this.modelFile = modelFile;
    kinds.put("facts", this::facts);
    kinds.put("statuses", this::statuses);
    kinds.put("encode", this::encode);
    kinds.put("decode", c -> same("bytes", unescape(c.one("text")), model.decodeBytes(c.ints("ids"), c.number("special") != 0)));
    kinds.put("utf16", c -> {
      StringBuilder text = new StringBuilder();
      for (int unit : c.ints("units")) text.append((char) unit);
      same("ids", c.ints("replaced"), model.encode(text.toString()));
    });
    kinds.put("token", c -> {
      byte[] bytes = model.tokenBytes(c.number("id"));
      same("bytes", unescape(c.one("bytes")), bytes);
      same("special", c.number("special") != 0, model.isSpecial(c.number("id")));
      if (c.number("special") != 0) same("found by name", c.number("id"), model.findToken(bytes));
    });
    kinds.put("stop_tokens", c -> same("ids", c.ints("ids"), model.stopTokens()));
    kinds.put("generate", this::generate);
    kinds.put("same_twice", c -> {
      List<String> answers = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        try (Request request = model.generate(c.text("prompt"), options(c))) {
          answers.add(request.text());
        }
      }
      same("second answer", answers.get(0), answers.get(1));
    });
    kinds.put("chat", c -> {
      try (Chat chat = model.chat()) {
        for (String message : c.all("message")) {
          String[] part = message.split(" ", 2);
          chat.add(Chat.Role.valueOf(part[0].toUpperCase(java.util.Locale.ROOT)), unescape(part[1]));
        }
        same("messages", (long) c.all("message").size(), chat.size());
        same("prompt_ids", c.ints("prompt_ids"), chat.tokens());
      }
    });
    kinds.put("turns", c -> {
      try (Engine engine = model.engine(); Chat chat = model.chat()) {
        for (int i = 0; i < c.all("question").size(); i++) {
          chat.add(Chat.Role.USER, unescape(c.all("question").get(i)));
          try (Request request = engine.submit(chat)) {
            List<Event> events = read(request);
            same("answer", utf8(unescape(c.all("answer").get(i))), textOf(events));
            if (last(events).cachedTokens() < 0) throw new Mismatch("cached tokens: " + last(events).cachedTokens());
            chat.addAnswer(request);
          }
        }
      }
    });
    kinds.put("cancel", c -> {
      try (Request request = model.generate(c.text("prompt"), options(c))) {
        for (int i = 0; i < c.number("after_events"); i++) request.next();
        if (c.number("other_thread") != 0) {
          Thread thread = new Thread(request::cancel);
          thread.start();
          thread.join();
        } else {
          request.cancel();
        }
        List<Event> events = request.stream().toList();
        same("stop", c.number("stop"), last(events).stop().ordinal());
        same("status", c.number("status"), last(events).status().code());
      }
    });
    kinds.put("drop", c -> {
      long started = System.nanoTime();
      try (Request request = model.generate(c.text("prompt"), options(c))) {
        for (int i = 0; i < c.number("after_events"); i++) request.next();
      }
      if (System.nanoTime() - started > 5_000_000_000L) throw new Mismatch("closing took more than 5 s");
    });
    kinds.put("timeout_stepped", c -> {
      try (Engine engine = model.engine(new EngineOptions().stepped()); Chat chat = model.chat()) {
        Request request = engine.submit(chat.add(Chat.Role.USER, c.text("prompt")));
        same("before a step", null, engine.next(c.number("timeout_ms")));
        while (engine.step(10)) continue;
        same("text", c.text("text"), textOf(read(request)));
        request.close();
      }
    });
    kinds.put("timeout_threaded", c -> {
      try (Engine engine = model.engine()) {
        long started = System.nanoTime();
        same("event", null, engine.next(c.number("timeout_ms")));
        if (System.nanoTime() - started < (c.number("timeout_ms") - 1) * 1_000_000L) throw new Mismatch("the wait was too short");
      }
    });
    kinds.put("load_cancel", c -> {
      try (Model.Loading loading = Model.loadStart("scout-tiny", null)) {
        loading.cancel();
        try {
          loading.await(-1).close();
        } catch (ScoutException error) {
          same("status", Status.ERR_CANCELLED, error.status());
        }
      }
    });
    kinds.put("load_wait", c -> {
      try (Model.Loading loading = Model.loadStart("scout-tiny", null)) {
        long[] progress = loading.progress();
        if (progress[0] > progress[1]) throw new Mismatch("progress is " + progress[0] + " of " + progress[1]);
        try (Model loaded = loading.await(-1)) {
          same("text", c.text("text"), ask(loaded, c.text("prompt")));
        }
      }
    });
    kinds.put("score", c -> {
      List<Float> found = new ArrayList<>();
      try (Engine engine = model.engine(); Scores scores = engine.score(c.ints("ids"))) {
        for (ScoreBlock block = scores.next(); block != null; block = scores.next()) {
          for (float value : block.logprobs()) found.add(value);
        }
      }
      same("position 0 is not a number", true, found.get(0).isNaN());
      near("logprobs", c.doubles("logprobs"), found.subList(1, found.size()), c.doubles("tolerance")[0]);
    });
    kinds.put("score_logits", this::scoreLogits);
    kinds.put("many", this::many);
    kinds.put("two_models", c -> {
      try (Model second = Model.load("scout-tiny")) {
        try (Model first = Model.load("scout-tiny")) {
          for (int i = 0; i < c.all("prompt").size(); i++) {
            String prompt = utf8(unescape(c.all("prompt").get(i)));
            String text = utf8(unescape(c.all("text").get(i)));
            same("first model", text, ask(first, prompt));
            same("second model", text, ask(second, prompt));
          }
        }
        same("second model, alone", c.text("text"), ask(second, c.text("prompt")));
      }
    });
    kinds.put("threads", c -> {
      ConcurrentLinkedQueue<String> wrong = new ConcurrentLinkedQueue<>();
      List<Thread> threads = new ArrayList<>();
      for (int i = 0; i < c.number("threads"); i++) {
        int which = i % c.all("prompt").size();
        threads.add(new Thread(() -> {
          try {
            String text = ask(model, utf8(unescape(c.all("prompt").get(which))));
            if (!text.equals(utf8(unescape(c.all("text").get(which))))) wrong.add(text);
          } catch (RuntimeException error) {
            wrong.add(error.toString());
          }
        }));
      }
      threads.forEach(Thread::start);
      for (Thread thread : threads) thread.join();
      same("wrong answers", 0, wrong.size());
    });
    kinds.put("close_twice", c -> {
      Model loaded = Model.load("scout-tiny");
      Chat chat = loaded.chat();
      Request request = loaded.generate(c.text("prompt"));
      for (int i = 0; i < 2; i++) {
        loaded.close();
        request.close();
        chat.close();
      }
    });
    kinds.put("close_parent_first", c -> {
      Model loaded = Model.load("scout-tiny");
      try (Request request = loaded.generate(c.text("prompt"))) {
        loaded.close();
        same("text", c.text("text"), textOf(read(request)));
      }
    });
    kinds.put("loop", this::loop);
    kinds.put("error_load", this::errorLoad);
    kinds.put("error_generate", c -> fails(c, () -> model.generate(c.text("prompt"), options(c))));
    kinds.put("error_engine", c -> {
      try (Engine engine = model.engine(engineOptions(c)); Chat chat = model.chat()) {
        fails(c, () -> engine.submit(chat.add(Chat.Role.USER, c.text("prompt"))));
      }
    });
    kinds.put("error_full", c -> {
      try (Engine engine = model.engine(engineOptions(c).stepped()); Chat chat = model.chat()) {
        chat.add(Chat.Role.USER, c.text("prompt"));
        fails(c, () -> {
          for (int i = 0; i < c.number("most"); i++) engine.submit(chat);
        });
      }
    });
    kinds.put("error_call", this::errorCall);
    new Pictures(model, kinds);
    new Videos(model, kinds);
  }

  void facts(Case c) {
    for (String line : c.all("fact")) {
      String[] part = line.split(" ", 2);
      Object found = model.fact(part[0]);
      if (found instanceof Double value) {
        near(part[0], new double[] {1}, List.of((float) (value / Double.parseDouble(part[1]))), 1e-6);
      } else {
        same(part[0], part[1], found.toString());
      }
    }
    for (String line : c.all("layer")) {
      String[] row = line.split(" ");
      same("layer", new Model.Layer(!row[1].equals("0"), !row[2].equals("0"), !row[3].equals("0")), model.layer(Integer.parseInt(row[0])));
    }
    List<Model.Tensor> tensors = model.tensors();
    same("tensors", c.number("tensor_count"), tensors.size());
    List<Long> shape = Arrays.stream(c.one("first_shape").split(" ")).map(Long::valueOf).toList();
    same("first tensor", List.of(c.one("first_tensor"), c.one("first_format"), shape), List.of(tensors.get(0).name(), tensors.get(0).format(), tensors.get(0).shape()));
  }

  void statuses(Case c) {
    for (String line : c.all("status")) {
      String[] part = line.split(" ", 3);
      Status status = Status.valueOf(part[1].substring("SCOUT_".length()));
      same(part[1], Integer.parseInt(part[0]), status.code());
      same("words", part[2], status.words());
    }
    same("number of codes", c.all("status").size(), Status.values().length);
  }

  void encode(Case c) {
    byte[] text = unescape(c.one("text"));
    boolean special = c.number("special") != 0;
    boolean bos = c.number("bos") != 0;
    same("ids", c.ints("ids"), model.encode(text, special, bos));
    same("count", (long) c.ints("ids").length, model.countTokens(text, special, bos));
    if (special || bos) return;
    same("decoded", text, model.decodeBytes(c.ints("ids"), false));
    if (Arrays.equals(text, utf8(text).getBytes(StandardCharsets.UTF_8))) same("ids of a String", c.ints("ids"), model.encode(utf8(text)));
  }

  void generate(Case c) {
    try (Request request = model.generate(c.text("prompt"), options(c))) {
      List<Event> events = read(request);
      same("text", c.text("text"), textOf(events));
      same("ids", c.ints("ids"), request.ids());
      same("stop", c.number("stop"), last(events).stop().ordinal());
      same("prompt_tokens", (long) c.number("prompt_tokens"), last(events).promptTokens());
      if (c.has("events")) same("events with text", (long) c.number("events"), events.stream().filter(e -> !e.text().isEmpty()).count());
      if (!c.has("logprobs")) return;
      List<Float> logprobs = new ArrayList<>();
      List<Integer> best = new ArrayList<>();
      for (Event event : events) {
        for (float value : event.logprobs()) logprobs.add(value);
        for (int[] top : event.topIds()) {
          same("best tokens", c.number("top_count"), top.length);
          best.add(top[0]);
        }
      }
      near("logprobs", c.doubles("logprobs"), logprobs, c.doubles("tolerance")[0]);
      same("best ids", c.ints("best_ids"), best.stream().mapToInt(i -> i).toArray());
    }
  }

  void scoreLogits(Case c) {
    int[] positions = c.ints("positions");
    List<Integer> best = new ArrayList<>();
    List<Long> found = new ArrayList<>();
    List<Float> largest = new ArrayList<>();
    try (Engine engine = model.engine(); Scores scores = engine.scoreLogits(c.ints("ids"), Arrays.stream(positions).asLongStream().toArray())) {
      for (ScoreBlock block = scores.next(); block != null; block = scores.next()) {
        same("vocabulary", (long) c.number("vocabulary"), block.vocabulary());
        int width = (int) block.vocabulary();
        for (int row = 0; row < block.positions().length; row++) {
          int at = 0;
          for (int id = 1; id < width; id++) {
            if (block.logits()[row * width + id] > block.logits()[row * width + at]) at = id;
          }
          found.add(block.positions()[row]);
          best.add(at);
          largest.add(block.logits()[row * width + at]);
        }
      }
    }
    same("positions", positions, found.stream().mapToInt(Long::intValue).toArray());
    same("best ids", c.ints("best_ids"), best.stream().mapToInt(i -> i).toArray());
    near("logits", c.doubles("logits"), largest, c.doubles("tolerance")[0]);
  }

  void many(Case c) {
    int prompts = c.all("prompt").size();
    int count = prompts * c.number("copies");
    StringBuilder[] texts = new StringBuilder[count];
    List<Request> requests = new ArrayList<>();
    try (Engine engine = model.engine()) {
      for (int tag = 0; tag < count; tag++) {
        texts[tag] = new StringBuilder();
        try (Chat chat = model.chat()) {
          chat.add(Chat.Role.USER, unescape(c.all("prompt").get(tag % prompts)));
          requests.add(engine.submit(chat, new RequestOptions().tag(tag)));
        }
      }
      for (int open = count; open > 0;) {
        Event event = engine.next(-1);
        texts[(int) event.tag()].append(event.text());
        if (event.last()) open--;
      }
    }
    for (int tag = 0; tag < count; tag++) same("text", utf8(unescape(c.all("text").get(tag % prompts))), texts[tag].toString());
    requests.forEach(Request::close);
  }

  void loop(Case c) throws Exception {
    long before = 0;
    for (int i = 0; i < c.number("count"); i++) {
      if (i == c.number("count") / 10) {
        System.gc();
        before = residentBytes();
      }
      switch (c.one("what")) {
        case "chat" -> {
          try (Chat chat = model.chat()) {
            chat.add(Chat.Role.USER, "Hello!");
          }
        }
        case "request" -> model.generate("Hello!").close();
        default -> Model.load("scout-tiny").close();
      }
    }
    System.gc();
    long grown = residentBytes() - before;
    if (grown > c.number("growth_bytes")) throw new Mismatch("grew by " + grown + " bytes, at most " + c.one("growth_bytes"));
  }

  void errorLoad(Case c) throws Exception {
    Path folder = Files.createTempDirectory("conformance");
    Path path = folder.resolve("model.gguf");
    if (c.has("file")) {
      Files.write(path, unescape(c.one("file")));
    } else if (c.has("folder")) {
      path = folder;
      for (String line : c.all("folder")) Files.write(folder.resolve(line.split(" ", 2)[0]), unescape(line.split(" ", 2)[1]));
    } else if (c.has("model_head")) {
      Files.write(path, Arrays.copyOf(Files.readAllBytes(modelFile), c.number("model_head")));
    } else if (c.has("model_fill")) {
      byte[] bytes = Files.readAllBytes(modelFile);
      int[] fill = c.ints("model_fill");
      Arrays.fill(bytes, fill[0], fill[0] + fill[1], (byte) fill[2]);
      Files.write(path, bytes);
    }
    String given = c.has("path") ? c.one("path") : path.toString();
    try {
      fails(c, () -> Model.load(given, loadOptions(c)));
    } finally {
      for (java.io.File file : folder.toFile().listFiles()) Files.delete(file.toPath());
      Files.delete(folder);
    }
  }

  void errorCall(Case c) {
    try (Engine engine = model.engine(); Chat chat = model.chat(); Model other = Model.load("scout-tiny")) {
      Request request = model.generate("Hello!", new RequestOptions().ignoreEnd());
      Runnable call = switch (c.one("call")) {
        case "decode_past_vocabulary" -> () -> model.decode(c.ints("ids"));
        case "submit_past_vocabulary", "submit_nothing" -> () -> engine.submit(c.ints("ids"), null);
        case "token_find_unknown" -> () -> model.findToken(unescape(c.one("text")));
        case "second_system_message" -> () -> chat.add(Chat.Role.USER, "Hi").add(Chat.Role.SYSTEM, "Late.");
        case "chat_text_without_begin" -> () -> chat.addText("Hi");
        case "answer_of_unfinished_request" -> () -> chat.add(Chat.Role.USER, "Hi").addAnswer(request);
        case "step_of_threaded_engine" -> () -> engine.step(0);
        case "layer_past_the_last" -> () -> model.layer(c.number("index"));
        case "device_past_the_last" -> () -> Model.device(c.number("index"));
        case "closed_model" -> () -> {
          other.close();
          other.generate("Hi");
        };
        case "closed_request" -> () -> {
          request.close();
          request.next();
        };
        default -> throw new Mismatch("unknown call " + c.one("call"));
      };
      try {
        fails(c, call);
      } finally {
        request.close();
      }
    }
  }

  public static void main(String[] arguments) throws Exception {
    Conformance runner = new Conformance(Path.of(arguments[1]));
    int good = 0;
    int without = 0;
    int failed = 0;
    for (Case c : read(Path.of(arguments[0]))) {
      try {
        Kind kind = runner.kinds.get(c.one("kind"));
        if (kind == null) throw new Mismatch("unknown kind " + c.one("kind"));
        kind.run(c);
        System.out.println("ok " + c.name);
        good++;
      } catch (NotApplicable why) {
        System.out.println("n/a " + c.name + ": " + why.getMessage());
        without++;
      } catch (Exception error) {
        System.out.println("FAILED " + c.name + ": " + (error instanceof Mismatch ? error.getMessage() : error.toString()));
        failed++;
      }
    }
    System.out.println("Java: " + good + " ok, " + without + " n/a, " + failed + " failed");
    System.exit(failed == 0 && good > 0 ? 0 : 1);
  }
}
