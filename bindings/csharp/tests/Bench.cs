using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using Scout;

// What the binding costs: nanoseconds of a call that finds nothing, of an event that is taken, and tokens per second of answers read through
// one engine. Usage: Bench.exe [MODEL]
internal static class Bench
{
    private const string Prompt = "Write an email about history.";

    private static double Nanoseconds(Stopwatch clock, long count) => clock.Elapsed.TotalMilliseconds * 1e6 / count;

    private static double IdleCall(ScoutModel model)
    {
        const int Calls = 200000;
        using (Engine engine = model.CreateEngine(new EngineOptions { Mode = EngineMode.Stepped }))
        {
            Stopwatch clock = Stopwatch.StartNew();
            for (int i = 0; i < Calls; i++) engine.Next(TimeSpan.Zero);
            return Nanoseconds(clock, Calls);
        }
    }

    // Steps and reading in turn; only the reading is timed.
    private static double OneEvent(ScoutModel model)
    {
        var clock = new Stopwatch();
        long events = 0;
        using (Engine engine = model.CreateEngine(new EngineOptions { Mode = EngineMode.Stepped }))
        using (Chat chat = model.CreateChat())
        {
            chat.User(Prompt);
            List<Request> requests = Enumerable.Range(0, 32).Select(i => engine.Submit(chat, new RequestOptions { IgnoreEnd = true, MaxTokens = 64 })).ToList();
            bool more = true;
            while (more)
            {
                more = engine.Step(TimeSpan.FromMilliseconds(50));
                clock.Start();
                foreach (Request request in requests)
                    while (request.Next(TimeSpan.Zero) != null) events++;
                clock.Stop();
            }
            requests.ForEach(request => request.Dispose());
        }
        return Nanoseconds(clock, events);
    }

    private static double TokensPerSecond(ScoutModel model)
    {
        const int Count = 16;
        using (Engine engine = model.CreateEngine())
        using (Chat chat = model.CreateChat())
        {
            chat.User(Prompt);
            Stopwatch clock = Stopwatch.StartNew();
            List<Request> requests = Enumerable.Range(0, Count).Select(i => engine.Submit(chat, new RequestOptions { IgnoreEnd = true, MaxTokens = 256 })).ToList();
            for (int open = Count; open > 0;)
                if (engine.Next().IsLast) open--;
            double rate = engine.Stats.GeneratedTokens / clock.Elapsed.TotalSeconds;
            requests.ForEach(request => request.Dispose());
            return rate;
        }
    }

    private static void Main(string[] arguments)
    {
        using (ScoutModel model = ScoutModel.Load(arguments.Length > 0 ? arguments[0] : "scout-tiny"))
        {
            IdleCall(model);
            OneEvent(model);
            Console.WriteLine("C#: {0:0} ns per call that finds nothing, {1:0} ns per event, {2:0} tokens/s", IdleCall(model), OneEvent(model), TokensPerSecond(model));
        }
    }
}
