package scout;

/** A call failed. The message is the library's: one line that names the field, the value and the limit. */
public class ScoutException extends RuntimeException {
  private static final long serialVersionUID = 1;
  private final Status status;

  ScoutException(Status status, String message) {
    super(message);
    this.status = status;
  }

  /** Which kind of failure it is. */
  public Status status() {
    return status;
  }

  /** For the native code, on the thread of the failing call. */
  static ScoutException make(int code, byte[] message) {
    return new ScoutException(Status.of(code), Text.string(message));
  }
}
