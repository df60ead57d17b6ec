package scout;

import java.nio.charset.StandardCharsets;

/** Strings as the library takes and gives them: UTF-8 as bytes. */
final class Text {
  private Text() {}

  static String string(byte[] bytes) {
    return new String(bytes, StandardCharsets.UTF_8);
  }

  /** A surrogate without its other half becomes U+FFFD. */
  static byte[] bytes(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (Character.isSurrogate(text.charAt(i))) {
        // String.getBytes writes a question mark for a lone surrogate, which is not what UTF-16 readers expect.
        StringBuilder whole = new StringBuilder(text.length());
        text.codePoints().forEach(c -> whole.appendCodePoint(c >= 0xD800 && c <= 0xDFFF ? 0xFFFD : c));
        return whole.toString().getBytes(StandardCharsets.UTF_8);
      }
    }
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /** With a NUL behind it; refused when there is one inside. */
  static byte[] terminated(String what, String text) {
    byte[] bytes = bytes(text);
    byte[] ended = java.util.Arrays.copyOf(bytes, bytes.length + 1);
    for (int i = 0; i < bytes.length; i++) {
      if (bytes[i] == 0) throw new ScoutException(Status.ERR_ARGUMENT, what + " has a NUL at byte " + i);
    }
    return ended;
  }
}
