package scout;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongFunction;

/**
 * A loaded model. Any number of threads may use it. Its memory goes when it and all that was made of it are closed.
 *
 * <pre>{@code
 * try (Model model = Model.load("scout-tiny")) {
 *   for (Event event : model.generate("Tell me a story about a fox.")) System.out.print(event.text());
 * }
 * }</pre>
 */
public final class Model extends Handle {
  Model(long pointer) {
    super(pointer, "model", NativeJNI::scout_free, null);
  }

  /** A load that is under way. Closing it cancels. */
  public static final class Loading extends Handle {
    Loading(long pointer) {
      super(pointer, "load", NativeJNI::scout_operation_free, NativeJNI::scout_operation_cancel);
    }

    /** The model once it is ready; null when the time is up; -1 waits without end. */
    public Model await(long timeoutMs) {
      long[] model = new long[1];
      call(p -> NativeJNI.scout_operation_wait(p, timeoutMs, model));
      return model[0] == 0 ? null : new Model(model[0]);
    }

    /** Bytes of weights done and in all; 0 while the headers are read. */
    public long[] progress() {
      long[] done = new long[1];
      long[] total = new long[1];
      call(p -> NativeJNI.scout_operation_progress(p, done, total));
      return new long[] {done[0], total[0]};
    }

    /** Asks the load to end; it does after the read that is under way. From any thread. */
    public void cancel() {
      call(NativeJNI::scout_operation_cancel);
    }
  }

  /** A GGUF file, a Hugging Face directory, "scout-tiny" (the model that comes with the library), or "ollama:NAME". */
  public static Model load(String path, LoadOptions options) {
    try (Loading loading = loadStart(path, options)) {
      return loading.await(-1);
    }
  }

  /** {@link #load(String, LoadOptions)} with the defaults. */
  public static Model load(String path) {
    return load(path, null);
  }

  /** Starts a load and returns at once. */
  public static Loading loadStart(String path, LoadOptions options) {
    byte[] bytes = Text.terminated("path", path);
    return LoadOptions.with(options, o -> {
      long[] operation = new long[1];
      NativeJNI.scout_load_start(bytes, o, operation);
      return new Loading(operation[0]);
    });
  }

  /** Answers a text: as a chat's only user message where the model has a chat format, else (or raw) by going on from it. */
  public Request generate(String prompt, RequestOptions options) {
    byte[] bytes = Text.bytes(prompt);
    return call(p -> RequestOptions.with(options, o -> {
      long[] request = new long[1];
      NativeJNI.scout_generate_text(p, bytes, o, request);
      return new Request(request[0]);
    }));
  }

  /** {@link #generate(String, RequestOptions)} with the defaults. */
  public Request generate(String prompt) {
    return generate(prompt, null);
  }

  /** The ids that {@link #generate(String, RequestOptions)} makes of a prompt, those of its pictures included. */
  public int[] promptTokens(String prompt, RequestOptions options) {
    byte[] bytes = Text.bytes(prompt);
    return RequestOptions.with(options, o -> ids((p, ids, needed) -> NativeJNI.scout_prompt_tokens(p, bytes, o, ids, needed)));
  }

  /** What ids become among which "&lt;|image|&gt;" ({@link #findToken}) stands for pictures, and so which position is whose. */
  public int[] expandPrompt(int[] given, Image... images) {
    RequestOptions options = new RequestOptions().images(images);
    return RequestOptions.with(options, o -> ids((p, ids, needed) -> NativeJNI.scout_prompt_expand(p, given, o, ids, needed)));
  }

  /** An empty conversation. */
  public Chat chat() {
    long[] chat = new long[1];
    call(p -> NativeJNI.scout_chat_new(p, chat));
    return new Chat(chat[0]);
  }

  /** An engine of its own for many requests. */
  public Engine engine(EngineOptions options) {
    return call(p -> EngineOptions.with(options, o -> {
      long[] made = new long[1];
      NativeJNI.scout_engine_new(p, o, made);
      Engine engine = new Engine(made[0]);
      engine.stepped = o != 0 && NativeJNI.scout_engine_options_mode_get(o) != 0;
      return engine;
    }));
  }

  /** {@link #engine(EngineOptions)} with the defaults. */
  public Engine engine() {
    return engine(null);
  }

