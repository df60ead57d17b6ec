using System;
using System.Collections.Generic;

namespace Scout
{
    /// <summary>A token and the natural logarithm of its probability.</summary>
    public struct TokenLogprob
    {
        internal TokenLogprob(int id, float logprob)
        {
            Id = id;
            Logprob = logprob;
        }

        /// <summary>The token.</summary>
        public int Id { get; }

        /// <summary>Of the model's own distribution.</summary>
        public float Logprob { get; }
    }

    /// <summary>A piece of an answer: whole characters, with what they came from. It holds nothing of the library's and stays valid.</summary>
    public sealed class Event
    {
        private static readonly int[] None = new int[0];

        internal unsafe Event(scout_event* native)
        {
            Text = Utf8.Text(native->text, native->text_size);
            Ids = native->id_count == 0 ? None : Memory.Ints(native->ids, native->id_count);
            Logprobs = Memory.Floats(native->logprobs, native->id_count);
            Tag = native->tag;
            if (native->top_ids != null)
            {
                var rows = new TokenLogprob[Ids.Count][];
                for (int i = 0; i < rows.Length; i++)
                {
                    rows[i] = new TokenLogprob[native->top_count];
                    ulong begin = (ulong)i * native->top_count;
                    for (ulong k = 0; k < native->top_count; k++)
                        rows[i][k] = new TokenLogprob(native->top_ids[begin + k], native->top_logprobs[begin + k]);
                }
                TopLogprobs = rows;
            }
            Message = "";
            if (native->stop == 0) return;
            Stop = (StopReason)native->stop;
            Message = Utf8.Text(native->message, native->message_size);
            Status = (ScoutStatus)native->status;
            PromptTokens = native->prompt_tokens;
            CachedTokens = native->cached_tokens;
            GeneratedTokens = native->generated_tokens;
            QueueTime = Time(native->queue_ms);
            PrefillTime = Time(native->prefill_ms);
            DecodeTime = Time(native->decode_ms);
        }

        /// <summary>The text; may be empty.</summary>
        public string Text { get; }

        /// <summary>The tokens the text came from.</summary>
        public IReadOnlyList<int> Ids { get; }

        /// <summary>Of these tokens, natural logarithm; null unless asked for.</summary>
        public IReadOnlyList<float> Logprobs { get; }

        /// <summary>For each token the most likely ones at its place, best first; null unless asked for.</summary>
        public IReadOnlyList<IReadOnlyList<TokenLogprob>> TopLogprobs { get; }

        /// <summary>Why the answer ended; <see cref="StopReason.None"/> while more events follow.</summary>
        public StopReason Stop { get; }

        /// <summary>True for the event that ends the answer.</summary>
        public bool IsLast => Stop != StopReason.None;

        /// <summary>As <see cref="RequestOptions.Tag"/> said.</summary>
        public ulong Tag { get; }

        /// <summary>In the last event what there is to say about its end.</summary>
        public string Message { get; }

        /// <summary>A failure where <see cref="Stop"/> is Error or Cancelled.</summary>
        public ScoutStatus Status { get; }

        /// <summary>This and the following are in the last event: tokens of the prompt.</summary>
        public long PromptTokens { get; }

        /// <summary>Tokens of the prompt whose keys and values were found ready.</summary>
        public long CachedTokens { get; }

        /// <summary>Tokens of the answer.</summary>
        public long GeneratedTokens { get; }

        /// <summary>How long the request waited for its turn.</summary>
        public TimeSpan QueueTime { get; }

        /// <summary>How long its prompt took.</summary>
        public TimeSpan PrefillTime { get; }

        /// <summary>How long the answer took.</summary>
        public TimeSpan DecodeTime { get; }

        /// <summary>The text.</summary>
        public override string ToString() => Text;

        private static TimeSpan Time(double milliseconds) => TimeSpan.FromTicks((long)(milliseconds * TimeSpan.TicksPerMillisecond));
    }
}
