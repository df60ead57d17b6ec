using System;
using System.Collections.Generic;
using System.Linq;

namespace Scout
{
    /// <summary>How a model is loaded. What is not set is the library's default.</summary>
    public sealed class LoadOptions
    {
        /// <summary>"cpu", "ref": see <see cref="ScoutLibrary.Devices"/>. Null is the default one.</summary>
        public string Device { get; set; }

        /// <summary>Compute threads; 0 is as many as the process may use.</summary>
        public int Threads { get; set; }

        /// <summary>Whether an answer may depend on what shares its batch.</summary>
        public Numerics Numerics { get; set; }

        /// <summary>How keys and values are kept, for engines that do not say.</summary>
        public KvFormat KvFormat { get; set; }

        /// <summary>Positions that one request may use, for engines that do not say; 0 is as many as there is room for.</summary>
        public long Context { get; set; }

        /// <summary>Memory for keys and values of an engine that does not say; 0 is a part of what is left.</summary>
        public ulong KvBytes { get; set; }

        /// <summary>Refuses to load what needs more than this; 0 is what the machine has left.</summary>
        public ulong MemoryLimitBytes { get; set; }

        /// <summary>Where plug-ins are looked for; null is beside the library.</summary>
        public string PluginDirectory { get; set; }

        /// <summary>Maps the file instead of reading it. When another program shortens a mapped file, the system ends this one.</summary>
        public bool MapFile { get; set; }

        /// <summary>Does not look for NaN and infinity while loading.</summary>
        public bool SkipWeightCheck { get; set; }

        /// <summary>Loads the vision tower too, where the files have one or one mmproj*.gguf lies beside them, so that chats can hold
        /// pictures.</summary>
        public bool Vision { get; set; }

        /// <summary>Whether a packed side-file is used or written, with which a GGUF file loads in milliseconds, shared by processes. When
        /// another program shortens it, the system ends this one.</summary>
        public PackMode Pack { get; set; }

        /// <summary>What lies on which device: "experts=cpu", "layers 0-23=cuda:0; layers 24-47=cuda:1"; null is what the devices decide. The
        /// grammar is in scout/model.h.</summary>
        public string Placement { get; set; }

        /// <summary>The side-file; null is the path of the GGUF file with ".pack" behind it.</summary>
        public string PackPath { get; set; }

        internal unsafe void Fill(out scout_load_options native, Memory memory)
        {
            native = default(scout_load_options);
            IntPtr message;
            Failure.Check(Native.scoutcs_load_options_init(ref native, (ulong)sizeof(scout_load_options), out message), message);
            if (Device != null) native.device = memory.Copy(Utf8.Terminated(Device, nameof(Device)));
            if (PluginDirectory != null) native.plugin_dir = memory.Copy(Utf8.Terminated(PluginDirectory, nameof(PluginDirectory)));
            if (Placement != null) native.placement = memory.Copy(Utf8.Terminated(Placement, nameof(Placement)));
            if (PackPath != null) native.pack_path = memory.Copy(Utf8.Terminated(PackPath, nameof(PackPath)));
            native.pack = (int)Pack;
            native.threads = Threads;
            native.numerics = (int)Numerics;
            native.kv_format = (int)KvFormat;
            native.context = Context;
            native.kv_bytes = KvBytes;
            native.memory_limit_bytes = MemoryLimitBytes;
            native.map_file = MapFile ? 1 : 0;
            native.skip_weight_check = SkipWeightCheck ? 1 : 0;
            native.vision = Vision ? 1 : 0;
        }
    }

    /// <summary>How an engine works. What is not set is the library's default.</summary>
    public sealed class EngineOptions
    {
        /// <summary><see cref="EngineMode.Stepped"/>: the caller runs the steps by <see cref="Engine.Step"/>; no thread is made and no call
        /// waits.</summary>
        public EngineMode Mode { get; set; }

        /// <summary>How keys and values are kept; the default is as the model was loaded.</summary>
        public KvFormat KvFormat { get; set; }

        /// <summary>Memory for keys and values; 0 is as the model was loaded.</summary>
        public ulong KvBytes { get; set; }

        /// <summary>Positions that one request may use; 0 is as the model was loaded.</summary>
        public long Context { get; set; }

        /// <summary>Most tokens of a step.</summary>
        public int StepRows { get; set; }

        /// <summary>Most tokens of a step while answers stream, which bounds how long a long prompt holds them up.</summary>
        public int DecodeStepRows { get; set; }

        /// <summary>Requests in the waiting list before submitting says <see cref="ScoutStatus.Again"/>.</summary>
        public int MaxWaiting { get; set; }

        /// <summary>Requests that share a step.</summary>
        public int MaxRunning { get; set; }

        /// <summary>Pages of finished prompts are not kept for later ones.</summary>
        public bool NoPrefixCache { get; set; }

        /// <summary>Requests of engines with different salts never share pages.</summary>
        public ulong CacheSalt { get; set; }

        /// <summary>Most memory for what was computed of pictures that later requests may ask about again; 0 is 268435456. Not with
        /// <see cref="NoPictureCache"/>.</summary>
        public ulong PictureCacheBytes { get; set; }

        /// <summary>Nothing is kept of a picture when the requests that need it have computed it.</summary>
        public bool NoPictureCache { get; set; }