  /**
   * The engine that {@link #generate(String, RequestOptions)} uses: for its figures, and for chats without an engine of one's own. Closing it
   * lets go of it; the engine stays the model's.
   */
  public Engine defaultEngine() {
    long[] engine = new long[1];
    call(p -> NativeJNI.scout_model_engine(p, engine));
    return new Engine(engine[0]);
  }

  /** A text's token ids. Spellings of control tokens are ordinary text. */
  public int[] encode(String text) {
    return encode(Text.bytes(text), false, false);
  }

  /** The token ids of bytes; special: spellings of control tokens become them, for trusted text; bos: with the begin-of-text token. */
  public int[] encode(byte[] text, boolean special, boolean bos) {
    int[] ids = new int[text.length + 1]; // a token holds at least one byte, so this is room for all
    long[] needed = new long[1];
    call(p -> NativeJNI.scout_encode(p, text, flags(special, bos), ids, needed));
    return java.util.Arrays.copyOf(ids, (int) needed[0]);
  }

  /** How many ids {@link #encode(byte[], boolean, boolean)} would give. */
  public long countTokens(byte[] text, boolean special, boolean bos) {
    long[] count = new long[1];
    call(p -> NativeJNI.scout_count_tokens(p, text, flags(special, bos), count));
    return count[0];
  }

  private static long flags(boolean special, boolean bos) {
    return (special ? 1 : 0) | (bos ? 2 : 0);
  }

  /** The text of token ids; U+FFFD for what is not UTF-8. */
  public String decode(int[] ids) {
    return Text.string(decodeBytes(ids, false));
  }

  /** The bytes of token ids; special: control tokens are written with their names. */
  public byte[] decodeBytes(int[] ids, boolean special) {
    return call(p -> {
      long[] needed = new long[1];
      NativeJNI.scout_decode(p, ids, special ? 1 : 0, null, needed);
      byte[] text = new byte[(int) needed[0]];
      if (text.length != 0) NativeJNI.scout_decode(p, ids, special ? 1 : 0, text, needed);
      return text;
    });
  }

  /** The bytes of one token; of a control token its name. */
  public byte[] tokenBytes(int id) {
    byte[][] bytes = new byte[1][];
    call(p -> NativeJNI.scout_token_bytes(p, id, bytes, new long[1]));
    return bytes[0];
  }

  /** True for a control token. */
  public boolean isSpecial(int id) {
    long[] special = new long[1];
    call(p -> NativeJNI.scout_token_bytes(p, id, new byte[1][], special));
    return special[0] != 0;
  }

  /** The id of a control token by its name. */
  public int findToken(byte[] name) {
    long[] id = new long[1];
    call(p -> NativeJNI.scout_token_find(p, name, id));
    return (int) id[0];
  }

  /** The ids that end an answer. */
  public int[] stopTokens() {
    return ids(NativeJNI::scout_stop_tokens);
  }

  /** How a model that was loaded with {@link LoadOptions#vision} wants its tiles; {@link Status#ERR_STATE} for one without vision. */
  public TileOptions tileOptions() {
    return call(p -> TileOptions.read(made -> NativeJNI.scout_model_get_tile_options(p, made)));
  }

  /** What a model is, as far as most programs want to know; {@link #fact} has the rest. */
  public record Info(String architecture, String name, String version, String device, int layers, long vocabulary, long context, long parameters) {}

  /** The model's facts. */
  public Info info() {
    return described(i -> new Info(Text.string(NativeJNI.scout_model_info_architecture_get(i)), Text.string(NativeJNI.scout_model_info_name_get(i)),
        Text.string(NativeJNI.scout_model_info_version_get(i)), Text.string(NativeJNI.scout_model_info_device_get(i)),
        NativeJNI.scout_model_info_layers_get(i), NativeJNI.scout_model_info_vocabulary_get(i), NativeJNI.scout_model_info_context_get(i),
        NativeJNI.scout_model_info_parameters_get(i)));
  }

  /** One fact by its member's name in {@code scout_model_info}: a String, an Integer, a Long or a Double. */
  public Object fact(String member) {
    return described(i -> {
      try {
        Object value = NativeJNI.class.getMethod("scout_model_info_" + member + "_get", long.class).invoke(null, i);
        return value instanceof byte[] bytes ? Text.string(bytes) : value;
      } catch (ReflectiveOperationException error) {
        throw new IllegalArgumentException("scout_model_info has no member " + member, error);
      }
    });
  }

