using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using Scout;

// What was expected and what came.
internal sealed class Mismatch : Exception
{
    internal Mismatch(string what) : base(what)
    {
    }
}

// Why the library of this build cannot show a case.
internal sealed class NotApplicable : Exception
{
    internal NotApplicable(string why) : base(why)
    {
    }
}

// One case of the list: the values of each key, in order.
internal sealed class Case
{
    internal readonly string Name;
    internal readonly Dictionary<string, List<string>> Values = new Dictionary<string, List<string>>();

    internal Case(string name)
    {
        Name = name;
    }

    internal bool Has(string key) => Values.ContainsKey(key);

    internal List<string> All(string key) => Has(key) ? Values[key] : new List<string>();

    internal string One(string key)
    {
        if (!Has(key)) throw new Mismatch("the case has no " + key);
        return Values[key][0];
    }

    internal int Number(string key) => int.Parse(One(key), CultureInfo.InvariantCulture);

    internal string Text(string key) => Suite.Utf8(Suite.Unescape(One(key)));

    internal int[] Ints(string key) => Words(key).Select(word => int.Parse(word, CultureInfo.InvariantCulture)).ToArray();

    internal double[] Doubles(string key) => Words(key).Select(word => double.Parse(word, CultureInfo.InvariantCulture)).ToArray();

    private IEnumerable<string> Words(string key) => One(key).Split(new[] { ' ' }, StringSplitOptions.RemoveEmptyEntries);
}

// What the tests read and compare with.
internal static class Suite
{
    internal static List<Case> Read(string list)
    {
        var cases = new List<Case>();
        foreach (string line in File.ReadAllLines(list, Encoding.ASCII))
        {
            int space = line.IndexOf(' ');
            string key = space < 0 ? line : line.Substring(0, space);
            string value = space < 0 ? "" : line.Substring(space + 1);
            if (line.Length == 0 || line[0] == '#' || (key == "model" && cases.Count == 0)) continue;
            if (key == "case")
            {
                cases.Add(new Case(value));
                continue;
            }
            Case last = cases[cases.Count - 1];
            if (!last.Has(key)) last.Values[key] = new List<string>();
            last.Values[key].Add(value);
        }
        return cases;
    }

