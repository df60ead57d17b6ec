using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace Scout
{
    /// <summary>A loaded model. Any number of threads may use it. Its memory goes when it and all that was made of it are closed.</summary>
    /// <example><code>
    /// using (var model = ScoutModel.Load("scout-tiny"))
    ///     foreach (var e in model.Generate("Tell me a story about a fox.")) Console.Write(e.Text);
    /// </code></example>
    public sealed class ScoutModel : IDisposable
    {
        private readonly ModelHandle handle;
        private EngineHandle defaultEngine; // made on first use

        internal ScoutModel(ModelHandle handle)
        {
            this.handle = handle;
        }

        internal ModelHandle Handle => ScoutHandle.Open(handle, nameof(ScoutModel));

        /// <summary>Loads a model and returns when it is ready.</summary>
        /// <param name="path">A GGUF file, a Hugging Face directory, "scout-tiny" (the model that comes with the library), or
        /// "ollama:NAME".</param>
        /// <param name="options">Null is the defaults.</param>
        /// <param name="cancellation">Ends the load.</param>
        /// <exception cref="ScoutException">The file or the machine does not do; one sentence says why.</exception>
        public static ScoutModel Load(string path, LoadOptions options = null, CancellationToken cancellation = default(CancellationToken))
        {
            cancellation.ThrowIfCancellationRequested();
            using (Loading loading = StartLoad(path, options))
            using (cancellation.Register(loading.Cancel, false))
            {
                try
                {
                    return loading.Wait();
                }
                catch (ScoutException error) when (error.Status == ScoutStatus.Cancelled && cancellation.IsCancellationRequested)
                {
                    throw new OperationCanceledException(error.Message, error, cancellation);
                }
            }
        }

        /// <summary>Loads a model; no thread waits meanwhile.</summary>
        /// <param name="path">As for <see cref="Load"/>.</param>
        /// <param name="options">Null is the defaults.</param>
        /// <param name="progress">Told now and then; may be null.</param>
        /// <param name="cancellation">Ends the load.</param>
        public static async Task<ScoutModel> LoadAsync(string path, LoadOptions options = null, IProgress<LoadProgress> progress = null,
            CancellationToken cancellation = default(CancellationToken))
        {
            cancellation.ThrowIfCancellationRequested();
            using (Loading loading = StartLoad(path, options)) return await loading.WaitAsync(progress, cancellation).ConfigureAwait(false);
        }

        /// <summary>Starts a load and returns at once.</summary>
        public static unsafe Loading StartLoad(string path, LoadOptions options = null)
        {
            byte[] bytes = Utf8.Terminated(path, nameof(path));
            using (var memory = new Memory())
            {
                scout_load_options native = default(scout_load_options);
                options?.Fill(out native, memory);
                OperationHandle made;
                IntPtr message;
                Failure.CheckMade(Native.scoutcs_load_start(bytes, options == null ? null : &native, out made, out message), message);
                return new Loading(made);
            }
        }

        /// <summary>Answers a text: as a chat's only user message where the model has a chat format, else (or with
        /// <see cref="RequestOptions.Raw"/>) by going on from it.</summary>
        /// <param name="prompt">May be empty.</param>
        /// <param name="cancellation">Ends the request; reading it then throws.</param>
        public Request Generate(string prompt, CancellationToken cancellation) => Generate(prompt, null, cancellation);

        /// <summary>Answers a text: as a chat's only user message where the model has a chat format, else (or with
        /// <see cref="RequestOptions.Raw"/>) by going on from it.</summary>
        /// <param name="prompt">May be empty.</param>
        /// <param name="options">Null is the defaults.</param>
        /// <param name="cancellation">Ends the request; reading it then throws.</param>
        /// <exception cref="ScoutException">Among others <see cref="ScoutStatus.Again"/>: too many requests wait.</exception>
        public Request Generate(string prompt, RequestOptions options = null, CancellationToken cancellation = default(CancellationToken))
        {
            byte[] bytes = Utf8.Bytes(prompt, nameof(prompt));
            using (new Hold(handle, nameof(ScoutModel))) // closing the model closes its handle on the engine after that
            {
                EngineHandle engine = Volatile.Read(ref defaultEngine);
                if (engine == null)
                {
                    engine = OpenEngine();
                    EngineHandle other = Interlocked.CompareExchange(ref defaultEngine, engine, null);
                    if (other != null)
                    {
                        engine.Dispose();
                        engine = other;
                    }
                }
                return Engine.Submit(engine, null, bytes, options, cancellation);
            }
        }

        /// <summary>Answers a text as <see cref="Generate(string, RequestOptions, CancellationToken)"/> and gives the whole answer.</summary>
        public async Task<string> GenerateTextAsync(string prompt, RequestOptions options = null, CancellationToken cancellation = default(CancellationToken))
        {
            using (Request request = Generate(prompt, options, cancellation)) return await request.ReadToEndAsync().ConfigureAwait(false);
        }

#if NETSTANDARD2_1_OR_GREATER || NETCOREAPP3_0_OR_GREATER
        /// <summary>Answers a text, for <c>await foreach</c>. Leaving the loop early cancels the request.</summary>
        public IAsyncEnumerable<Event> GenerateAsync(string prompt, RequestOptions options = null, CancellationToken cancellation = default(CancellationToken))
        {
            return Generate(prompt, options, cancellation).ReadAllAsync();
        }
#endif

        /// <summary>An empty conversation.</summary>
        public Chat CreateChat()
        {
            ChatHandle made;
            IntPtr message;
            Failure.CheckMade(Native.scoutcs_chat_new(Handle, out made, out message), message);
            return new Chat(made);
        }

        private EngineHandle OpenEngine()
        {
            EngineHandle made;
            IntPtr message;
            Failure.CheckMade(Native.scoutcs_model_engine(Handle, out made, out message), message);
            return made;
        }

        /// <summary>The engine that <see cref="Generate(string, RequestOptions, CancellationToken)"/> uses, made on first use: for its
        /// figures, and to submit without sizing an engine. Closing it lets go of it.</summary>
        public Engine OpenDefaultEngine() => new Engine(OpenEngine(), false);

        /// <summary>An engine of its own for many requests.</summary>
        public unsafe Engine CreateEngine(EngineOptions options = null)
        {
            scout_engine_options native = default(scout_engine_options);
            options?.Fill(out native);
            EngineHandle made;
            IntPtr message;
            Failure.CheckMade(Native.scoutcs_engine_new(Handle, options == null ? null : &native, out made, out message), message);
            return new Engine(made, options != null && options.Mode == EngineMode.Stepped);
        }

        /// <summary>A text's token ids. Spellings of control tokens are ordinary text.</summary>
        public int[] Encode(string text) => Encode(Utf8.Bytes(text, nameof(text)));

        /// <summary>The token ids of bytes, UTF-8 or not.</summary>
        /// <param name="text">May be empty.</param>
        /// <param name="special">Spellings of control tokens become them: for trusted text only.</param>
        /// <param name="bos">Begin with the begin-of-text token.</param>
        public int[] Encode(byte[] text, bool special = false, bool bos = false)
        {
            if (text == null) throw new ArgumentNullException(nameof(text));
            int[] ids = new int[text.Length + 1]; // a token holds at least one byte, so this is room for all
            ulong needed;
            IntPtr message;
            int status = Native.scoutcs_encode(Handle, text, (ulong)text.Length, EncodeFlags(special, bos), ids, (ulong)ids.Length, out needed, out message);
            Failure.Check(status, message);
            Array.Resize(ref ids, (int)needed);
            return ids;
        }

        /// <summary>How many ids <see cref="Encode(string)"/> would give.</summary>
        public long CountTokens(string text) => CountTokens(Utf8.Bytes(text, nameof(text)));

        /// <summary>How many ids <see cref="Encode(byte[], bool, bool)"/> would give.</summary>
        public long CountTokens(byte[] text, bool special = false, bool bos = false)
        {
            if (text == null) throw new ArgumentNullException(nameof(text));
            ulong count;
            IntPtr message;
            Failure.Check(Native.scoutcs_count_tokens(Handle, text, (ulong)text.Length, EncodeFlags(special, bos), out count, out message), message);
            return (long)count;
        }

        private static uint EncodeFlags(bool special, bool bos) => (special ? 1u : 0u) | (bos ? 2u : 0u);

        /// <summary>The text of token ids; U+FFFD for what is not UTF-8.</summary>
        /// <param name="ids">May be empty.</param>
        /// <param name="special">Control tokens are written with their names; otherwise they are left out.</param>
        public string Decode(IEnumerable<int> ids, bool special = false) => Utf8.Text(DecodeBytes(ids, special));

        /// <summary>The bytes of token ids; a single id may be part of a character.</summary>
        public byte[] DecodeBytes(IEnumerable<int> ids, bool special = false)
        {
            int[] given = Memory.Array(ids, nameof(ids));
            return Filled.Bytes(Handle, (ModelHandle model, byte[] text, ulong capacity, out ulong needed, out IntPtr message) =>
                Native.scoutcs_decode(model, given, (ulong)given.Length, special ? 1u : 0u, text, capacity, out needed, out message));
        }

        /// <summary>The bytes of one token; of a control token its name.</summary>
        public byte[] TokenBytes(int id)
        {
            bool special;
            return Token(id, out special);
        }

        /// <summary>True for a control token.</summary>
        public bool IsSpecial(int id)
        {
            bool special;
            Token(id, out special);
            return special;
        }

        private byte[] Token(int id, out bool isSpecial)
        {
            using (var held = new Hold(handle, nameof(ScoutModel)))
            {
                IntPtr bytes, message;
                ulong size;
                int special;
                Failure.Check(Native.scoutcs_token_bytes(held.Pointer, id, out bytes, out size, out special, out message), message);
                isSpecial = special != 0;
                return Memory.Bytes(bytes, size);
            }
        }

        /// <summary>The id of a control token by its name, <c>&lt;|eot|&gt;</c> for instance.</summary>
        public int FindToken(string name)
        {
            byte[] bytes = Utf8.Bytes(name, nameof(name));
            int id;
            IntPtr message;
            Failure.Check(Native.scoutcs_token_find(Handle, bytes, (ulong)bytes.Length, out id, out message), message);
            return id;
        }

        /// <summary>The ids that <see cref="Generate(string, RequestOptions, CancellationToken)"/> makes of a prompt, those of its pictures included.</summary>
        public unsafe IReadOnlyList<int> PromptTokens(string prompt, RequestOptions options = null)
        {
            byte[] text = Utf8.Bytes(prompt, nameof(prompt));
            return Prompt(options ?? new RequestOptions(), (ModelHandle model, scout_request_options* native, int[] room, ulong capacity,
                out ulong needed, out IntPtr message) => Native.scoutcs_prompt_tokens(model, text, (ulong)text.Length, native, room, capacity,
                    out needed, out message));
        }

        /// <summary>What ids become among which "&lt;|image|&gt;" (<see cref="FindToken"/>) stands for pictures, and so which position is
        /// whose.</summary>
        public unsafe IReadOnlyList<int> ExpandPrompt(IEnumerable<int> ids, params ScoutImage[] images)
        {
            int[] given = Memory.Array(ids, nameof(ids));
            if (images == null) throw new ArgumentNullException(nameof(images));
            var options = new RequestOptions();
            foreach (ScoutImage image in images) options.Images.Add(image);
            return Prompt(options, (ModelHandle model, scout_request_options* native, int[] room, ulong capacity, out ulong needed,
                out IntPtr message) => Native.scoutcs_prompt_expand(model, given, (ulong)given.Length, native, room, capacity, out needed,
                    out message));
        }

        private unsafe delegate int Prompting(ModelHandle model, scout_request_options* options, int[] room, ulong capacity, out ulong needed,
            out IntPtr message);

        private unsafe int[] Prompt(RequestOptions options, Prompting call)
        {
            using (var memory = new Memory())
            {
                scout_request_options made;
                options.Fill(out made, memory);
                return Filled.Ids(Handle, (ModelHandle model, int[] room, ulong capacity, out ulong needed, out IntPtr message) =>
                {
                    scout_request_options native = made;
                    return call(model, &native, room, capacity, out needed, out message);
                });
            }
        }

        /// <summary>The ids that end an answer.</summary>
        public IReadOnlyList<int> StopTokens => Filled.Ids(Handle, Native.scoutcs_stop_tokens);

        /// <summary>What the model is.</summary>
        public unsafe ModelInfo Info
        {
            get
            {
                using (var held = new Hold(handle, nameof(ScoutModel)))
                {
                    var info = default(scout_model_info);
                    info.struct_size = (uint)sizeof(scout_model_info);
                    IntPtr message;
                    Failure.Check(Native.scoutcs_model_get_info(held.Pointer, ref info, out message), message);
                    return new ModelInfo(&info);
                }
            }
        }

        /// <summary>How a model that was loaded with <see cref="LoadOptions.Vision"/> wants its tiles.</summary>
        /// <exception cref="ScoutException"><see cref="ScoutStatus.State"/> for a model without vision.</exception>
        public unsafe TileOptions GetTileOptions()
        {
            using (var held = new Hold(handle, nameof(ScoutModel)))
            {
                var options = default(scout_tile_options);
                options.struct_size = (uint)sizeof(scout_tile_options);
                IntPtr message;
                Failure.Check(Native.scoutcs_model_get_tile_options(held.Pointer, ref options, out message), message);
                return new TileOptions(options);
            }
        }

        /// <summary>What one layer is.</summary>
        public LayerInfo GetLayer(int index)
        {
            int moe, rope, chunked;
            IntPtr message;
            Failure.Check(Native.scoutcs_model_get_layer(Handle, index, out moe, out rope, out chunked, out message), message);
            return new LayerInfo(moe != 0, rope != 0, chunked != 0);
        }

        /// <summary>The devices that hold a part of the model; <see cref="ModelInfo.Placement"/> says which part.</summary>
        public unsafe IReadOnlyList<ModelDevice> Devices
        {
            get
            {
                ulong count = Info.DeviceCount;
                using (var held = new Hold(handle, nameof(ScoutModel)))
                {
                    var devices = new ModelDevice[count];
                    for (int i = 0; i < devices.Length; i++)
                    {
                        var info = default(scout_model_device);
                        info.struct_size = (uint)sizeof(scout_model_device);
                        IntPtr message;
                        Failure.Check(Native.scoutcs_model_get_device(held.Pointer, (ulong)i, ref info, out message), message);
                        devices[i] = new ModelDevice(&info);
                    }
                    return devices;
                }
            }
        }

        /// <summary>The tensors of the model's files, in file order.</summary>
        public unsafe IReadOnlyList<TensorInfo> Tensors
        {
            get
            {
                using (var held = new Hold(handle, nameof(ScoutModel)))
                {
                    ulong count;
                    IntPtr message;
                    Failure.Check(Native.scoutcs_model_tensor_count(handle, out count, out message), message);
                    var tensors = new TensorInfo[count];
                    for (int i = 0; i < tensors.Length; i++)
                    {
                        var info = default(scout_tensor_info);
                        info.struct_size = (uint)sizeof(scout_tensor_info);
                        Failure.Check(Native.scoutcs_model_get_tensor(held.Pointer, (ulong)i, ref info, out message), message);
                        tensors[i] = new TensorInfo(&info);
                    }
                    return tensors;
                }
            }
        }

        /// <summary>Bytes of keys and values that one request of so many positions needs.</summary>
        public ulong KvBytes(long positions, KvFormat format = KvFormat.Default)
        {
            ulong bytes;
            IntPtr message;
            Failure.Check(Native.scoutcs_model_kv_bytes(Handle, positions, (int)format, out bytes, out message), message);
            return bytes;
        }

        /// <summary>Drops this hold on the model. May be called twice, from any thread, and before what was made of it is closed.</summary>
        public void Dispose()
        {
            handle.End();
            Volatile.Read(ref defaultEngine)?.End();
        }
    }
}
