using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using Scout;

// What README.md says, in C#. Usage: Overhead REQUESTS TOKENS ROUNDS
internal static class Overhead
{
    private const string Prompt = "Write an email about history.";
    private static long bytes;
    private static int events;

    private static List<Request> Ask(Engine engine, int count, RequestOptions options) =>
        Enumerable.Range(0, count).Select(i => engine.Submit(Prompt, options)).ToList();

    // Tokens per second, and per second of the processor: the best so far.
    private sealed class Rate
    {
        private double most, ofProcessor;

        internal void Run(Func<long> work)
        {
            TimeSpan used = Process.GetCurrentProcess().TotalProcessorTime;
            Stopwatch clock = Stopwatch.StartNew();
            long tokens = work();
            most = Math.Max(most, tokens / clock.Elapsed.TotalSeconds);
            double processor = (Process.GetCurrentProcess().TotalProcessorTime - used).TotalSeconds;
            if (processor > 0) ofProcessor = Math.Max(ofProcessor, tokens / processor);
        }

        internal void Print(string name)
        {
            Overhead.Print(name, most);
            Overhead.Print(name + "_processor", ofProcessor);
        }
    }

    private static long Many(ScoutModel model, int count, RequestOptions options)
    {
        long tokens = 0;
        using (Engine engine = model.CreateEngine())
        {
            List<Request> requests = Ask(engine, count, options);
            for (int open = count; open > 0;)
            {
                Event e = engine.Next();
                bytes += e.Text.Length;
                tokens += e.Ids.Count;
                if (e.IsLast) open--;
            }
            requests.ForEach(request => request.Dispose());
        }
        return tokens;
    }

    private static long One(ScoutModel model, int count, RequestOptions options)
    {
        long tokens = 0;
        for (int i = 0; i < count; i++)
            foreach (Event e in model.Generate(Prompt, options))
            {
                bytes += e.Text.Length;
                tokens += e.Ids.Count;
            }
        return tokens;
    }

    // All events are ready before the clock starts, so that only the calls are timed.
    private static double EventCost(ScoutModel model, int count, RequestOptions options)
    {
        using (Engine engine = model.CreateEngine(new EngineOptions { Mode = EngineMode.Stepped }))
        {
            List<Request> requests = Ask(engine, count, options);
            while (engine.Step(TimeSpan.FromSeconds(1))) { }
            events = 0;
            Stopwatch clock = Stopwatch.StartNew();
            for (Event e = engine.Next(TimeSpan.Zero); e != null; e = engine.Next(TimeSpan.Zero))
            {
                bytes += e.Text.Length;
                events++;
            }
            double cost = clock.Elapsed.TotalMilliseconds * 1e6 / events;
            requests.ForEach(request => request.Dispose());
            return cost;
        }
    }

    private static void Print(string what, double value) => Console.WriteLine("{0} {1}", what, value.ToString("F1", CultureInfo.InvariantCulture));

    private static void Main(string[] arguments)
    {
        int[] given = arguments.Select(int.Parse).ToArray();
        var options = new RequestOptions { IgnoreEnd = true, MaxTokens = given[1] };
        using (ScoutModel model = ScoutModel.Load("scout-tiny", new LoadOptions { Threads = 1 }))
        {
            Print("event", Enumerable.Range(0, given[2]).Select(i => EventCost(model, 64, options)).ToList().Min());
            Rate together = new Rate(), alone = new Rate();
            for (int i = 0; i < given[2]; i++)
            {
                together.Run(() => Many(model, given[0], options));
                alone.Run(() => One(model, (given[0] + 4) / 5, options));
            }
            together.Print("many");
            alone.Print("one");
            Console.WriteLine("events {0}\nbytes {1}", events, bytes);
        }
    }
}
