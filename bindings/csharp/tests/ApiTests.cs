using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;
using Scout;
using static Suite;

// Closing, threads, tokens and tasks: what C# users expect, and that nothing of it ends the process. Each static method of these classes is a
// test. Usage: ApiTests.exe abi.golden [PART_OF_A_NAME]
internal static class Shared
{
    internal const string Question = "What is 7 plus 5?", Answer = "7 + 5 = 12.";
    internal static ScoutModel Model;
    internal static string Golden;

    internal static RequestOptions Endless() => new RequestOptions { IgnoreEnd = true };

    // Runs what must end soon; a hang is a failure, not a hang of the test.
    internal static void Soon(string what, Action call)
    {
        var thread = new Thread(() => call()) { IsBackground = true };
        thread.Start();
        if (!thread.Join(TimeSpan.FromSeconds(60))) throw new Mismatch(what + " does not end");
    }

    internal static T Soon<T>(Task<T> task)
    {
        if (!Task.WhenAny(task, Task.Delay(TimeSpan.FromSeconds(60))).Result.Equals(task)) throw new Mismatch("a task does not end");
        return task.GetAwaiter().GetResult();
    }
}

internal static class Closing
{
    private static ScoutModel Model => Shared.Model;

    public static void TwiceDoesNothing()
    {
        Engine engine = Model.CreateEngine();
        var things = new IDisposable[]
        {
            ScoutModel.Load("scout-tiny"), engine, Model.CreateChat(), engine.Submit(Model.Encode("Hi")), engine.Score(new[] { 1, 2, 3 }),
            ScoutModel.StartLoad("scout-tiny"),
        };
        for (int i = 0; i < 2; i++)
            foreach (IDisposable thing in things) thing.Dispose();
    }

    public static void AClosedObjectSaysWhatItWas()
    {
        Chat chat = Model.CreateChat();
        Request request = Model.Generate("Hi");
        chat.Dispose();
        request.Dispose();
        Same("name", "Chat", Throws<ObjectDisposedException>(() => chat.User("Hi")).ObjectName);
        Same("name", "Request", Throws<ObjectDisposedException>(() => request.Next()).ObjectName);
        Same("name", "Request", Throws<ObjectDisposedException>(() => Soon(request)).ObjectName);
        request.Cancel();
    }

    private static void Soon(Request request) => Shared.Soon(request.NextAsync());

    public static void ParentsFirst()
    {
        ScoutModel model = ScoutModel.Load("scout-tiny");
        Engine engine = model.CreateEngine();
        Chat chat = model.CreateChat().User(Shared.Question);
        Request request = engine.Submit(chat);
        Scores scores = engine.Score(model.Encode("Hello there."));
        model.Dispose();
        Same("answer", Shared.Answer, request.ReadToEnd());
        True("scores come", scores.Sum(block => block.Positions.Count) > 0);
        engine.Dispose();
        chat.User("More");
        chat.Dispose();
        request.Dispose();
        scores.Dispose();
    }

