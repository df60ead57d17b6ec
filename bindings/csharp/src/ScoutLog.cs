using System;

namespace Scout
{
    /// <summary>A line of the library's log.</summary>
    public sealed class LogLine
    {
        internal LogLine(LogLevel level, string text)
        {
            Level = level;
            Text = text;
        }

        /// <summary>How much it matters.</summary>
        public LogLevel Level { get; }

        /// <summary>The line, without its end.</summary>
        public string Text { get; }

        /// <summary>The line.</summary>
        public override string ToString() => Text;
    }

    /// <summary>The library's log, of the whole process: silent until it is opened, then read line by line. Any thread may use
    /// it.</summary>
    public static class ScoutLog
    {
        /// <summary>Keeps the newest lines for <see cref="Next"/>. Opening again forgets what was kept.</summary>
        /// <param name="level">Lines that matter less are not made.</param>
        /// <param name="lines">How many; at most 65536. Older ones are dropped and counted in a line of their own.</param>
        public static void Open(LogLevel level, int lines = 1000)
        {
            if (lines <= 0) throw new ArgumentOutOfRangeException(nameof(lines), lines, "lines must be above 0");
            Keep(level, lines);
        }

        /// <summary>Keeps no lines any more; who waits in <see cref="Next"/> is told that there are none.</summary>
        public static void Close() => Keep(LogLevel.Error, 0);

        /// <summary>Takes the oldest line that is kept; null when there is none in time, or when the log is not open.</summary>
        /// <param name="timeout">Below zero waits without end.</param>
        public static LogLine Next(TimeSpan timeout)
        {
            var wait = new Wait(timeout);
            var room = new byte[512];
            while (true)
            {
                int level;
                ulong needed;
                IntPtr message;
                int status = Native.scoutcs_log_next(wait.Slice, out level, room, (ulong)room.Length, out needed, out message);
                if (status == (int)ScoutStatus.Limit && needed > (ulong)room.Length)
                {
                    Native.scoutcs_release(message);
                    room = new byte[checked((int)needed)];
                    continue;
                }
                Failure.Check(status, message);
                if (status == (int)ScoutStatus.Ok)
                {
                    Array.Resize(ref room, (int)needed);
                    return new LogLine((LogLevel)level, Utf8.Text(room));
                }
                if (status == (int)ScoutStatus.Done || wait.Over) return null;
            }
        }

        private static void Keep(LogLevel level, int lines)
        {
            IntPtr message;
            Failure.Check(Native.scoutcs_log_open((int)level, (ulong)lines, out message), message);
        }
    }
}
