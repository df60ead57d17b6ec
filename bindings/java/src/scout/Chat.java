package scout;

/** A conversation. Text given here can never become control tokens. To be used by one thread at a time. */
public final class Chat extends Handle {
  /** Who speaks. */
  public enum Role {
    SYSTEM,
    USER,
    ASSISTANT,
    TOOL
  }

  Chat(long pointer) {
    super(pointer, "chat", NativeJNI::scout_chat_free, null);
  }

  /** Adds a message; a system message comes first or not at all. */
  public Chat add(Role role, String text) {
    return add(role, Text.bytes(text));
  }

  /** Adds a message whose text is bytes, UTF-8 or not. */
  public Chat add(Role role, byte[] text) {
    call(p -> NativeJNI.scout_chat_add(p, role.ordinal(), text));
    return this;
  }

  /** Begins a message to which {@link #addText}, {@link #addImage}, {@link #addFrame} and {@link #addVideo} add parts. */
  public Chat begin(Role role) {
    call(p -> NativeJNI.scout_chat_begin(p, role.ordinal()));
    return this;
  }

  /** Adds text to the message that {@link #begin} began. */
  public Chat addText(String text) {
    call(p -> NativeJNI.scout_chat_add_text(p, Text.bytes(text)));
    return this;
  }

  /**
   * Adds a picture to the message that {@link #begin} began, at this place among its texts. The chat keeps what it needs: the picture may be
   * closed. Any message but the system's may hold pictures. {@link Status#ERR_UNSUPPORTED} says why when the model was loaded without a vision
   * tower (see {@link LoadOptions#vision}).
   */
  public Chat addImage(Image image) {
    image.call(picture -> call(p -> NativeJNI.scout_chat_add_image(p, picture)));
    return this;
  }

  /** Adds a frame to the message that {@link #begin} began: its time as text, "[1.0 s]", and directly behind it the picture. */
  public Chat addFrame(Video.Frame frame) {
    long time = Video.micros(frame.time());
    frame.image().call(picture -> call(p -> NativeJNI.scout_chat_add_frame(p, picture, time, frame.maxTiles())));
    return this;
  }

  /**
   * Adds the frames of a clip that were not taken yet to the message that {@link #begin} began, each with its time before it. After a failure the
   * message is as before. {@link Video#cancel} in another thread ends it.
   */
  public Chat addVideo(Video video) {
    video.call(clip -> call(p -> NativeJNI.scout_chat_add_video(p, clip, new long[1])));
    return this;
  }

  /** Adds a finished request's answer: exactly the tokens that were generated, so that the next turn finds the pages of this one. */
  public Chat addAnswer(Request request) {
    request.call(answer -> call(p -> NativeJNI.scout_chat_add_answer(p, answer)));
    return this;
  }

  /** The token ids of the conversation, with the beginning of the assistant's answer. */
  public int[] tokens() {
    return ids(NativeJNI::scout_chat_tokens);
  }

  /** The number of messages. */
  public long size() {
    return call(p -> {
      long[] count = new long[1];
      NativeJNI.scout_chat_count(p, count);
      return count[0];
    });
  }
}
