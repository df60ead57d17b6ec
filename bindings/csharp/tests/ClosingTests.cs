using System;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading;
using Scout;
using static Suite;

// Closing twice, never, too early, and under another thread's feet.
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