    internal static byte[] Unescape(string text)
    {
        var bytes = new List<byte>();
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\')
            {
                bytes.Add((byte)text[i]);
                continue;
            }
            bytes.Add(byte.Parse(text.Substring(i + 2, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
            i += 3;
        }
        return bytes.ToArray();
    }

    internal static string Utf8(byte[] bytes) => new UTF8Encoding(false).GetString(bytes);

    private static string Show(object value)
    {
        var list = value as IEnumerable;
        if (list == null || value is string) return value == null ? "nothing" : Convert.ToString(value, CultureInfo.InvariantCulture);
        return "[" + string.Join(", ", list.Cast<object>().Select(Show)) + "]";
    }

    internal static void Same(string what, object expected, object found)
    {
        if (Show(expected) != Show(found)) throw new Mismatch(what + ": expected " + Show(expected) + ", found " + Show(found));
    }

    internal static void True(string what, bool found)
    {
        if (!found) throw new Mismatch(what + " is not so");
    }

    internal static void Near(string what, IList<double> expected, IList<float> found, double tolerance)
    {
        Same(what + ", their number", expected.Count, found.Count);
        for (int i = 0; i < expected.Count; i++)
        {
            if (!(Math.Abs(expected[i] - found[i]) <= tolerance)) throw new Mismatch(what + " " + i + ": expected " + expected[i] + ", found " + found[i]);
        }
    }

    internal static T Throws<T>(Action call) where T : Exception
    {
        try
        {
            call();
        }
        catch (T error)
        {
            return error;
        }
        throw new Mismatch("expected " + typeof(T).Name + ", nothing was thrown");
    }

    // A closed object's ObjectDisposedException is what C# says for STATE.
    internal static void Fails(Case c, Action call)
    {
        try
        {
            call();
        }
        catch (ObjectDisposedException)
        {
            Same("status", c.Number("status"), (int)ScoutStatus.State);
            return;
        }
        catch (ScoutException error)
        {
            Same("status", c.Number("status"), (int)error.Status);
            string names = c.Has("names") ? c.Text("names") : "";
            if (!error.Message.Contains(names)) throw new Mismatch("the message \"" + error.Message + "\" does not contain \"" + names + "\"");
            return;
        }
        throw new Mismatch("expected status " + c.One("status") + ", nothing was thrown");
    }

    private static float Real(string text) => text == "-inf" ? float.NegativeInfinity : float.Parse(text, CultureInfo.InvariantCulture);

    internal static RequestOptions Options(Case c)
    {
        var made = new RequestOptions();
        foreach (string line in c.All("option"))
        {
            string[] part = line.Split(new[] { ' ' }, 2);
            string value = part.Length > 1 ? part[1] : "";
            switch (part[0])
            {
                case "temperature": made.Temperature = Real(value); break;
                case "top_p": made.TopP = Real(value); break;
                case "seed": made.Seed = ulong.Parse(value, CultureInfo.InvariantCulture); break;
                case "max_tokens": made.MaxTokens = long.Parse(value, CultureInfo.InvariantCulture); break;
                case "frequency_penalty": made.FrequencyPenalty = Real(value); break;
                case "logprobs": made.Logprobs = true; break;
                case "top_logprobs": made.TopLogprobs = int.Parse(value, CultureInfo.InvariantCulture); break;
                case "ignore_end": made.IgnoreEnd = true; break;
                case "include_special": made.IncludeSpecial = true; break;
                case "raw": made.Raw = true; break;
                case "stop": made.Stop.Add(Utf8(Unescape(value))); break;
                case "stop_tokens":
                    foreach (string id in value.Split(' ')) made.StopTokens.Add(int.Parse(id, CultureInfo.InvariantCulture));
                    break;
                case "bias": made.Bias[int.Parse(value.Split(' ')[0], CultureInfo.InvariantCulture)] = Real(value.Split(' ')[1]); break;
                default: throw new Mismatch("unknown option " + part[0]);
            }
        }
        return made;
    }

    internal static EngineOptions EngineOptions(Case c)
    {
        var made = new EngineOptions();
        foreach (string[] part in c.All("engine_option").Select(line => line.Split(' ')))
        {
            int value = int.Parse(part[1], CultureInfo.InvariantCulture);
            switch (part[0])
            {
                case "context": made.Context = value; break;
                case "max_waiting": made.MaxWaiting = value; break;
                case "max_running": made.MaxRunning = value; break;
                default: throw new Mismatch("unknown engine option " + part[0]);
            }
        }
        return made;
    }

    internal static LoadOptions LoadOptions(Case c)
    {
        var made = new LoadOptions();
        foreach (string[] part in c.All("load_option").Select(line => line.Split(' ')))
        {
            switch (part[0])
            {
                case "device": made.Device = part[1]; break;
                case "context": made.Context = long.Parse(part[1], CultureInfo.InvariantCulture); break;
                case "memory_limit_bytes": made.MemoryLimitBytes = ulong.Parse(part[1], CultureInfo.InvariantCulture); break;
                default: throw new Mismatch("unknown load option " + part[0]);
            }
        }
        return made;
    }

    // All events, held to the rules of every answer.
    internal static List<Event> ReadAll(Request request)
    {
        var events = new List<Event>();
        foreach (Event e in request)
        {
            if (events.Count != 0 && events[events.Count - 1].IsLast) throw new Mismatch("an event after the last");
            for (int i = 0; i < e.Text.Length; i++)
            {
                if (char.IsHighSurrogate(e.Text[i]) && ++i < e.Text.Length && char.IsLowSurrogate(e.Text[i])) continue;
                if (i == e.Text.Length || char.IsSurrogate(e.Text[i])) throw new Mismatch("an event's text cuts a character");
            }
            events.Add(e);
        }
        if (events.Count == 0 || !events[events.Count - 1].IsLast) throw new Mismatch("no last event");
        Same("after the end", null, request.Next(TimeSpan.Zero));
        Same("ids of the events", request.Ids, events.SelectMany(e => e.Ids));
        True("done", request.Done && request.Last == events[events.Count - 1]);
        return events;
    }

    internal static string TextOf(IEnumerable<Event> events) => string.Concat(events.Select(e => e.Text));

    internal static string Ask(ScoutModel model, string prompt)
    {
        using (Request request = model.Generate(prompt)) return request.ReadToEnd();
    }

    internal static long ResidentBytes() => long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1], CultureInfo.InvariantCulture) * 4096;

    internal static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }

    // A second thread that collects all the time, as long as this is not disposed.
    internal sealed class Collecting : IDisposable
    {
        private readonly Thread thread;
        private volatile bool stop;

        internal Collecting()
        {
            thread = new Thread(Run) { IsBackground = true };
            thread.Start();
        }

        internal int Collections { get; private set; }

        private void Run()
        {
            for (; !stop; Collections++)
            {
                GC.Collect(Collections % 8 == 0 ? GC.MaxGeneration : 0);
                Thread.Sleep(2);
            }
        }

        public void Dispose()
        {
            stop = true;
            thread.Join();
        }
    }
}
