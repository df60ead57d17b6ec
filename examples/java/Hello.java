import scout.Event;
import scout.Model;

/** The shortest program. Usage: Hello [MODEL] */
public final class Hello {
  public static void main(String[] arguments) {
    try (Model model = Model.load(arguments.length > 0 ? arguments[0] : "scout-tiny")) {
      for (Event event : model.generate("Tell me a story about a fox.")) System.out.print(event.text());
      System.out.println();
    }
  }
}
