using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Scout;
using static Suite;

// Threads that share things, and what ends their waits.
internal static class Threads
{
    private static ScoutModel Model => Shared.Model;

    public static void TwoInOneRequest()
    {
        using (Request request = Model.Generate(Shared.Question, Shared.Endless()))
        {
            var told = new ConcurrentQueue<string>();
            Thread[] threads = Enumerable.Range(0, 4).Select(_ => new Thread(() =>
            {
                for (int i = 0; i < 50; i++)
                {
                    try
                    {
                        request.Next(TimeSpan.FromMilliseconds(2));
                    }
                    catch (ScoutException error)
                    {
                        told.Enqueue(error.Message);
                    }
                }
            })).ToArray();
            foreach (Thread thread in threads) thread.Start();
            foreach (Thread thread in threads) thread.Join();
            foreach (string message in told) Same("message", "another thread is inside this request", message);
        }
    }

    public static void EachReadsItsOwnMessage()
    {
        var wrong = new ConcurrentQueue<string>();
        using (new Collecting())
        {
            Thread[] threads = Enumerable.Range(0, 8).Select(index => new Thread(() =>
            {
                for (int i = 0; i < 50; i++)
                {
                    string name = "file-" + index + "-" + i;
                    string message = Throws<ScoutException>(() => ScoutModel.Load("no/such/" + name)).Message;
                    if (!message.Contains(name)) wrong.Enqueue(message);
                }
            })).ToArray();
            foreach (Thread thread in threads) thread.Start();
            foreach (Thread thread in threads) thread.Join();
        }
        Same("wrong messages", new string[0], wrong);
    }

    public static void CancellingFromAnother()
    {
        using (var source = new CancellationTokenSource())
        {
            var events = new List<Event>();
            var error = Throws<OperationCanceledException>(() =>
            {
                foreach (Event e in Model.Generate(Shared.Question, Shared.Endless(), source.Token))
                {
                    events.Add(e);
                    if (events.Count == 3) new Thread(source.Cancel).Start();
                }
            });
            True("events came first", events.Count >= 3);
            Same("token", true, error.CancellationToken == source.Token);
        }
    }

    public static void CollectingWhileManyAnswer()
    {
        var answers = new ConcurrentQueue<string>();
        using (var collecting = new Collecting())
        {
            Thread[] threads = Enumerable.Range(0, 8).Select(_ => new Thread(() =>
            {
                for (int i = 0; i < 12; i++)
                {
                    using (Engine engine = i % 4 == 0 ? Model.CreateEngine() : null)
                    using (Chat chat = Model.CreateChat())
                    using (Request request = engine == null ? Model.Generate(Shared.Question) : engine.Submit(chat.User(Shared.Question)))
                        answers.Enqueue(string.Concat(request.Select(e => e.Text)));
                    Model.Generate(Shared.Question, Shared.Endless()).Next(); // forgotten
                    if (i % 4 == 1) Model.CreateEngine(new EngineOptions { Mode = EngineMode.Stepped }).Submit(new[] { 1, 2 }); // with its engine
                }
            })).ToArray();
            foreach (Thread thread in threads) thread.Start();
            foreach (Thread thread in threads) thread.Join();
            True("garbage was collected meanwhile", collecting.Collections > 0);
        }
        Same("answers", Enumerable.Repeat(Shared.Answer, 96), answers);
    }
}

internal static class Cancellation
{
    private static ScoutModel Model => Shared.Model;

    public static void OfATokenBeforeTheCall()
    {
        var token = new CancellationToken(true);
        Throws<OperationCanceledException>(() => Model.Generate("Hi", token));
        Throws<OperationCanceledException>(() => ScoutModel.Load("scout-tiny", null, token));
        using (Engine engine = Model.CreateEngine()) Throws<OperationCanceledException>(() => engine.Next(token));
    }

    public static void LeavingALoopCancels()
    {
        using (Request request = Model.Generate(Shared.Question, Shared.Endless()))
        {
            foreach (Event unused in request) break;
            Event last = null;
            Shared.Soon("the rest", () => { for (Event e; (e = request.Next()) != null;) last = e; });
            Same("stop", StopReason.Cancelled, last.Stop);
        }
    }

    public static void OfAnEnginesWait()
    {
        using (Engine engine = Model.CreateEngine())
        using (var source = new CancellationTokenSource(30))
            Shared.Soon("the wait", () => Throws<OperationCanceledException>(() => engine.Next(source.Token)));
    }

    public static void OfTasks()
    {
        using (Request request = Model.Generate(Shared.Question, Shared.Endless()))
        using (var source = new CancellationTokenSource())
        {
            Task<string> rest = request.ReadToEndAsync(source.Token);
            source.CancelAfter(30);
            Throws<OperationCanceledException>(() => Shared.Soon(rest));
        }
        using (Engine engine = Model.CreateEngine())
        using (var source = new CancellationTokenSource(30))
            Throws<OperationCanceledException>(() => Shared.Soon(engine.NextAsync(source.Token)));
    }
}

internal static class Tasks
{
    private static ScoutModel Model => Shared.Model;

    public static void ManyMoreStreamsThanThreads()
    {
        using (Engine engine = Model.CreateEngine(new EngineOptions { MaxRunning = 8 }))
        using (Chat chat = Model.CreateChat())
        {
            chat.User(Shared.Question);
            Request[] requests = Enumerable.Range(0, 150).Select(_ => engine.Submit(chat)).ToArray();
            string[] answers = Shared.Soon(Task.WhenAll(requests.Select(request => request.ReadToEndAsync())));
            Same("answers", Enumerable.Repeat(Shared.Answer, 150), answers);
            foreach (Request request in requests) request.Dispose();
        }
    }

