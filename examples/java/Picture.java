import scout.Chat;
import scout.Engine;
import scout.Event;
import scout.Image;
import scout.LoadOptions;
import scout.Model;
import scout.Request;
import scout.ScoutException;

/** A question about a picture. Usage: Picture [MODEL [QUESTION [FILE]]]; without a file, about one that is drawn here. */
public final class Picture {
  private static final int SIDE = 96;
  private static final int HALF = SIDE / 2;
  private static final int REACH = 18;

  /** A red circle and a blue square on white. */
  private static Image drawn() {
    int[] argb = new int[SIDE * SIDE]; // as BufferedImage.getRGB gives them
    for (int y = 0; y < SIDE; y++) {
      for (int x = 0; x < SIDE; x++) {
        int across = x % HALF - HALF / 2;
        int down = y - HALF;
        boolean circle = x < HALF && across * across + down * down <= REACH * REACH;
        boolean square = x >= HALF && Math.max(Math.abs(across), Math.abs(down)) <= REACH;
        argb[y * SIDE + x] = circle ? 0xFFDC1E1E : square ? 0xFF2846E1 : 0xFFF4F4F4;
      }
    }
    return Image.fromArgb(argb, SIDE, SIDE, null);
  }

  public static void main(String[] arguments) {
    String name = arguments.length > 0 ? arguments[0] : "scout-tiny";
    String question = arguments.length > 1 ? arguments[1] : "What is in the picture?";
    try (Model model = Model.load(name, new LoadOptions().vision()); // the tower that sees is loaded when it is asked for
        Image image = arguments.length > 2 ? Image.fromFile(arguments[2]) : drawn(); // a file is a PNG, JPEG or WebP
        Engine engine = model.defaultEngine();
        Chat chat = model.chat()) {
      chat.begin(Chat.Role.USER).addImage(image).addText(question);
      try (Request answer = engine.submit(chat)) {
        for (Event event : answer) System.out.print(event.text());
        System.out.println();
      }
    } catch (ScoutException error) {
      System.err.println("picture: " + error.getMessage());
      System.exit(1);
    }
  }
}
