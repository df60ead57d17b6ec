import scout.Chat;
import scout.Engine;
import scout.Event;
import scout.Model;
import scout.RequestOptions;

/** Many requests at once: they share the engine's steps, and one loop reads them all. Usage: Many MODEL QUESTION... */
public final class Many {
  public static void main(String[] arguments) {
    try (Model model = Model.load(arguments[0]); Engine engine = model.engine()) {
      StringBuilder[] texts = new StringBuilder[arguments.length];
      scout.Request[] requests = new scout.Request[arguments.length];
      for (int i = 1; i < arguments.length; i++) {
        texts[i] = new StringBuilder();
        try (Chat chat = model.chat()) {
          requests[i] = engine.submit(chat.add(Chat.Role.USER, arguments[i]), new RequestOptions().tag(i).maxTokens(200));
        }
      }
      for (int open = arguments.length - 1; open > 0;) {
        Event event = engine.next(-1);
        int tag = (int) event.tag();
        texts[tag].append(event.text());
        if (!event.last()) continue;
        System.out.printf("%s%n  %s%n  (%d tokens, waited %.0f ms, answered in %.0f ms)%n", arguments[tag], texts[tag], event.generatedTokens(),
            event.queueMs(), event.prefillMs() + event.decodeMs());
        requests[tag].close();
        open--;
      }
    }
  }
}
