import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import scout.EngineOptions;
import scout.Event;
import scout.LoadOptions;
import scout.Model;
import scout.Request;
import scout.RequestOptions;
import scout.ScoutException;

/** What the runner reads and compares with. */
class Suite {
  /** What was expected and what came. */
  static final class Mismatch extends RuntimeException {
    private static final long serialVersionUID = 1;

    Mismatch(String what) {
      super(what);
    }
  }

  /** Why the library of this build cannot show a case. */
  static final class NotApplicable extends RuntimeException {
    private static final long serialVersionUID = 1;

    NotApplicable(String why) {
      super(why);
    }
  }

  /** One case: the values of each key, in order. */
  static final class Case {
    final String name;
    final Map<String, List<String>> values = new LinkedHashMap<>();

    Case(String name) {
      this.name = name;
    }

    List<String> all(String key) {
      return values.getOrDefault(key, List.of());
    }

    boolean has(String key) {
      return values.containsKey(key);
    }

    String one(String key) {
      if (!has(key)) throw new Mismatch("the case has no " + key);
      return values.get(key).get(0);
    }

    int number(String key) {
      return Integer.parseInt(one(key));
    }

    String text(String key) {
      return utf8(unescape(one(key)));
    }

    int[] ints(String key) {
      return Arrays.stream(one(key).split(" ")).filter(s -> !s.isEmpty()).mapToInt(Integer::parseInt).toArray();
    }

    double[] doubles(String key) {
      return Arrays.stream(one(key).split(" ")).filter(s -> !s.isEmpty()).mapToDouble(Double::parseDouble).toArray();
    }
  }

  static List<Case> read(Path list) throws Exception {
    List<Case> cases = new ArrayList<>();
    for (String line : Files.readAllLines(list, StandardCharsets.US_ASCII)) {
      int space = line.indexOf(' ');
      String key = space < 0 ? line : line.substring(0, space);
      String value = space < 0 ? "" : line.substring(space + 1);
      if (line.isEmpty() || line.startsWith("#") || (key.equals("model") && cases.isEmpty())) continue;
      if (key.equals("case")) {
        cases.add(new Case(value));
      } else {
        cases.get(cases.size() - 1).values.computeIfAbsent(key, k -> new ArrayList<>()).add(value);
      }
    }
    return cases;
  }

  static byte[] unescape(String text) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (int i = 0; i < text.length(); i++) {
      if (text.charAt(i) == '\\') {
        bytes.write(Integer.parseInt(text.substring(i + 2, i + 4), 16));
        i += 3;
      } else {
        bytes.write(text.charAt(i));
      }
    }
    return bytes.toByteArray();
  }

  static String utf8(byte[] bytes) {
    return new String(bytes, StandardCharsets.UTF_8);
  }

  static void same(String what, Object expected, Object found) {
    if (!Objects.deepEquals(expected, found)) {
      throw new Mismatch(what + ": expected " + Arrays.deepToString(new Object[] {expected}) + ", found " + Arrays.deepToString(new Object[] {found}));
    }
  }

  static void near(String what, double[] expected, List<Float> found, double tolerance) {
    same(what + ", their number", expected.length, found.size());
    for (int i = 0; i < expected.length; i++) {
      if (!(Math.abs(expected[i] - found.get(i)) <= tolerance)) throw new Mismatch(what + " " + i + ": expected " + expected[i] + ", found " + found.get(i));
    }
  }

  static void fails(Case c, Runnable call) {
    try {
      call.run();
    } catch (ScoutException error) {
      same("status", c.number("status"), error.status().code());
      String names = c.has("names") ? c.text("names") : "";
      if (!error.getMessage().contains(names)) throw new Mismatch("the message \"" + error.getMessage() + "\" does not contain \"" + names + "\"");
      return;
    }
    throw new Mismatch("expected status " + c.one("status") + ", nothing was thrown");
  }

  static float real(String text) {
    return text.equals("-inf") ? Float.NEGATIVE_INFINITY : Float.parseFloat(text);
  }

  static RequestOptions options(Case c) {
    RequestOptions made = new RequestOptions();
    boolean logprobs = false;
    int top = 0;
    for (String line : c.all("option")) {
      String[] part = line.split(" ", 2);
      String value = part.length > 1 ? part[1] : "";
      switch (part[0]) {
        case "temperature" -> made.temperature(real(value));
        case "top_p" -> made.topP(real(value));
        case "seed" -> made.seed(Long.parseLong(value));
        case "max_tokens" -> made.maxTokens(Long.parseLong(value));
        case "frequency_penalty" -> made.frequencyPenalty(real(value));
        case "logprobs" -> logprobs = true;
        case "top_logprobs" -> top = Integer.parseInt(value);
        case "ignore_end" -> made.ignoreEnd();
        case "include_special" -> made.includeSpecial();
        case "raw" -> made.raw();
        case "stop" -> made.stop(utf8(unescape(value)));
        case "stop_tokens" -> Arrays.stream(value.split(" ")).forEach(id -> made.stopToken(Integer.parseInt(id)));
        case "bias" -> made.bias(Integer.parseInt(value.split(" ")[0]), real(value.split(" ")[1]));
        default -> throw new Mismatch("unknown option " + part[0]);
      }
    }
    if (logprobs || top != 0) made.logprobs(top);
    return made;
  }

  static EngineOptions engineOptions(Case c) {
    EngineOptions made = new EngineOptions();
    for (String line : c.all("engine_option")) {
      String[] part = line.split(" ");
      switch (part[0]) {
        case "context" -> made.context(Long.parseLong(part[1]));
        case "max_waiting" -> made.maxWaiting(Integer.parseInt(part[1]));
        case "max_running" -> made.maxRunning(Integer.parseInt(part[1]));
        default -> throw new Mismatch("unknown engine option " + part[0]);
      }
    }
    return made;
  }

  static LoadOptions loadOptions(Case c) {
    LoadOptions made = new LoadOptions();
    for (String line : c.all("load_option")) {
      String[] part = line.split(" ");
      switch (part[0]) {
        case "device" -> made.device(part[1]);
        case "context" -> made.context(Long.parseLong(part[1]));
        case "memory_limit_bytes" -> made.memoryLimitBytes(Long.parseLong(part[1]));
        default -> throw new Mismatch("unknown load option " + part[0]);
      }
    }
    return made;
  }

  /** All events, held to the rules of every answer. */
  static List<Event> read(Request request) {
    List<Event> events = new ArrayList<>();
    List<Integer> ids = new ArrayList<>();
    for (Event event : request) {
      if (!events.isEmpty() && events.get(events.size() - 1).last()) throw new Mismatch("an event after the last");
      events.add(event);
      for (int id : event.ids()) ids.add(id);
    }
    if (events.isEmpty() || !events.get(events.size() - 1).last()) throw new Mismatch("no last event");
    same("after the end", null, request.next(0));
    same("ids of the events", request.ids(), ids.stream().mapToInt(i -> i).toArray());
    return events;
  }

  static String textOf(List<Event> events) {
    StringBuilder text = new StringBuilder();
    events.forEach(event -> text.append(event.text()));
    return text.toString();
  }

  static Event last(List<Event> events) {
    return events.get(events.size() - 1);
  }

  static String ask(Model model, String prompt) {
    try (Request request = model.generate(prompt)) {
      return request.text();
    }
  }

  static long residentBytes() throws Exception {
    return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]) * 4096;
  }
}
