using System;
using System.Collections;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace Scout
{
    /// <summary>A run of consecutive results. It holds nothing of the library's and stays valid.</summary>
    public sealed class ScoreBlock
    {
        private readonly float[] logits;

        internal unsafe ScoreBlock(scout_score_block* native)
        {
            Positions = Memory.Longs(native->positions, native->count);
            Logprobs = Memory.Floats(native->logprobs, native->count);
            logits = Memory.Floats(native->logits, native->count * native->vocabulary);
            Vocabulary = (int)native->vocabulary;
        }

        /// <summary>Ascending.</summary>
        public IReadOnlyList<long> Positions { get; }

        /// <summary>ln p of the token at each position given those before it; NaN at position 0; null with logits.</summary>
        public IReadOnlyList<float> Logprobs { get; }

        /// <summary>The length of a row of logits.</summary>
        public int Vocabulary { get; }

        /// <summary>The logits of what follows the row's position; null unless asked for.</summary>
        /// <param name="row">Below the number of positions.</param>
        public IReadOnlyList<float> Logits(int row)
        {
            return logits == null ? null : new ArraySegment<float>(logits, checked(row * Vocabulary), Vocabulary);
        }
    }

    /// <summary>Scoring that is under way. One thread at a time reads it; any may cancel.</summary>
    /// <remarks>Leaving a <c>foreach</c> early leaves the scoring paused until it is read on, cancelled or closed.</remarks>
    public sealed class Scores : IEnumerable<ScoreBlock>, IDisposable
    {
        private readonly ScoresHandle handle;
        private readonly Engine parent; // an engine that nobody else holds lives as long as its scores
        private readonly int[] inside = new int[1];
        private volatile bool done;

        internal Scores(ScoresHandle handle, Engine parent)
        {
            this.handle = handle;
            this.parent = parent;
        }

        /// <summary>True once everything was taken.</summary>
        public bool Done => done;

        /// <summary>The next block, waited for without end; null after the last.</summary>
        public ScoreBlock Next() => Next(Timeout.InfiniteTimeSpan);

        /// <summary>The next block; null when the time is up, or after the last (see <see cref="Done"/>).</summary>
        public ScoreBlock Next(TimeSpan timeout)
        {
            using (new Turn(inside, "scoring"))
            {
                var wait = new Wait(timeout);
                while (true)
                {
                    ScoreBlock found = Take(wait.Slice);
                    if (found != null || done || wait.Over || parent.Stepped) return found;
                }
            }
        }

        /// <summary>The next block; null after the last. No thread waits meanwhile.</summary>
        /// <param name="cancel">Ends the scoring.</param>
        public async Task<ScoreBlock> NextAsync(CancellationToken cancel = default(CancellationToken))
        {
            using (new Turn(inside, "scoring"))
            using (cancel.Register(Cancel, false))
            {
                while (true)
                {
                    cancel.ThrowIfCancellationRequested();
                    ScoreBlock found;
                    try
                    {
                        found = Take(0);
                    }
                    catch (ScoutException error) when (error.Status == ScoutStatus.Cancelled && cancel.IsCancellationRequested)
                    {
                        throw new OperationCanceledException(error.Message, error, cancel);
                    }
                    if (found != null || done) return found;
                    int descriptor = Native.scoutcs_scores_descriptor(ScoutHandle.Open(handle, nameof(Scores)));
                    await handle.Readable(descriptor, nameof(Scores), cancel, CancellationToken.None).ConfigureAwait(false);
                }
            }
        }

        private unsafe ScoreBlock Take(long timeoutMs)
        {
            using (var held = new Hold(handle, nameof(Scores)))
            {
                if (done) return null;
                IntPtr found, message;
                done = Failure.Check(Native.scoutcs_scores_next(held.Pointer, timeoutMs, out found, out message), message) == ScoutStatus.Done;
                return found == IntPtr.Zero ? null : new ScoreBlock((scout_score_block*)found);
            }
        }

        /// <summary>Ends the scoring; reading it then throws <see cref="ScoutStatus.Cancelled"/>. From any thread; harmless after the end
        /// and after <see cref="Dispose"/>.</summary>
        public void Cancel() => ScoutHandle.Tell(handle, Native.scoutcs_scores_cancel);

        /// <summary>Cancels what still runs and frees it. May be called twice, from any thread.</summary>
        public void Dispose()
        {
            if (!done) Cancel();
            handle.End();
        }

        /// <summary>The rest of the blocks.</summary>
        public IEnumerator<ScoreBlock> GetEnumerator()
        {
            for (ScoreBlock block; (block = Next()) != null;) yield return block;
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