    public static void Scoring()
    {
        using (Engine engine = Model.CreateEngine())
        using (Scores scores = engine.Score(Model.Encode("Hello there.")))
        {
            int rows = 0;
            for (ScoreBlock block; (block = Shared.Soon(scores.NextAsync())) != null;) rows += block.Positions.Count;
            Same("rows", Model.Encode("Hello there.").Length, rows);
        }
        using (Engine engine = Model.CreateEngine(new EngineOptions { Mode = EngineMode.Stepped })) // nothing comes without a step
        using (Scores scores = engine.Score(Model.Encode("Hello there.")))
        using (var source = new CancellationTokenSource(30))
            Throws<OperationCanceledException>(() => Shared.Soon(scores.NextAsync(source.Token)));
    }

    public static void OneThreadWaitsForAll()
    {
        using (Engine engine = Model.CreateEngine(new EngineOptions { Mode = EngineMode.Stepped }))
        {
            Request[] requests = Enumerable.Range(0, 100).Select(_ => engine.Submit(Shared.Question)).ToArray();
            int before = System.Diagnostics.Process.GetCurrentProcess().Threads.Count;
            Task<string>[] answers = requests.Select(request => request.ReadToEndAsync()).ToArray();
            True("threads do not grow with what waits", System.Diagnostics.Process.GetCurrentProcess().Threads.Count < before + 50);
            while (engine.Step(TimeSpan.FromMilliseconds(20))) Thread.Yield();
            while (answers.Any(answer => !answer.IsCompleted)) engine.Step(TimeSpan.Zero);
            Same("answers", Enumerable.Repeat(Shared.Answer, 100), Shared.Soon(Task.WhenAll(answers)));
            foreach (Request request in requests) request.Dispose();
        }
    }

    public static void AWholeAnswer() => Same("answer", Shared.Answer, Shared.Soon(Model.GenerateTextAsync(Shared.Question)));

    public static void EventsOfAnEngine()
    {
        using (Engine engine = Model.CreateEngine())
        using (engine.Submit(Shared.Question, new RequestOptions { Tag = 7 }))
        {
            string text = "";
            for (Event e = null; e == null || !e.IsLast; text += e.Text)
            {
                e = Shared.Soon(engine.NextAsync());
                Same("tag", 7, e.Tag);
            }
            Same("text", Shared.Answer, text);
        }
    }

    public static void AnEngineIsClosedUnderAWait()
    {
        Engine engine = Model.CreateEngine();
        Task<Event> next = engine.NextAsync();
        engine.Dispose();
        Throws<ObjectDisposedException>(() => Shared.Soon(next));
    }

    public static void WhatIsAwaitedIsClosed()
    {
        using (Engine engine = Model.CreateEngine(new EngineOptions { Mode = EngineMode.Stepped })) // nothing comes without a step
        {
            Request request = engine.Submit(Shared.Question);
            Scores scores = engine.Score(new[] { 1, 2, 3 });
            Task<Event> next = request.NextAsync();
            Task<ScoreBlock> block = scores.NextAsync();
            request.Dispose();
            scores.Dispose();
            try
            {
                Shared.Soon(next);
            }
            catch (ObjectDisposedException)
            {
            }
            try
            {
                Shared.Soon(block);
            }
            catch (ObjectDisposedException)
            {
            }
            catch (ScoutException error)
            {
                Same("status", ScoutStatus.Cancelled, error.Status);
            }
        }
    }

    public static void Loading()
    {
        var seen = new ConcurrentQueue<LoadProgress>();
        using (ScoutModel model = Shared.Soon(ScoutModel.LoadAsync("scout-tiny", null, new Reporter(seen.Enqueue)))) Same("answer", Shared.Answer, Ask(model, Shared.Question));
        True("progress was told", seen.Count > 0 && seen.Last().DoneBytes == seen.Last().TotalBytes && seen.Last().TotalBytes > 0);
        Same("status", ScoutStatus.IO, Throws<ScoutException>(() => Shared.Soon(ScoutModel.LoadAsync("no/such/file"))).Status);
    }

    private sealed class Reporter : IProgress<LoadProgress>
    {
        private readonly Action<LoadProgress> report;

        internal Reporter(Action<LoadProgress> report)
        {
            this.report = report;
        }

        public void Report(LoadProgress value) => report(value);
    }

#if NETSTANDARD2_1_OR_GREATER || NETCOREAPP3_0_OR_GREATER
    // What `await foreach` does, written out: the compiler here knows C# 7.
    private static async Task<string> All(IAsyncEnumerable<Event> events, int most, CancellationToken cancel)
    {
        string text = "";
        IAsyncEnumerator<Event> at = events.GetAsyncEnumerator(cancel);
        try
        {
            for (int i = 0; i < most && await at.MoveNextAsync(); i++) text += at.Current.Text;
        }
        finally
        {
            await at.DisposeAsync();
        }
        return text;
    }

    public static void AsyncEnumerables()
    {
        Same("answer", Shared.Answer, Shared.Soon(All(Model.GenerateAsync(Shared.Question), int.MaxValue, CancellationToken.None)));
        using (Request request = Model.Generate(Shared.Question, Shared.Endless()))
        {
            Shared.Soon(All(request.ReadAllAsync(), 3, CancellationToken.None));
            Same("left early: stop", StopReason.Cancelled, request.ToList().Last().Stop);
        }
        using (var source = new CancellationTokenSource(30))
            Throws<OperationCanceledException>(() => Shared.Soon(All(Model.GenerateAsync(Shared.Question, Shared.Endless()), int.MaxValue, source.Token)));
    }
#endif
}
