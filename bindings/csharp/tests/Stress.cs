using System;
using System.Collections.Concurrent;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using Scout;

// Many threads on one model while a loop collects, and what grows. Usage: Stress.exe THREADS LOOPS
internal static class Stress
{
    private static ScoutModel model;
    private static string expected;

    private static RequestOptions Few() => new RequestOptions { MaxTokens = 4 };

    private static readonly Action<int>[] Kinds = { Chat, Answer, Leave, Text, Failure, AnEngine, APicture };

    private static long Resident()
    {
        for (int i = 0; i < 4; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        return long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize;
    }

    private static void EndsClosed(Action reading)
    {
        try
        {
            reading();
        }
        catch (ObjectDisposedException)
        {
            // closed under the reader, as it should be
        }
    }

    private static void Chat(int i)
    {
        using (Chat chat = model.CreateChat())
        {
            chat.User("Hello " + i);
            if (chat.Tokens.Count < 5) throw new Mismatch("a chat is short");
        }
    }

    private static void Answer(int i)
    {
        using (Request request = model.Generate("Hello!", Few())) Suite.Same("answer", expected, request.ReadToEnd());
    }

    private static void Leave(int i)
    {
        Request request = model.Generate("Hello!", new RequestOptions { IgnoreEnd = true, MaxTokens = 4000 });
        request.Next();
        if (i % 4 == 2)
        {
            request.Cancel();
            return; // forgotten
        }
        var closing = new Thread(request.Dispose);
        closing.Start();
        EndsClosed(() =>
        {
            while (request.Next() != null)
            {
            }
        });
        closing.Join();
    }

    private static void Text(int i)
    {
        string given = "a\0b " + i + " \u00e9";
        Suite.Same("text", given, model.Decode(model.Encode(given)));
    }

    private static void Failure(int i)
    {
        string name = "no/such/file-" + Thread.CurrentThread.ManagedThreadId + "-" + i;
        ScoutException error = Suite.Throws<ScoutException>(() => ScoutModel.Load(name));
        Suite.Same("status", ScoutStatus.IO, error.Status);
        if (!error.Message.Contains(name)) throw new Mismatch("another thread's message: " + error.Message);
    }

    private static void APicture(int i)
    {
        ScoutImage image = Pictures.Picture(new[] { 40, 30, 3, i });
        if (image.Tile(0, new TileOptions { TileSide = 16 }).Length != 768) throw new Mismatch("a tile is short");
        if (i % 2 == 0) return; // forgotten
        var closing = new Thread(image.Dispose);
        closing.Start();
        EndsClosed(() =>
        {
            while (true) image.Tile(0, new TileOptions { TileSide = 8 });
        });
        closing.Join();
    }

    private static void AnEngine(int i)
    {
        Engine engine = model.CreateEngine(new EngineOptions { Context = 256 });
        using (Request request = engine.Submit("Hello!", Few()))
        {
            Scores scores = engine.ScoreLogits(new[] { 1, 2, 3 });
            if (i % 24 != 5) scores.Dispose(); // a few are forgotten: the collector does not feel what they hold
            if (engine.Next() == null) throw new Mismatch("no event");
            var closing = new Thread(engine.Dispose);
            closing.Start();
            EndsClosed(() =>
            {
                while (engine.Next(TimeSpan.FromMilliseconds(1)) != null)
                {
                }
            });
            closing.Join();
        }
    }

    private static void Together(int threads, int from, int to, ConcurrentQueue<Exception> wrong)
    {
        Thread[] workers = Enumerable.Range(0, threads).Select(shift => new Thread(() =>
        {
            try
            {
                for (int i = from + shift; i < to + shift; i++) Kinds[i % Kinds.Length](i);
            }
            catch (Exception error)
            {
                wrong.Enqueue(error);
            }
        })).ToArray();
        foreach (Thread worker in workers) worker.Start();
        foreach (Thread worker in workers) worker.Join();
    }

    public static int Main(string[] arguments)
    {
        int threads = int.Parse(arguments[0], CultureInfo.InvariantCulture), loops = int.Parse(arguments[1], CultureInfo.InvariantCulture);
        var wrong = new ConcurrentQueue<Exception>();
        long grown;
        using (model = ScoutModel.Load("scout-tiny"))
        using (new Suite.Collecting())
        {
            using (Request first = model.Generate("Hello!", Few())) expected = first.ReadToEnd();
            Together(threads, 0, loops / 2, wrong);
            long before = Resident();
            Together(threads, loops / 2, loops, wrong);
            grown = Resident() - before;
        }
        foreach (Exception error in wrong.Take(3)) Console.WriteLine("FAILED " + error);
        Console.WriteLine("C#: {0} threads, {1} loops, {2} bytes grown in the second half, {3} failed", threads, threads * loops, grown, wrong.Count);
        return wrong.IsEmpty && grown <= 512 << 20 ? 0 : 1;
    }
}
