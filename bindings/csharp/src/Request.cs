using System;
using System.Collections;
using System.Collections.Generic;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace Scout
{
    /// <summary>An answer that is being made: read it by <c>foreach</c>, or event by event. One thread at a time reads; any may
    /// cancel.</summary>
    /// <remarks>Enumerating throws what went wrong: <see cref="ScoutException"/> for a failed request,
    /// <see cref="OperationCanceledException"/> when the token it was made with is cancelled. Leaving a <c>foreach</c> early cancels the
    /// request; <see cref="Next()"/> does not. A request that nobody holds any more is cancelled and freed by the garbage
    /// collector, its events with it: hold requests whose events are read through an <see cref="Engine"/>.</remarks>
    public sealed class Request : IEnumerable<Event>, IDisposable
    {
        private static readonly Action<object> CancelRequest = request => ((Request)request).Cancel();

        private readonly RequestHandle handle;
        private readonly Engine parent; // an engine that nobody else holds lives as long as its requests
        private readonly CancellationToken cancellation;
        private readonly int[] inside = new int[1];
        private volatile Event last;
        private volatile bool done;

        internal Request(RequestHandle handle, Engine parent, CancellationToken cancellation)
        {
            this.handle = handle;
            this.parent = parent;
            this.cancellation = cancellation;
        }

        internal RequestHandle Handle => ScoutHandle.Open(handle, nameof(Request));

        /// <summary>True once the last event was taken.</summary>
        public bool Done => done;

        /// <summary>The last event once it was taken, with counts and times; null before.</summary>
        public Event Last => last;

        /// <summary>The token ids generated so far, as far as their events were taken.</summary>
        public IReadOnlyList<int> Ids => Filled.Ids(Handle, Native.scoutcs_request_ids);

        /// <summary>The next event, waited for without end; null after the last. A failure is told by the event.</summary>
        public Event Next() => Next(Timeout.InfiniteTimeSpan);

        /// <summary>The next event; null when the time is up, or after the last (see <see cref="Done"/>). A failure is told by the event. A
        /// request of a stepped engine never waits.</summary>
        public Event Next(TimeSpan timeout)
        {
            using (CancelWith(cancellation)) return Read(timeout);
        }

        /// <summary>The next event; null after the last. No thread waits meanwhile. A failure is told by the event.</summary>
        /// <param name="cancel">Ends the request.</param>
        public async Task<Event> NextAsync(CancellationToken cancel = default(CancellationToken))
        {
            using (new Turn(inside, "request"))
            using (CancelWith(cancellation))
            using (CancelWith(cancel))
            {
                while (true)
                {
                    Event found = Take(0);
                    ThrowIfCancelled(found, cancellation);
                    ThrowIfCancelled(found, cancel);
                    if (found != null || done) return found;
                    await handle.Readable(Native.scoutcs_request_descriptor(Handle), nameof(Request), cancel, cancellation).ConfigureAwait(false);
                }
            }
        }

        /// <summary>The rest of the answer as one text.</summary>
        public string ReadToEnd()
        {
            var text = new StringBuilder();
            foreach (Event found in this) text.Append(found.Text);
            return text.ToString();
        }

        /// <summary>The rest of the answer as one text.</summary>
        /// <param name="cancel">Ends the request.</param>
        public async Task<string> ReadToEndAsync(CancellationToken cancel = default(CancellationToken))
        {
            var text = new StringBuilder();
            for (Event found; (found = Checked(await NextAsync(cancel).ConfigureAwait(false))) != null;) text.Append(found.Text);
            return text.ToString();
        }

        /// <summary>Ends the request; its last event says <see cref="StopReason.Cancelled"/>. From any thread; harmless after the end and
        /// after <see cref="Dispose"/>.</summary>
        public void Cancel() => ScoutHandle.Tell(handle, Native.scoutcs_request_cancel);

        /// <summary>Cancels what still runs and frees it. May be called twice, from any thread.</summary>
        public void Dispose()
        {
            if (!done) Cancel(); // ends the waiting of other threads
            handle.End();
        }

        /// <summary>The rest of the answer.</summary>
        public IEnumerator<Event> GetEnumerator() => new Enumerator(this);

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

#if NETSTANDARD2_1_OR_GREATER || NETCOREAPP3_0_OR_GREATER
        /// <summary>The rest of the answer, for <c>await foreach</c>. Leaving the loop early cancels the request.</summary>
        /// <param name="cancel">Ends the request.</param>
        public IAsyncEnumerable<Event> ReadAllAsync(CancellationToken cancel = default(CancellationToken))
        {
            return new AsyncEvents(this, cancel);
        }

        private sealed class AsyncEvents : IAsyncEnumerable<Event>, IAsyncEnumerator<Event>
        {
            private readonly Request request;
            private readonly CancellationToken cancel;

            internal AsyncEvents(Request request, CancellationToken cancel)
            {
                this.request = request;
                this.cancel = cancel;
            }

            public Event Current { get; private set; }

            public IAsyncEnumerator<Event> GetAsyncEnumerator(CancellationToken other)
            {
                return new AsyncEvents(request, other.CanBeCanceled ? other : cancel);
            }

            public ValueTask<bool> MoveNextAsync() => new ValueTask<bool>(Move());

            private async Task<bool> Move()
            {
                Current = request.Checked(await request.NextAsync(cancel).ConfigureAwait(false));
                return Current != null;
            }

            public ValueTask DisposeAsync()
            {
                if (!request.done) request.Cancel();
                return default(ValueTask);
            }
        }
#endif

        private CancellationTokenRegistration CancelWith(CancellationToken token)
        {
            return token.CanBeCanceled ? token.Register(CancelRequest, this, false) : default(CancellationTokenRegistration);
        }

        private Event Read(TimeSpan timeout)
        {
            using (new Turn(inside, "request"))
            {
                if (!done) cancellation.ThrowIfCancellationRequested();
                var wait = new Wait(timeout);
                while (true)
                {
                    Event found = Take(wait.Slice);
                    ThrowIfCancelled(found, cancellation);
                    if (found != null || done || wait.Over || (parent != null && parent.Stepped)) return found;
                }
            }
        }

        // A token that is cancelled throws, unless the answer had come to its own end.
        private void ThrowIfCancelled(Event found, CancellationToken token)
        {
            if (found == null ? !done : !found.IsLast || found.Stop == StopReason.Cancelled) token.ThrowIfCancellationRequested();
        }

        private unsafe Event Take(long timeoutMs)
        {
            using (var held = new Hold(handle, nameof(Request)))
            {
                if (done) return null;
                IntPtr found, message;
                ScoutStatus status = Failure.Check(Native.scoutcs_request_next(held.Pointer, timeoutMs, out found, out message), message);
                if (found == IntPtr.Zero)
                {
                    done |= status == ScoutStatus.Done;
                    return null;
                }
                var made = new Event((scout_event*)found);
                if (made.IsLast)
                {
                    last = made;
                    done = true;
                }
                return made;
            }
        }

        private Event Checked(Event found)
        {
            if (found != null && found.Stop == StopReason.Error) throw new ScoutException(found.Status, found.Message);
            return found;
        }

        private sealed class Enumerator : IEnumerator<Event>
        {
            private readonly Request request;
            private readonly CancellationTokenRegistration registration;

            internal Enumerator(Request request)
            {
                this.request = request;
                registration = request.CancelWith(request.cancellation);
            }

            public Event Current { get; private set; }

            object IEnumerator.Current => Current;

            public bool MoveNext()
            {
                Current = request.Checked(request.Read(Timeout.InfiniteTimeSpan));
                return Current != null;
            }

            public void Reset()
            {
                throw new NotSupportedException("an answer is read once");
            }

            public void Dispose()
            {
                registration.Dispose();
                if (!request.done) request.Cancel();
            }
        }
    }
}