    public static void AnEngineThatGoesEndsItsRequests()
    {
        Engine engine = Model.CreateEngine();
        using (Request request = engine.Submit(Model.Encode("Hi"), Shared.Endless()))
        {
            request.Next();
            engine.Dispose();
            Same("stop", StopReason.Cancelled, request.ToList().Last().Stop);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Forget(Engine engine)
    {
        for (int i = 0; i < 8; i++) engine.Submit(Model.Encode("Hi"), Shared.Endless());
    }

    private static void OnAnotherThread(Action call)
    {
        var thread = new Thread(() => call()); // whose stack keeps nothing alive afterwards
        thread.Start();
        thread.Join();
    }

    public static void ForgottenRequestsAreFreed()
    {
        using (Engine engine = Model.CreateEngine(new EngineOptions { Mode = EngineMode.Stepped }))
        {
            OnAnotherThread(() => Forget(engine));
            True("they run", engine.Stats.Waiting + engine.Stats.Running == 8);
            for (int i = 0; i < 100 && engine.Stats.Waiting + engine.Stats.Running != 0; i++)
            {
                OnAnotherThread(Collect);
                engine.Step(TimeSpan.Zero);
            }
            Same("left", 0, engine.Stats.Waiting + engine.Stats.Running);
        }
    }

    private static void EnumerateOne()
    {
        foreach (Event e in Model.CreateEngine().Submit(Model.Encode("Hi"), new RequestOptions { IgnoreEnd = true, MaxTokens = 64 }))
        {
            Collect();
            if (e.IsLast) Same("an engine that nobody holds goes on: stop", StopReason.Length, e.Stop);
        }
    }

    public static void WhatIsReadKeepsItsEngine() => OnAnotherThread(EnumerateOne);

    public static void WhileAnotherThreadWaits()
    {
        Engine engine = Model.CreateEngine();
        Exception found = null;
        var thread = new Thread(() => found = Throws<ObjectDisposedException>(() => engine.Next())) { IsBackground = true };
        thread.Start();
        Thread.Sleep(30);
        engine.Dispose();
        True("the wait ends", thread.Join(TimeSpan.FromSeconds(30)));
        True("with an exception", found != null);
    }

    public static void WhileOtherThreadsRead()
    {
        for (int i = 0; i < 20; i++)
        {
            Request request = Model.Generate(Shared.Question, Shared.Endless());
            request.Next();
            var reader = new Thread(() =>
            {
                try
                {
                    foreach (Event unused in request) continue;
                }
                catch (ObjectDisposedException)
                {
                }
            });
            reader.Start();
            request.Dispose();
            True("the reader ends", reader.Join(TimeSpan.FromSeconds(30)));
        }
    }

    public static void WhileScoresAreAwaited()
    {
        using (Engine engine = Model.CreateEngine(new EngineOptions { MaxRunning = 1 }))
        {
            Request first = engine.Submit(Model.Encode("Hi"), Shared.Endless());
            Scores scores = engine.Score(Model.Encode("Hello there."));
            var reader = new Thread(() =>
            {
                try
                {
                    while (scores.Next() != null) continue;
                }
                catch (ObjectDisposedException)
                {
                }
                catch (ScoutException)
                {
                }
            });
            reader.Start();
            scores.Dispose();
            True("the reader ends", reader.Join(TimeSpan.FromSeconds(30)));
            first.Dispose();
        }
    }
}

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

internal static class TextTests
{
    private static ScoutModel Model => Shared.Model;

    public static void SurrogatesWithoutTheirHalfAreReplaced()
    {
        foreach (string text in new[] { "a\uD83Eb", "\uDD8A", "x\uDD8A\uD83Ey", "\uD83E" })
        {
            string whole = string.Concat(text.Select(c => char.IsSurrogate(c) ? '\uFFFD' : c));
            Same("ids", Model.Encode(whole), Model.Encode(text));
            Same("text", whole, Model.Decode(Model.Encode(text)));
        }
        Same("a pair stays", "\uD83E\uDD8A", Model.Decode(Model.Encode("\uD83E\uDD8A")));
    }

    public static void NulIsText()
    {
        Same("text", "a\0b\0", Model.Decode(Model.Encode("a\0b\0")));
        using (Chat chat = Model.CreateChat()) Same("count", 1, chat.User("a\0b").Count);
        Same("argument", "path", Throws<ArgumentException>(() => ScoutModel.Load("a\0b")).ParamName);
        using (Chat chat = Model.CreateChat().User("Hi\0there"))
        using (Request request = Model.Generate("Hi\0there", new RequestOptions { MaxTokens = 1 }))
        {
            request.ReadToEnd();
            Same("prompt tokens", chat.Tokens.Count, request.Last.PromptTokens);
        }
    }

    public static void BytesNeedNotBeUtf8()
    {
        byte[] bytes = { 0xF0, 0x9F, 0x98, 0xFF, 0x00 };
        Same("bytes", bytes, Model.DecodeBytes(Model.Encode(bytes)));
        True("a string has U+FFFD", Model.Decode(Model.Encode(bytes)).Contains("\uFFFD"));
    }

    public static void NullIsRefused()
    {
        Same("argument", "path", Throws<ArgumentNullException>(() => ScoutModel.Load(null)).ParamName);
        Same("argument", "prompt", Throws<ArgumentNullException>(() => Model.Generate(null)).ParamName);
        Same("argument", "text", Throws<ArgumentNullException>(() => Model.Encode((string)null)).ParamName);
        Same("argument", "ids", Throws<ArgumentNullException>(() => Model.Decode(null)).ParamName);
        Same("argument", "text", Throws<ArgumentNullException>(() => Model.CreateChat().User(null)).ParamName);
        Same("argument", "Stop", Throws<ArgumentNullException>(() => Model.Generate("Hi", new RequestOptions { Stop = { null } })).ParamName);
    }

    public static void TheLibrarySaysWhatItIs()
    {
        True("a version", ScoutLibrary.Version.Split('.').Length == 3);
        True("a build", ScoutLibrary.BuildInfo.Length > 0);
        True("a device", ScoutLibrary.Devices.Any(device => device.Name == "cpu" && device.MemoryTotalBytes > 0));
        True("bytes of keys and values", Model.KvBytes(128) > 0);
        using (Engine engine = Model.OpenDefaultEngine())
        {
            long before = engine.Stats.GeneratedTokens;
            Ask(Model, Shared.Question);
            True("the default engine counts what Generate does", engine.Stats.GeneratedTokens > before);
            using (Request request = engine.Submit(Shared.Question)) Same("answer", Shared.Answer, request.ReadToEnd());
        }
        Same("answer after closing it", Shared.Answer, Ask(Model, Shared.Question));
    }

    public static void TheLogIsReadLineByLine()
    {
        Same("closed", null, ScoutLog.Next(TimeSpan.FromSeconds(60)));
        ScoutLog.Open(LogLevel.Debug, 8);
        try
        {
            ScoutModel.Load("scout-tiny").Dispose();
            LogLine line = ScoutLog.Next(TimeSpan.FromSeconds(60));
            True("a line", line != null && line.Text.Length > 0 && !line.Text.Contains("\n"));
            while (ScoutLog.Next(TimeSpan.Zero) != null) continue;
            Same("nothing in time", null, ScoutLog.Next(TimeSpan.FromMilliseconds(20)));
            var thread = new Thread(() => ScoutLog.Next(System.Threading.Timeout.InfiniteTimeSpan)) { IsBackground = true };
            thread.Start();
            ScoutLog.Close();
            True("closing ends a wait", thread.Join(TimeSpan.FromSeconds(30)));
        }
        finally
        {
            ScoutLog.Close();
        }
        Throws<ArgumentOutOfRangeException>(() => ScoutLog.Open(LogLevel.Info, 0));
        Same("status", ScoutStatus.Argument, Throws<ScoutException>(() => ScoutLog.Open(LogLevel.Info, 1000000)).Status);
    }

    // Sizes and offsets as a C compiler saw them.
    public static void StructsLieAsInC()
    {
        int looked = 0;
        foreach (string[] word in System.IO.File.ReadAllLines(Shared.Golden).Select(line => line.Split(new[] { ' ' }, StringSplitOptions.RemoveEmptyEntries)))
        {
            if (word[0] != "struct") continue;
            Type type = typeof(ScoutModel).Assembly.GetType("Scout." + word[1]);
            if (type == null) throw new Mismatch("there is no struct " + word[1]);
            if (word[2] == "size") Same(word[1], word[3], System.Runtime.InteropServices.Marshal.SizeOf(type));
            else Same(word[1] + "." + word[4], word[2], System.Runtime.InteropServices.Marshal.OffsetOf(type, word[4]));
            looked++;
        }
        True("there are structs", looked > 100);
    }
}

internal static class Program
{
    private static int Main(string[] arguments)
    {
        if (arguments[0] == "forget") return Forget();
        Shared.Golden = arguments[0];
        Shared.Model = ScoutModel.Load("scout-tiny");
        int failed = 0, good = 0;
        foreach (Type type in new[] { typeof(TextTests), typeof(Closing), typeof(Threads), typeof(Cancellation), typeof(Tasks) })
        {
            foreach (MethodInfo method in type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.DeclaredOnly))
            {
                string name = type.Name + "." + method.Name;
                if (arguments.Length > 1 && !name.Contains(arguments[1])) continue;
                try
                {
                    method.Invoke(null, null);
                    Console.WriteLine("ok " + name);
                    good++;
                }
                catch (TargetInvocationException error)
                {
                    Console.WriteLine("FAILED " + name + ": " + error.InnerException);
                    failed++;
                }
            }
        }
        Console.WriteLine(good + " ok, " + failed + " failed");
        Console.Out.Flush();
        End(failed == 0 && good > 0 ? 0 : 1);
        return 1;
    }

    // Mono's own end waits for a parked thread of its pool now and then, for up to a minute. "forget" ends as programs do.
    [System.Runtime.InteropServices.DllImport("libc", EntryPoint = "_exit")]
    private static extern void End(int code);

    // The end of a program that closes nothing, with threads inside.
    private static int Forget()
    {
        ScoutModel model = ScoutModel.Load("scout-tiny");
        Engine engine = model.CreateEngine();
        new Thread(() => engine.Next()) { IsBackground = true }.Start();
        model.Generate("Hi", Shared.Endless()).Next();
        Task<Event> waiting = model.CreateEngine().NextAsync();
        new Thread(() => model.Generate("Hi", Shared.Endless()).Count()) { IsBackground = true }.Start();
        model.CreateEngine().Score(new[] { 1, 2, 3 });
        Thread.Sleep(50);
        Console.WriteLine("forgotten");
        return waiting.IsCompleted ? 1 : 0;
    }
}
