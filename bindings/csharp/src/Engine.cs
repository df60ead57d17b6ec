using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace Scout
{
    /// <summary>Runs many requests of one model together. Any thread may submit; one at a time takes events or runs steps.</summary>
    /// <remarks>Closing an engine ends its requests with a last event; they can still be read.</remarks>
    public sealed class Engine : IDisposable
    {
        private readonly EngineHandle handle;
        private readonly int[] inside = new int[1];

        internal Engine(EngineHandle handle, bool stepped)
        {
            this.handle = handle;
            Stepped = stepped;
        }

        internal bool Stepped { get; }

        private EngineHandle Handle => ScoutHandle.Open(handle, nameof(Engine));

        /// <summary>Asks for an answer to a conversation, which is copied.</summary>
        /// <exception cref="ScoutException">Among others <see cref="ScoutStatus.Again"/>: the waiting list is full.</exception>
        public unsafe Request Submit(Chat chat, RequestOptions options = null, CancellationToken cancellation = default(CancellationToken))
        {
            if (chat == null) throw new ArgumentNullException(nameof(chat));
            return Ask(this, options, cancellation, (scout_request_options* native, out RequestHandle made, out IntPtr message) =>
                Native.scoutcs_submit(Handle, chat.Handle, native, out made, out message));
        }

        /// <summary>Asks for an answer to a text: as a chat's only user message where the model has a chat format, else (or with
        /// <see cref="RequestOptions.Raw"/>) by going on from it.</summary>
        /// <exception cref="ScoutException">Among others <see cref="ScoutStatus.Again"/>: the waiting list is full.</exception>
        public Request Submit(string text, RequestOptions options = null, CancellationToken cancellation = default(CancellationToken))
        {
            return Submit(Handle, this, Utf8.Bytes(text, nameof(text)), options, cancellation);
        }

        internal static unsafe Request Submit(EngineHandle engine, Engine parent, byte[] text, RequestOptions options, CancellationToken cancellation)
        {
            return Ask(parent, options, cancellation, (scout_request_options* native, out RequestHandle made, out IntPtr message) =>
                Native.scoutcs_submit_text(engine, text, (ulong)text.Length, native, out made, out message));
        }

        /// <summary>Asks for token ids to be continued, as they are.</summary>
        /// <exception cref="ScoutException">Among others <see cref="ScoutStatus.Again"/>: the waiting list is full.</exception>
        public unsafe Request Submit(IEnumerable<int> ids, RequestOptions options = null, CancellationToken cancellation = default(CancellationToken))
        {
            int[] given = Memory.Array(ids, nameof(ids));
            return Ask(this, options, cancellation, (scout_request_options* native, out RequestHandle made, out IntPtr message) =>
                Native.scoutcs_submit_tokens(Handle, given, (ulong)given.Length, native, out made, out message));
        }

        private unsafe delegate int Asking(scout_request_options* options, out RequestHandle made, out IntPtr message);

        private static unsafe Request Ask(Engine parent, RequestOptions options, CancellationToken cancellation, Asking ask)
        {
            cancellation.ThrowIfCancellationRequested();
            using (var memory = new Memory())
            {
                scout_request_options native = default(scout_request_options);
                options?.Fill(out native, memory);
                RequestHandle made;
                IntPtr message;
                Failure.CheckMade(ask(options == null ? null : &native, out made, out message), message);
                return new Request(made, parent, cancellation);
            }
        }

        /// <summary>The next event of any of the engine's requests, waited for without end, also while there is none; its
        /// <see cref="Event.Tag"/> tells whose it is. A request's events come from here or from its own reading, whichever came first.</summary>
        /// <param name="cancellation">Ends the wait.</param>
        public Event Next(CancellationToken cancellation = default(CancellationToken)) => Next(Timeout.InfiniteTimeSpan, cancellation);

        /// <summary>The next event of any of the engine's requests; null when the time is up. A stepped engine never waits.</summary>
        /// <param name="timeout">Below zero waits without end.</param>
        /// <param name="cancellation">Ends the wait.</param>
        public Event Next(TimeSpan timeout, CancellationToken cancellation = default(CancellationToken))
        {
            var wait = new Wait(timeout);
            using (new Turn(inside, "engine"))
            using (cancellation.CanBeCanceled ? cancellation.Register(Wake, false) : default(CancellationTokenRegistration))
            {
                while (true)
                {
                    cancellation.ThrowIfCancellationRequested();
                    Event found = Take(wait.Slice);
                    if (found != null || Stepped || wait.Over) return found;
                }
            }
        }

        /// <summary>The next event of any of the engine's requests. No thread waits meanwhile.</summary>
        /// <param name="cancellation">Ends the wait.</param>
        public async Task<Event> NextAsync(CancellationToken cancellation = default(CancellationToken))
        {
            using (new Turn(inside, "engine"))
            {
                while (true)
                {
                    cancellation.ThrowIfCancellationRequested();
                    Event found = Take(0);
                    if (found != null || Stepped) return found;
                    int descriptor = Native.scoutcs_engine_descriptor(Handle);
                    await handle.Readable(descriptor, nameof(Engine), cancellation, CancellationToken.None).ConfigureAwait(false);
                }
            }
        }

        private unsafe Event Take(long timeoutMs)
        {
            using (var held = new Hold(handle, nameof(Engine)))
            {
                IntPtr found, message;
                Failure.Check(Native.scoutcs_engine_next(held.Pointer, timeoutMs, out found, out message), message);
                return found == IntPtr.Zero ? null : new Event((scout_event*)found);
            }
        }

        /// <summary>Runs a stepped engine for about this long, rounded up to a layer; zero runs one. True while work is left.</summary>
        public bool Step(TimeSpan budget)
        {
            IntPtr message;
            return Failure.Check(Native.scoutcs_engine_step(Handle, (long)budget.TotalMilliseconds, out message), message) == ScoutStatus.Ok;
        }

        /// <summary>Computes the log-probabilities of given tokens.</summary>
        public Scores Score(IEnumerable<int> ids) => Score(ids, new ScoutImage[0], false, new long[0]);

        /// <summary>Computes the log-probabilities of ids in which each "&lt;|image|&gt;" becomes the tokens of the next of the pictures.</summary>
        public Scores Score(IEnumerable<int> ids, ICollection<ScoutImage> images) => Score(ids, images, false, new long[0]);

        /// <summary>Computes whole rows of logits, of these positions (ascending) or of all.</summary>
        public Scores ScoreLogits(IEnumerable<int> ids, params long[] positions) => Score(ids, new ScoutImage[0], true, positions);

        /// <summary>Computes whole rows of logits with pictures; positions are those of <see cref="ScoutModel.ExpandPrompt"/>.</summary>
        public Scores ScoreLogits(IEnumerable<int> ids, ICollection<ScoutImage> images, params long[] positions) =>
            Score(ids, images, true, positions);

        private unsafe Scores Score(IEnumerable<int> ids, ICollection<ScoutImage> images, bool logits, long[] positions)
        {
            if (images == null) throw new ArgumentNullException(nameof(images));
            int[] given = Memory.Array(ids, nameof(ids));
            if (positions == null) throw new ArgumentNullException(nameof(positions));
            using (var memory = new Memory())
            {
                var options = default(scout_score_options);
                IntPtr message;
                Failure.Check(Native.scoutcs_score_options_init(ref options, (ulong)sizeof(scout_score_options), out message), message);
                options.logits = logits ? 1 : 0;
                if (positions.Length != 0) options.positions = memory.Copy(positions);
                options.position_count = (ulong)positions.Length;
                options.images = memory.Hold(images, nameof(images));
                options.image_count = (ulong)images.Count;
                ScoresHandle made;
                Failure.CheckMade(Native.scoutcs_score(Handle, given, (ulong)given.Length, &options, out made, out message), message);
                return new Scores(made, this);
            }
        }

        /// <summary>What the engine holds and has done.</summary>
        public unsafe EngineStats Stats
        {
            get
            {
                using (var held = new Hold(handle, nameof(Engine)))
                {
                    var stats = default(scout_engine_stats);
                    stats.struct_size = (uint)sizeof(scout_engine_stats);
                    IntPtr message;
                    Failure.Check(Native.scoutcs_engine_get_stats(held.Pointer, ref stats, out message), message);
                    return new EngineStats(&stats);
                }
            }
        }

        // Ends the wait that is under way, or else the next one.
        private void Wake() => ScoutHandle.Tell(handle, Native.scoutcs_engine_wake);

        /// <summary>Ends the engine's requests and its thread. May be called twice, from any thread. The model's default engine goes
        /// on.</summary>
        public void Dispose()
        {
            Wake(); // ends the waiting of another thread
            handle.End();
        }
    }
}
