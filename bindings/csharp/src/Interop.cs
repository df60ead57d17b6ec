using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace Scout
{
    // A native handle. P/Invoke holds it for the time of a call, so that closing it under another thread's feet frees it when the last
    // call has left; the finalizer frees what was forgotten.
    internal abstract class ScoutHandle : SafeHandle
    {
        private volatile bool ended; // SafeHandle itself is not closed before the last call has left
        private volatile Watcher.Waiter waiter;

        protected ScoutHandle() : base(IntPtr.Zero, true)
        {
        }

        public override bool IsInvalid => handle == IntPtr.Zero;

        // The handle, or what C# says of a closed object.
        internal static T Open<T>(T handle, string name) where T : ScoutHandle
        {
            if (handle.Ended) throw new ObjectDisposedException(name);
            return handle;
        }

        internal bool Ended => ended || IsClosed;

        internal delegate int Telling<T>(T handle, out IntPtr message);

        // A call that ends what others wait for: does nothing to what is closed, or is being closed.
        internal static void Tell<T>(T handle, Telling<T> call) where T : ScoutHandle
        {
            if (handle.Ended) return;
            try
            {
                IntPtr message;
                Failure.Check(call(handle, out message), message);
            }
            catch (ObjectDisposedException)
            {
                // closed meanwhile
            }
        }

        // What Dispose of its owner comes to.
        internal void End()
        {
            ended = true;
            waiter?.End();
            Dispose();
        }

        // Waits until the descriptor of this handle is readable, a token is cancelled, or the handle ends. One waits at a time.
        internal async Task Readable(int descriptor, string name, CancellationToken first, CancellationToken second)
        {
            using (new Hold(this, name))
            {
                Watcher.Waiter made = Watcher.Watch(descriptor);
                if (made == null)
                {
                    await Task.Delay(1).ConfigureAwait(false); // no descriptors here: ask again and again
                    return;
                }
                waiter = made;
                if (ended) made.End();
                using (first.Register(made.End, false))
                using (second.Register(made.End, false)) await made.Task.ConfigureAwait(false);
                waiter = null;
            }
        }
    }

    // Keeps a handle from being freed while what is borrowed from it is read.
    internal struct Hold : IDisposable
    {
        private readonly ScoutHandle handle;

        internal Hold(ScoutHandle handle, string name)
        {
            bool held = false;
            ScoutHandle.Open(handle, name).DangerousAddRef(ref held);
            this.handle = handle;
        }

        internal IntPtr Pointer => handle.DangerousGetHandle();

        public void Dispose() => handle.DangerousRelease();
    }

    // One thread at a time: what is borrowed lives until the next call, so the library's own check comes too early.
    internal struct Turn : IDisposable
    {
        private readonly int[] inside;

        internal Turn(int[] inside, string what)
        {
            if (Interlocked.Exchange(ref inside[0], 1) != 0) throw new ScoutException(ScoutStatus.State, "another thread is inside this " + what);
            this.inside = inside;
        }

        public void Dispose() => Volatile.Write(ref inside[0], 0);
    }

    // Calls that fill a buffer: the size is asked for first, and again when it grew meanwhile.
    internal static class Filled
    {
        internal delegate int Fill<THandle, TItem>(THandle handle, TItem[] room, ulong capacity, out ulong needed, out IntPtr message);

        internal static int[] Ids<THandle>(THandle handle, Fill<THandle, int> fill) => All(handle, fill);

        internal static byte[] Bytes<THandle>(THandle handle, Fill<THandle, byte> fill) => All(handle, fill);

        private static TItem[] All<THandle, TItem>(THandle handle, Fill<THandle, TItem> fill)
        {
            var room = new TItem[0];
            while (true)
            {
                ulong needed;
                IntPtr message;
                int status = fill(handle, room.Length == 0 ? null : room, (ulong)room.Length, out needed, out message);
                if (status == (int)ScoutStatus.Limit && needed > (ulong)room.Length) Native.scoutcs_release(message);
                else Failure.Check(status, message);
                if (needed <= (ulong)room.Length)
                {
                    Array.Resize(ref room, (int)needed);
                    return room;
                }
                room = new TItem[checked((int)needed)];
            }
        }
    }

    // A wait, made of slices: between native calls the runtime can end a thread with the program.
    internal struct Wait
    {
        private const long SliceMs = 100;
        private readonly long timeoutMs; // below zero: without end
        private readonly long begun;

        internal Wait(TimeSpan timeout)
        {
            timeoutMs = timeout < TimeSpan.Zero ? -1 : (timeout.Ticks + TimeSpan.TicksPerMillisecond - 1) / TimeSpan.TicksPerMillisecond;
            begun = timeoutMs > 0 ? Stopwatch.GetTimestamp() : 0;
        }

        internal long Slice => timeoutMs < 0 ? SliceMs : Math.Min(SliceMs, Left);

        internal bool Over => timeoutMs >= 0 && Left == 0;

        private long Left => timeoutMs == 0 ? 0 : Math.Max(0, timeoutMs - (Stopwatch.GetTimestamp() - begun) * 1000 / Stopwatch.Frequency);
    }

    // Failures, with the message that came out of the same native call.
    internal static class Failure
    {
        internal static ScoutStatus Check(int status, IntPtr message)
        {
            if (status < 0) throw Of(status, message);
            return (ScoutStatus)status;
        }

        // Of a call that makes something, or says why not now.
        internal static void CheckMade(int status, IntPtr message)
        {
            if (status != 0) throw Of(status, message);
        }

        private static unsafe ScoutException Of(int status, IntPtr message)
        {
            string text = message == IntPtr.Zero ? ScoutLibrary.Describe((ScoutStatus)status) : Utf8.Text((byte*)message); // zero: no memory
            Native.scoutcs_release(message);
            return new ScoutException((ScoutStatus)status, text);
        }
    }

    // Strings as the library takes and gives them. A surrogate without its other half, and a byte that is not UTF-8, become U+FFFD.
    internal static unsafe class Utf8
    {
        private static readonly Encoding Encoding = new UTF8Encoding(false, false);

        internal static byte[] Bytes(string text, string name)
        {
            if (text == null) throw new ArgumentNullException(name);
            return Encoding.GetBytes(text);
        }

        // With a NUL behind it; refused when there is one inside.
        internal static byte[] Terminated(string text, string name)
        {
            byte[] bytes = Bytes(text, name);
            int nul = Array.IndexOf(bytes, (byte)0);
            if (nul >= 0) throw new ArgumentException(name + " has a NUL at byte " + nul + ", where the library ends it", name);
            Array.Resize(ref bytes, bytes.Length + 1);
            return bytes;
        }

        internal static string Text(byte[] bytes) => Encoding.GetString(bytes);

        internal static string Text(byte* bytes, ulong size) => size == 0 ? "" : Encoding.GetString(bytes, checked((int)size));

        internal static string Text(byte* bytes)
        {
            if (bytes == null) return "";
            ulong size = 0;
            while (bytes[size] != 0) size++;
            return Text(bytes, size);
        }
    }

    // Copies out of and into native memory.
    internal sealed unsafe class Memory : IDisposable
    {
        private readonly List<IntPtr> blocks = new List<IntPtr>();
        private readonly List<Hold> holds = new List<Hold>();

        internal static int[] Ints(int* from, ulong count)
        {
            int[] made = new int[checked((int)count)];
            for (int i = 0; i < made.Length; i++) made[i] = from[i]; // an event's few ids: less than a call
            return made;
        }

        internal static long[] Longs(long* from, ulong count)
        {
            long[] made = new long[checked((int)count)];
            if (made.Length != 0) Marshal.Copy((IntPtr)from, made, 0, made.Length);
            return made;
        }

        internal static float[] Floats(float* from, ulong count)
        {
            if (from == null) return null;
            float[] made = new float[checked((int)count)];
            if (made.Length != 0) Marshal.Copy((IntPtr)from, made, 0, made.Length);
            return made;
        }

        internal static byte[] Bytes(IntPtr from, ulong count)
        {
            byte[] made = new byte[checked((int)count)];
            if (made.Length != 0) Marshal.Copy(from, made, 0, made.Length);
            return made;
        }

        internal static int[] Array(IEnumerable<int> ids, string name)
        {
            if (ids == null) throw new ArgumentNullException(name);
            return ids as int[] ?? ids.ToArray();
        }

        // What a call of the library reads, until this is disposed.
        private IntPtr Room(int bytes)
        {
            IntPtr block = Marshal.AllocHGlobal(Math.Max(bytes, 1));
            blocks.Add(block);
            return block;
        }

        internal byte* Copy(byte[] from)
        {
            IntPtr to = Room(from.Length);
            Marshal.Copy(from, 0, to, from.Length);
            return (byte*)to;
        }

        internal int* Copy(int[] from)
        {
            IntPtr to = Room(sizeof(int) * from.Length);
            Marshal.Copy(from, 0, to, from.Length);
            return (int*)to;
        }

        internal long* Copy(long[] from)
        {
            IntPtr to = Room(sizeof(long) * from.Length);
            Marshal.Copy(from, 0, to, from.Length);
            return (long*)to;
        }

        internal float* Copy(float[] from)
        {
            IntPtr to = Room(sizeof(float) * from.Length);
            Marshal.Copy(from, 0, to, from.Length);
            return (float*)to;
        }

        internal byte** Copy(byte[][] from)
        {
            byte** to = (byte**)Room(sizeof(byte*) * from.Length);
            for (int i = 0; i < from.Length; i++) to[i] = Copy(from[i]);
            return to;
        }

        // Handles of pictures, kept until this is disposed.
        internal IntPtr* Hold(ICollection<ScoutImage> images, string name)
        {
            if (images.Count == 0) return null;
            IntPtr* to = (IntPtr*)Room(sizeof(IntPtr) * images.Count);
            int count = 0;
            foreach (ScoutImage image in images)
            {
                if (image == null) throw new ArgumentNullException(name);
                var held = new Hold(image.Handle, nameof(ScoutImage));
                holds.Add(held);
                to[count++] = held.Pointer;
            }
            return to;
        }

        public void Dispose()
        {
            foreach (Hold hold in holds) hold.Dispose();
            holds.Clear();
            foreach (IntPtr block in blocks) Marshal.FreeHGlobal(block);
            blocks.Clear();
        }
    }
}
