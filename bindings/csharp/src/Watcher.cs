using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;

namespace Scout
{
    internal static unsafe partial class Native
    {
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int scoutcs_watch_new();

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int scoutcs_watch_add(int watch, int descriptor, ulong id);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int scoutcs_watch_wait(int watch, [Out] ulong[] ids);
    }

    // One thread that waits for the descriptors of all that is awaited, so that a Task takes no thread while it waits.
    internal static class Watcher
    {
        private static readonly object Gate = new object();
        private static readonly Dictionary<ulong, TaskCompletionSource<bool>> Waiting = new Dictionary<ulong, TaskCompletionSource<bool>>();
        private static ulong last;
        private static int watch = -1;
        private static bool started;

        // Ends when the descriptor is readable or the token is cancelled; null where descriptors cannot be watched. The caller holds what
        // the descriptor belongs to, and waits for it once at a time.
        internal static Task Readable(int descriptor, CancellationToken cancellation)
        {
            if (descriptor < 0) return null;
            var source = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            ulong id;
            lock (Gate)
            {
                if (!started) Start();
                if (watch < 0) return null;
                id = ++last;
                Waiting.Add(id, source);
            }
            if (Native.scoutcs_watch_add(watch, descriptor, id) != 0)
            {
                Finish(id);
                return null;
            }
            return cancellation.CanBeCanceled ? Until(source.Task, id, cancellation) : source.Task;
        }

        private static async Task Until(Task readable, ulong id, CancellationToken cancellation)
        {
            using (cancellation.Register(() => Finish(id), false)) await readable.ConfigureAwait(false);
        }

        private static void Finish(ulong id)
        {
            TaskCompletionSource<bool> source;
            lock (Gate)
            {
                if (!Waiting.TryGetValue(id, out source)) return;
                Waiting.Remove(id);
            }
            source.TrySetResult(true);
        }

        private static void Start()
        {
            started = true;
            watch = Native.scoutcs_watch_new();
            if (watch >= 0) new Thread(Run) { IsBackground = true, Name = "scout watcher" }.Start();
        }

        private static void Run()
        {
            var ids = new ulong[64];
            for (int count; (count = Native.scoutcs_watch_wait(watch, ids)) >= 0;)
            {
                for (int i = 0; i < count; i++) Finish(ids[i]);
            }
        }
    }
}