  private <T> T described(LongFunction<T> read) {
    return call(p -> {
      long info = NativeJNI.new_scout_model_info();
      try {
        NativeJNI.scout_model_get_info(p, info);
        return read.apply(info);
      } finally {
        NativeJNI.delete_scout_model_info(info);
      }
    });
  }

  /** What one layer is: experts or dense, rotated or position-free, attending inside its chunk or to everything. */
  public record Layer(boolean moe, boolean rope, boolean chunked) {}

  /** Describes one layer. */
  public Layer layer(int index) {
    long[] moe = new long[1];
    long[] rope = new long[1];
    long[] chunked = new long[1];
    call(p -> NativeJNI.scout_model_get_layer(p, index, moe, rope, chunked));
    return new Layer(moe[0] != 0, rope[0] != 0, chunked[0] != 0);
  }

  /** A device that holds a part of a model. */
  public record Part(String device, String description, long weightBytes) {}

  /** What lies on which device, in the words of {@link LoadOptions#placement}. */
  public String placement() {
    return described(i -> Text.string(NativeJNI.scout_model_info_placement_get(i)));
  }

  /** The devices that hold a part of the model. */
  public List<Part> parts() {
    long count = described(i -> NativeJNI.scout_model_info_device_count_get(i));
    return call(p -> {
      List<Part> parts = new ArrayList<>();
      long info = NativeJNI.new_scout_model_device();
      try {
        for (long i = 0; i < count; i++) {
          NativeJNI.scout_model_get_device(p, i, info);
          parts.add(new Part(Text.string(NativeJNI.scout_model_device_name_get(info)),
              Text.string(NativeJNI.scout_model_device_description_get(info)), NativeJNI.scout_model_device_weight_bytes_get(info)));
        }
      } finally {
        NativeJNI.delete_scout_model_device(info);
      }
      return parts;
    });
  }

  /** A tensor of the model's files; the last of the shape is the fastest. */
  public record Tensor(String name, String format, List<Long> shape, long bytes, boolean used) {}

  /** The tensors of the model's files, in file order. */
  public List<Tensor> tensors() {
    return call(p -> {
      List<Tensor> tensors = new ArrayList<>();
      long info = NativeJNI.new_scout_tensor_info();
      long[] count = new long[1];
      try {
        NativeJNI.scout_model_tensor_count(p, count);
        for (long i = 0; i < count[0]; i++) {
          NativeJNI.scout_model_get_tensor(p, i, info);
          List<Long> shape = new ArrayList<>();
          for (int axis = 0; axis < NativeJNI.scout_tensor_info_rank_get(info); axis++) shape.add(NativeJNI.scout_tensor_info_axis(info, axis));
          tensors.add(new Tensor(Text.string(NativeJNI.scout_tensor_info_name_get(info)), Text.string(NativeJNI.scout_tensor_info_format_get(info)),
              shape, NativeJNI.scout_tensor_info_bytes_get(info), NativeJNI.scout_tensor_info_used_get(info) != 0));
        }
      } finally {
        NativeJNI.delete_scout_tensor_info(info);
      }
      return tensors;
    });
  }

  /** What a model can run on. */
  public record Device(String name, String description, long memoryTotalBytes, long memoryFreeBytes) {}

  /** Describes a device; 0 is the default one. */
  public static Device device(long index) {
    long info = NativeJNI.new_scout_device_info();
    try {
      NativeJNI.scout_device_get(index, info);
      return new Device(Text.string(NativeJNI.scout_device_info_name_get(info)), Text.string(NativeJNI.scout_device_info_description_get(info)),
          NativeJNI.scout_device_info_memory_total_bytes_get(info), NativeJNI.scout_device_info_memory_free_bytes_get(info));
    } finally {
      NativeJNI.delete_scout_device_info(info);
    }
  }

  /** What a model can run on here, the default first. */
  public static List<Device> devices() {
    List<Device> devices = new ArrayList<>();
    long[] count = new long[1];
    NativeJNI.scout_device_count(count);
    for (long i = 0; i < count[0]; i++) devices.add(device(i));
    return devices;
  }

  /** The library's version, "major.minor.patch". */
  public static String libraryVersion() {
    return Text.string(NativeJNI.scout_version());
  }
}
