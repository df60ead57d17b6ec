package scout;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import java.util.function.LongFunction;

/** What one request asks for. Each method returns the options, so that they chain. Greedy, until the model ends, unless said otherwise. */
public final class RequestOptions {
  private final List<LongConsumer> settings = new ArrayList<>();
  private final List<Image> images = new ArrayList<>();

  private RequestOptions set(LongConsumer setting) {
    settings.add(setting);
    return this;
  }

  /** 0 takes always the most likely token. */
  public RequestOptions temperature(float value) {
    return set(o -> NativeJNI.scout_request_options_temperature_set(o, value));
  }

  /** Samples among the k most likely tokens; 0 is all. */
  public RequestOptions topK(int value) {
    return set(o -> NativeJNI.scout_request_options_top_k_set(o, value));
  }

  /** Leaves out tokens whose more likely ones already hold this mass; 1 is off. */
  public RequestOptions topP(float value) {
    return set(o -> NativeJNI.scout_request_options_top_p_set(o, value));
  }

  /** Leaves out tokens less likely than this times the most likely; 0 is off. */
  public RequestOptions minP(float value) {
    return set(o -> NativeJNI.scout_request_options_min_p_set(o, value));
  }

  /** Over prompt and answer; 1 is off. */
  public RequestOptions repetitionPenalty(float value) {
    return set(o -> NativeJNI.scout_request_options_repetition_penalty_set(o, value));
  }

  /** Subtracted for each time the token is in the answer. */
  public RequestOptions frequencyPenalty(float value) {
    return set(o -> NativeJNI.scout_request_options_frequency_penalty_set(o, value));
  }

  /** Subtracted when the token is in the answer. */
  public RequestOptions presencePenalty(float value) {
    return set(o -> NativeJNI.scout_request_options_presence_penalty_set(o, value));
  }

  /** Same seed, same request: same answer. */
  public RequestOptions seed(long value) {
    return set(o -> NativeJNI.scout_request_options_seed_set(o, value));
  }

  /** 0 is as many as the context holds. */
  public RequestOptions maxTokens(long value) {
    return set(o -> NativeJNI.scout_request_options_max_tokens_set(o, value));
  }

  /** Repeated in each event. */
  public RequestOptions tag(long value) {
    return set(o -> NativeJNI.scout_request_options_tag_set(o, value));
  }

  /** Adds to the logit of a token; negative infinity forbids it. May be given many times. */
  public RequestOptions bias(int id, float value) {
    return set(o -> check(NativeJNI.scout_request_options_add_bias(o, id, value)));
  }

  /** The answer ends before this text. May be given many times. */
  public RequestOptions stop(String text) {
    byte[] bytes = Text.bytes(text);
    return set(o -> check(NativeJNI.scout_request_options_add_stop(o, bytes)));
  }

  /** The answer ends at this token, beside the model's own. May be given many times. */
  public RequestOptions stopToken(int id) {
    return set(o -> check(NativeJNI.scout_request_options_add_stop_token(o, id)));
  }

  /** Log-probabilities of the tokens, and of the {@code top} most likely ones of each position. */
  public RequestOptions logprobs(int top) {
    return set(o -> {
      NativeJNI.scout_request_options_logprobs_set(o, 1);
      NativeJNI.scout_request_options_top_logprobs_set(o, top);
    });
  }

  /**
   * Pictures of a text or of ids, which may be closed once the request is made. A question comes behind them; in what is continued as it stands
   * ({@link #raw}, ids), each "&lt;|image|&gt;" becomes the next of them. A {@link Chat} holds its own.
   */
  public RequestOptions images(Image... pictures) {
    images.addAll(List.of(pictures));
    return this;
  }

  /** Goes on past the model's own stop tokens. */
  public RequestOptions ignoreEnd() {
    return set(o -> NativeJNI.scout_request_options_ignore_end_set(o, 1));
  }

  /** Writes control tokens into the text. */
  public RequestOptions includeSpecial() {
    return set(o -> NativeJNI.scout_request_options_include_special_set(o, 1));
  }

  /** Continues the prompt as it stands instead of answering it. */
  public RequestOptions raw() {
    return set(o -> NativeJNI.scout_request_options_raw_set(o, 1));
  }

  static void check(int failed) {
    if (failed != 0) throw new OutOfMemoryError("an option of a request");
  }

  /** Runs a call with the native options; with 0, the defaults, for null. */
  static <T> T with(RequestOptions options, LongFunction<T> call) {
    if (options == null || options.settings.isEmpty() && options.images.isEmpty()) return call.apply(0);
    long made = NativeJNI.new_scout_request_options();
    try {
      for (LongConsumer setting : options.settings) setting.accept(made);
      return Image.held(options.images, image -> check(NativeJNI.scout_request_options_add_image(made, image)), () -> call.apply(made));
    } finally {
      NativeJNI.delete_scout_request_options(made);
    }
  }
}
