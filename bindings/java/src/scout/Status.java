package scout;

/** What a call of the library came to: the codes of {@code scout/status.h}. */
public enum Status {
  OK(0),
  DONE(1),
  AGAIN(2),
  ERR_ARGUMENT(-1),
  ERR_FORMAT(-2),
  ERR_TRUNCATED(-3),
  ERR_LIMIT(-4),
  ERR_UNSUPPORTED(-5),
  ERR_CORRUPT(-6),
  ERR_IO(-7),
  ERR_NO_MEMORY(-8),
  ERR_STATE(-9),
  ERR_DENIED(-10),
  ERR_CANCELLED(-11),
  ERR_DEVICE(-12),
  ERR_INTERNAL(-13);

  private final int code;

  Status(int code) {
    this.code = code;
  }

  /** The library's number for it. */
  public int code() {
    return code;
  }

  /** The library's words for it. */
  public String words() {
    return Text.string(NativeJNI.scout_status_text(code));
  }

  /** The library's name for it, "SCOUT_ERR_LIMIT" for instance. */
  public String symbol() {
    return Text.string(NativeJNI.scout_status_name(code));
  }

  static Status of(int code) {
    for (Status status : values()) {
      if (status.code == code) return status;
    }
    return ERR_INTERNAL;
  }
}
