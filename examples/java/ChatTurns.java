import scout.Chat;
import scout.Engine;
import scout.Event;
import scout.Model;
import scout.Request;

/** A conversation with memory: each turn finds the pages of the turns before it. Usage: ChatTurns MODEL QUESTION... */
public final class ChatTurns {
  public static void main(String[] arguments) {
    try (Model model = Model.load(arguments[0]); Engine engine = model.engine(); Chat chat = model.chat()) {
      for (int i = 1; i < arguments.length; i++) {
        System.out.println("> " + arguments[i]);
        chat.add(Chat.Role.USER, arguments[i]); // text can never become control tokens
        try (Request request = engine.submit(chat)) {
          for (Event event : request) {
            System.out.print(event.text());
            if (event.last()) System.out.printf("%n(%d tokens of the prompt, %d of them remembered)%n", event.promptTokens(), event.cachedTokens());
          }
          chat.addAnswer(request); // exactly the tokens that were generated
        }
      }
    }
  }
}
