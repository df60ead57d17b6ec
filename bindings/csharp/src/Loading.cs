using System;
using System.Threading;
using System.Threading.Tasks;

namespace Scout
{
    /// <summary>How far a load is; both are 0 while the headers are read.</summary>
    public struct LoadProgress
    {
        internal LoadProgress(ulong done, ulong total)
        {
            DoneBytes = done;
            TotalBytes = total;
        }

        /// <summary>Bytes of weights that are there.</summary>
        public ulong DoneBytes { get; }

        /// <summary>Bytes of weights in all.</summary>
        public ulong TotalBytes { get; }
    }

    /// <summary>A load that is under way. One thread waits for it; any may ask or cancel. Closing it cancels.</summary>
    public sealed class Loading : IDisposable
    {
        private readonly OperationHandle handle;

        internal Loading(OperationHandle handle)
        {
            this.handle = handle;
        }

        private OperationHandle Handle => ScoutHandle.Open(handle, nameof(Loading));

        /// <summary>How far it is.</summary>
        public LoadProgress Progress
        {
            get
            {
                ulong done, total;
                IntPtr message;
                Failure.Check(Native.scoutcs_operation_progress(Handle, out done, out total, out message), message);
                return new LoadProgress(done, total);
            }
        }

        /// <summary>The model, waited for without end.</summary>
        public ScoutModel Wait() => Wait(Timeout.InfiniteTimeSpan);

        /// <summary>The model once it is ready; null when the time is up.</summary>
        /// <exception cref="ScoutException">What went wrong; <see cref="ScoutStatus.Cancelled"/> after <see cref="Cancel"/>.</exception>
        public ScoutModel Wait(TimeSpan timeout)
        {
            var wait = new Wait(timeout);
            while (true)
            {
                ModelHandle made;
                IntPtr message;
                Failure.Check(Native.scoutcs_operation_wait(Handle, wait.Slice, out made, out message), message);
                if (!made.IsInvalid) return new ScoutModel(made);
                if (wait.Over) return null;
            }
        }

        internal async Task<ScoutModel> WaitAsync(IProgress<LoadProgress> progress, CancellationToken cancellation)
        {
            using (cancellation.Register(Cancel, false))
            {
                while (true)
                {
                    ScoutModel model;
                    try
                    {
                        model = Wait(TimeSpan.Zero);
                    }
                    catch (ScoutException error) when (error.Status == ScoutStatus.Cancelled && cancellation.IsCancellationRequested)
                    {
                        throw new OperationCanceledException(error.Message, error, cancellation);
                    }
                    progress?.Report(Progress);
                    if (model != null) return model;
                    using (var now = new CancellationTokenSource(100)) // and then, so that progress is told
                    {
                        int descriptor = Native.scoutcs_operation_descriptor(Handle);
                        await handle.Readable(descriptor, nameof(Loading), now.Token, CancellationToken.None).ConfigureAwait(false);
                    }
                }
            }
        }

        /// <summary>Asks the load to end; it does after the read that is under way. From any thread; harmless after the end and after
        /// <see cref="Dispose"/>.</summary>
        public void Cancel() => ScoutHandle.Tell(handle, Native.scoutcs_operation_cancel);

        /// <summary>Cancels, waits for the read that is under way, and frees. May be called twice, from any thread.</summary>
        public void Dispose()
        {
            Cancel(); // ends the waiting of other threads
            handle.End();
        }
    }
}
