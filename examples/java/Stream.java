import java.util.Timer;
import java.util.TimerTask;
import scout.Event;
import scout.Model;
import scout.Request;
import scout.RequestOptions;

/** Streaming that is cancelled from another thread after a while. Usage: Stream [MODEL [MILLISECONDS]] */
public final class Stream {
  public static void main(String[] arguments) {
    try (Model model = Model.load(arguments.length > 0 ? arguments[0] : "scout-tiny");
        Request request = model.generate("Tell me a story about a fox.", new RequestOptions().ignoreEnd())) {
      new Timer(true).schedule(new TimerTask() {
        @Override
        public void run() {
          request.cancel();
        }
      }, arguments.length > 1 ? Long.parseLong(arguments[1]) : 500);
      for (Event event : request) {
        System.out.print(event.text());
        if (event.stop() == Event.Stop.CANCELLED) System.out.printf("%n(cancelled after %d tokens)%n", event.generatedTokens());
      }
    }
  }
}
