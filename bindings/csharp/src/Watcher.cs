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
        private static readonly Dictionary<ulong, Waiter> Waiting = new Dictionary<ulong, Waiter>();
        private static ulong last;
        private static int watch = -1;
        private static bool started;

        // One wait for one descriptor; its task ends when that is readable, or by End.
        internal sealed class Waiter
        {
            private readonly TaskCompletionSource<bool> source = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            internal ulong Id;

            internal Task Task => source.Task;

            internal void End()
            {
                lock (Gate) Waiting.Remove(Id);
                source.TrySetResult(true);
            }
        }

        // Null where descriptors cannot be watched. The caller holds what the descriptor belongs to, and waits for it once at a time.
        internal static Waiter Watch(int descriptor)
        {
            if (descriptor < 0) return null;
            var waiter = new Waiter();
            lock (Gate)
            {
                if (!started) Start();
                if (watch < 0) return null;
                waiter.Id = ++last;
                Waiting.Add(waiter.Id, waiter);
            }
            if (Native.scoutcs_watch_add(watch, descriptor, waiter.Id) == 0) return waiter;
            waiter.End();
            return null;
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
                for (int i = 0; i < count; i++)
                {
                    Waiter waiter;
                    lock (Gate) Waiting.TryGetValue(ids[i], out waiter);
                    waiter?.End();
                }
            }
        }
    }
}