        internal unsafe void Fill(out scout_engine_options native)
        {
            native = default(scout_engine_options);
            IntPtr message;
            Failure.Check(Native.scoutcs_engine_options_init(ref native, (ulong)sizeof(scout_engine_options), out message), message);
            native.mode = (int)Mode;
            native.kv_format = (int)KvFormat;
            native.kv_bytes = KvBytes;
            native.context = Context;
            native.step_rows = StepRows;
            native.decode_step_rows = DecodeStepRows;
            native.max_waiting = MaxWaiting;
            native.max_running = MaxRunning;
            native.no_prefix_cache = NoPrefixCache ? 1 : 0;
            native.cache_salt = CacheSalt;
            native.picture_cache_bytes = PictureCacheBytes;
            native.no_picture_cache = NoPictureCache ? 1 : 0;
        }
    }

    /// <summary>What an answer is to be like: greedy, until the model ends, unless said otherwise.</summary>
    /// <example><code>new RequestOptions { Temperature = 0.7f, MaxTokens = 200, Stop = { "\n\n" } }</code></example>
    public sealed class RequestOptions
    {
        /// <summary>0 takes always the most likely token.</summary>
        public float Temperature { get; set; }

        /// <summary>Samples among the k most likely tokens; 0 is all.</summary>
        public int TopK { get; set; }

        /// <summary>Leaves out tokens whose more likely ones already hold this mass; 1 is off.</summary>
        public float TopP { get; set; } = 1;

        /// <summary>Leaves out tokens less likely than this times the most likely; 0 is off.</summary>
        public float MinP { get; set; }

        /// <summary>Over prompt and answer; 1 is off.</summary>
        public float RepetitionPenalty { get; set; } = 1;

        /// <summary>Subtracted for each time the token is in the answer.</summary>
        public float FrequencyPenalty { get; set; }

        /// <summary>Subtracted when the token is in the answer.</summary>
        public float PresencePenalty { get; set; }

        /// <summary>Same seed, same request: same answer.</summary>
        public ulong Seed { get; set; }

        /// <summary>0 is as many as the context holds.</summary>
        public long MaxTokens { get; set; }

        /// <summary>Repeated in each event.</summary>
        public ulong Tag { get; set; }

        /// <summary>Added to the logits of these tokens; negative infinity forbids one.</summary>
        public IDictionary<int, float> Bias { get; } = new Dictionary<int, float>();

        /// <summary>The answer ends before the first of these texts.</summary>
        public ICollection<string> Stop { get; } = new List<string>();

        /// <summary>The answer ends at one of these tokens, beside the model's own.</summary>
        public ICollection<int> StopTokens { get; } = new List<int>();

        /// <summary>Log-probabilities of the generated tokens.</summary>
        public bool Logprobs { get; set; }

        /// <summary>So many of the most likely tokens of each position, with their log-probabilities.</summary>
        public int TopLogprobs { get; set; }

        /// <summary>Goes on past the model's own stop tokens.</summary>
        public bool IgnoreEnd { get; set; }

        /// <summary>Writes control tokens into the text.</summary>
        public bool IncludeSpecial { get; set; }

        /// <summary>Continues the prompt as it stands instead of answering it.</summary>
        public bool Raw { get; set; }

        /// <summary>Pictures of a text or of ids, which may be closed once the request is made. A question comes behind them; in what is
        /// continued as it stands (<see cref="Raw"/>, ids), each "&lt;|image|&gt;" becomes the next of them. A <see cref="Chat"/> holds its
        /// own.</summary>
        public ICollection<ScoutImage> Images { get; } = new List<ScoutImage>();

        internal unsafe void Fill(out scout_request_options native, Memory memory)
        {
            native = default(scout_request_options);
            IntPtr message;
            Failure.Check(Native.scoutcs_request_options_init(ref native, (ulong)sizeof(scout_request_options), out message), message);
            native.temperature = Temperature;
            native.top_k = TopK;
            native.top_p = TopP;
            native.min_p = MinP;
            native.repetition_penalty = RepetitionPenalty;
            native.frequency_penalty = FrequencyPenalty;
            native.presence_penalty = PresencePenalty;
            native.seed = Seed;
            native.max_tokens = MaxTokens;
            native.tag = Tag;
            native.logprobs = Logprobs ? 1 : 0;
            native.top_logprobs = TopLogprobs;
            native.ignore_end = IgnoreEnd ? 1 : 0;
            native.include_special = IncludeSpecial ? 1 : 0;
            native.raw = Raw ? 1 : 0;
            KeyValuePair<int, float>[] bias = Bias.ToArray();
            if (bias.Length != 0)
            {
                native.bias_ids = memory.Copy(bias.Select(pair => pair.Key).ToArray());
                native.bias_values = memory.Copy(bias.Select(pair => pair.Value).ToArray());
                native.bias_count = (ulong)bias.Length;
            }
            byte[][] stop = Stop.Select(text => Utf8.Bytes(text, nameof(Stop))).ToArray();
            if (stop.Length != 0)
            {
                native.stop = memory.Copy(stop);
                native.stop_sizes = (ulong*)memory.Copy(stop.Select(text => (long)text.Length).ToArray());
                native.stop_count = (ulong)stop.Length;
            }
            if (StopTokens.Count != 0)
            {
                native.stop_tokens = memory.Copy(StopTokens.ToArray());
                native.stop_token_count = (ulong)StopTokens.Count;
            }
            native.images = memory.Hold(Images, nameof(Images));
            native.image_count = (ulong)Images.Count;
        }
    }
}
