using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using Scout;
using static Suite;

// The list of behaviours (bindings/conformance) against the C# package, while another thread collects garbage all the time.
// Usage: Conformance.exe conformance.txt scout-tiny.gguf
internal sealed class Conformance
{
    private readonly string modelFile;
    private readonly ScoutModel model = ScoutModel.Load("scout-tiny");
    private readonly Dictionary<string, Action<Case>> kinds;

    private Conformance(string modelFile)
    {
        this.modelFile = modelFile;
        kinds = new Dictionary<string, Action<Case>>
        {
            { "facts", Facts },
            { "statuses", Statuses },
            { "encode", Encode },
            { "decode", c => Same("bytes", Unescape(c.One("text")), model.DecodeBytes(c.Ints("ids"), c.Number("special") != 0)) },
            { "utf16", c => Same("ids", c.Ints("replaced"), model.Encode(new string(c.Ints("units").Select(unit => (char)unit).ToArray()))) },
            { "token", Token },
            { "stop_tokens", c => Same("ids", c.Ints("ids"), model.StopTokens) },
            { "generate", Generate },
            { "same_twice", SameTwice },
            { "chat", Conversation },
            { "turns", Turns },
            { "cancel", Cancel },
            { "drop", Drop },
            { "timeout_stepped", TimeoutStepped },
            { "timeout_threaded", TimeoutThreaded },
            { "load_cancel", LoadCancel },
            { "load_wait", LoadWait },
            { "score", Score },
            { "score_logits", ScoreLogits },
            { "many", Many },
            { "two_models", TwoModels },
            { "threads", Threads },
            { "close_twice", CloseTwice },
            { "close_parent_first", CloseParentFirst },
            { "loop", Loop },
            { "error_load", ErrorLoad },
            { "error_generate", c => Fails(c, () => model.Generate(c.Text("prompt"), Options(c))) },
            { "error_engine", ErrorEngine },
            { "error_full", ErrorFull },
            { "error_call", ErrorCall },
        };
        new Pictures(model, kinds);
        new Videos(model, kinds);
    }

    private static string Pascal(string name) => string.Concat(name.Split('_').Select(word => char.ToUpperInvariant(word[0]) + word.Substring(1).ToLowerInvariant()));

    private void Facts(Case c)
    {
        ModelInfo info = model.Info;
        foreach (string[] part in c.All("fact").Select(line => line.Split(new[] { ' ' }, 2)))
        {
            var property = typeof(ModelInfo).GetProperty(Pascal(part[0]));
            if (property == null) throw new Mismatch("ModelInfo has no " + Pascal(part[0]));
            object found = property.GetValue(info, null);
            if (found is double) Near(part[0], new[] { 1.0 }, new[] { (float)((double)found / double.Parse(part[1], CultureInfo.InvariantCulture)) }, 1e-6);
            else Same(part[0], part[1], found is bool ? ((bool)found ? "1" : "0") : found);
        }
        foreach (int[] row in c.All("layer").Select(line => line.Split(' ').Select(int.Parse).ToArray()))
        {
            LayerInfo layer = model.GetLayer(row[0]);
            Same("layer " + row[0], new[] { row[1] != 0, row[2] != 0, row[3] != 0 }, new[] { layer.Moe, layer.Rope, layer.Chunked });
        }
        IReadOnlyList<TensorInfo> tensors = model.Tensors;
        Same("tensors", c.Number("tensor_count"), tensors.Count);
        Same("first tensor", c.One("first_tensor") + " " + c.One("first_format"), tensors[0].Name + " " + tensors[0].Format);
        Same("first shape", c.Ints("first_shape"), tensors[0].Shape);
    }

    private void Statuses(Case c)
    {
        foreach (string[] part in c.All("status").Select(line => line.Split(new[] { ' ' }, 3)))
        {
            var status = (ScoutStatus)int.Parse(part[0], CultureInfo.InvariantCulture);
            string name = part[1].Replace("SCOUT_ERR_", "").Replace("SCOUT_", "").Replace("_", "");
            Same("name", name, status.ToString().ToUpperInvariant());
            Same("words", part[2], ScoutLibrary.Describe(status));
        }
        Same("number of codes", c.All("status").Count, Enum.GetValues(typeof(ScoutStatus)).Length);
    }

    private void Encode(Case c)
    {
        byte[] text = Unescape(c.One("text"));
        bool special = c.Number("special") != 0, bos = c.Number("bos") != 0;
        Same("ids", c.Ints("ids"), model.Encode(text, special, bos));
        Same("count", c.Ints("ids").Length, model.CountTokens(text, special, bos));
        if (special || bos) return;
        Same("decoded", text, model.DecodeBytes(c.Ints("ids")));
        if (text.SequenceEqual(Encoding.UTF8.GetBytes(Utf8(text)))) Same("ids of a string", c.Ints("ids"), model.Encode(Utf8(text)));
    }

    private void Token(Case c)
    {
        int id = c.Number("id");
        Same("bytes", Unescape(c.One("bytes")), model.TokenBytes(id));
        Same("special", c.Number("special") != 0, model.IsSpecial(id));
        if (c.Number("special") != 0) Same("found by name", id, model.FindToken(Utf8(model.TokenBytes(id))));
    }

    private void Generate(Case c)
    {
        using (Request request = model.Generate(c.Text("prompt"), Options(c)))
        {
            List<Event> events = ReadAll(request);
            Event last = events[events.Count - 1];
            Same("text", c.Text("text"), TextOf(events));
            Same("ids", c.Ints("ids"), request.Ids);
            Same("stop", c.Number("stop"), (int)last.Stop);
            Same("prompt_tokens", c.Number("prompt_tokens"), last.PromptTokens);
            if (c.Has("events")) Same("events with text", c.Number("events"), events.Count(e => e.Text.Length != 0));
            if (!c.Has("logprobs")) return;
            Near("logprobs", c.Doubles("logprobs"), events.SelectMany(e => e.Logprobs).ToList(), c.Doubles("tolerance")[0]);
            if (!c.Has("top_count")) return;
            List<IReadOnlyList<TokenLogprob>> tops = events.SelectMany(e => e.TopLogprobs).ToList();
            foreach (IReadOnlyList<TokenLogprob> top in tops) Same("best tokens", c.Number("top_count"), top.Count);
            Same("best ids", c.Ints("best_ids"), tops.Select(top => top[0].Id));
        }
    }

    private void SameTwice(Case c)
    {
        var answers = new string[2];
        for (int i = 0; i < 2; i++)
            using (Request request = model.Generate(c.Text("prompt"), Options(c))) answers[i] = request.ReadToEnd();
        Same("second answer", answers[0], answers[1]);
    }

    private void Conversation(Case c)
    {
        using (Chat chat = model.CreateChat())
        {
            foreach (string[] part in c.All("message").Select(line => line.Split(new[] { ' ' }, 2)))
                chat.Add((Role)Enum.Parse(typeof(Role), Pascal(part[0])), Unescape(part[1]));
            Same("messages", c.All("message").Count, chat.Count);
            Same("prompt_ids", c.Ints("prompt_ids"), chat.Tokens);
        }
    }

    private void Turns(Case c)
    {
        using (Engine engine = model.CreateEngine())
        using (Chat chat = model.CreateChat())
        {
            for (int i = 0; i < c.All("question").Count; i++)
            {
                chat.Add(Role.User, Unescape(c.All("question")[i]));
                using (Request request = engine.Submit(chat))
                {
                    List<Event> events = ReadAll(request);
                    Same("answer", Utf8(Unescape(c.All("answer")[i])), TextOf(events));
                    Same("cached", c.Ints("cached")[i], request.Last.CachedTokens);
                    chat.AddAnswer(request);
                }
            }
        }
    }

    private void Cancel(Case c)
    {
        using (Request request = model.Generate(c.Text("prompt"), Options(c)))
        {
            for (int i = 0; i < c.Number("after_events"); i++) request.Next();
            if (c.Number("other_thread") != 0)
            {
                var thread = new Thread(request.Cancel);
                thread.Start();
                thread.Join();
            }
            else
            {
                request.Cancel();
            }
            Event last = ReadRest(request).Last();
            Same("stop", c.Number("stop"), (int)last.Stop);
            Same("status", c.Number("status"), (int)last.Status);
        }
    }

    private static List<Event> ReadRest(Request request)
    {
        var events = new List<Event>(request);
        Same("after the end", null, request.Next());
        return events;
    }

    private void Drop(Case c)
    {
        Stopwatch clock = Stopwatch.StartNew();
        using (Request request = model.Generate(c.Text("prompt"), Options(c)))
        {
            int left = c.Number("after_events");
            foreach (Event unused in request)
                if (--left == 0) break;
        }
        True("closing takes less than 5 s", clock.Elapsed < TimeSpan.FromSeconds(5));
    }

    private void TimeoutStepped(Case c)
    {
        using (Engine engine = model.CreateEngine(new EngineOptions { Mode = EngineMode.Stepped }))
        using (Chat chat = model.CreateChat())
        using (Request request = engine.Submit(chat.User(c.Text("prompt"))))
        {
            Same("before a step", null, engine.Next(TimeSpan.FromMilliseconds(c.Number("timeout_ms"))));
            while (engine.Step(TimeSpan.FromMilliseconds(10))) continue;
            Same("text", c.Text("text"), TextOf(ReadAll(request)));
        }
    }

    private void TimeoutThreaded(Case c)
    {
        using (Engine engine = model.CreateEngine())
        {
            Stopwatch clock = Stopwatch.StartNew();
            Same("event", null, engine.Next(TimeSpan.FromMilliseconds(c.Number("timeout_ms"))));
            True("the wait is long enough", clock.Elapsed.TotalMilliseconds >= c.Number("timeout_ms") - 1);
        }
    }

    private void LoadCancel(Case c)
    {
        using (Loading loading = ScoutModel.StartLoad("scout-tiny"))
        {
            loading.Cancel();
            try
            {
                loading.Wait().Dispose();
            }
            catch (ScoutException error)
            {
                Same("status", ScoutStatus.Cancelled, error.Status);
            }
        }
    }

    private void LoadWait(Case c)
    {
        using (Loading loading = ScoutModel.StartLoad("scout-tiny"))
        {
            LoadProgress progress = loading.Progress;
            True("done is at most total", progress.DoneBytes <= progress.TotalBytes);
            using (ScoutModel loaded = loading.Wait()) Same("text", c.Text("text"), Ask(loaded, c.Text("prompt")));
        }
    }

    private void Score(Case c)
    {
        using (Engine engine = model.CreateEngine())
        using (Scores scores = engine.Score(c.Ints("ids")))
        {
            List<float> found = scores.SelectMany(block => block.Logprobs).ToList();
            True("position 0 is not a number", float.IsNaN(found[0]));
            Near("logprobs", c.Doubles("logprobs"), found.Skip(1).ToList(), c.Doubles("tolerance")[0]);
            True("done", scores.Done && scores.Next() == null);
        }
    }

    private void ScoreLogits(Case c)
    {
        var found = new List<long>();
        var best = new List<int>();
        var largest = new List<float>();
        using (Engine engine = model.CreateEngine())
        using (Scores scores = engine.ScoreLogits(c.Ints("ids"), c.Ints("positions").Select(p => (long)p).ToArray()))
        {
            foreach (ScoreBlock block in scores)
            {
                Same("vocabulary", c.Number("vocabulary"), block.Vocabulary);
                for (int row = 0; row < block.Positions.Count; row++)
                {
                    IReadOnlyList<float> logits = block.Logits(row);
                    int at = 0;
                    for (int id = 1; id < logits.Count; id++)
                        if (logits[id] > logits[at]) at = id;
                    found.Add(block.Positions[row]);
                    best.Add(at);
                    largest.Add(logits[at]);
                }
            }
        }
        Same("positions", c.Ints("positions"), found);
        Same("best ids", c.Ints("best_ids"), best);
        Near("logits", c.Doubles("logits"), largest, c.Doubles("tolerance")[0]);
    }

    private void Many(Case c)
    {
        int prompts = c.All("prompt").Count, count = prompts * c.Number("copies");
        StringBuilder[] texts = Enumerable.Range(0, count).Select(_ => new StringBuilder()).ToArray();
        var requests = new List<Request>();
        using (Engine engine = model.CreateEngine())
        {
            for (int tag = 0; tag < count; tag++)
                using (Chat chat = model.CreateChat())
                    requests.Add(engine.Submit(chat.Add(Role.User, Unescape(c.All("prompt")[tag % prompts])), new RequestOptions { Tag = (ulong)tag }));
            for (int open = count; open > 0;)
            {
                Event e = engine.Next();
                texts[e.Tag].Append(e.Text);
                if (e.IsLast) open--;
            }
        }
        for (int tag = 0; tag < count; tag++) Same("text", Utf8(Unescape(c.All("text")[tag % prompts])), texts[tag]);
        requests.ForEach(request => request.Dispose());
    }

    private void TwoModels(Case c)
    {
        using (ScoutModel second = ScoutModel.Load("scout-tiny"))
        {
            using (ScoutModel first = ScoutModel.Load("scout-tiny"))
                for (int i = 0; i < c.All("prompt").Count; i++)
                    Same("text", Utf8(Unescape(c.All("text")[i])), Ask(i % 2 == 0 ? first : second, Utf8(Unescape(c.All("prompt")[i]))));
            Same("second model, alone", c.Text("text"), Ask(second, c.Text("prompt")));
        }
    }

    private void Threads(Case c)
    {
        var wrong = new ConcurrentQueue<string>();
        Thread[] threads = Enumerable.Range(0, c.Number("threads")).Select(i => i % c.All("prompt").Count).Select(which => new Thread(() =>
        {
            try
            {
                string text = Ask(model, Utf8(Unescape(c.All("prompt")[which])));
                if (text != Utf8(Unescape(c.All("text")[which]))) wrong.Enqueue(text);
            }
            catch (Exception error)
            {
                wrong.Enqueue(error.Message);
            }
        })).ToArray();
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        Same("wrong answers", new string[0], wrong);
    }

    private void CloseTwice(Case c)
    {
        ScoutModel loaded = ScoutModel.Load("scout-tiny");
        Chat chat = loaded.CreateChat();
        Request request = loaded.Generate(c.Text("prompt"));
        for (int i = 0; i < 2; i++)
        {
            loaded.Dispose();
            request.Dispose();
            chat.Dispose();
        }
    }

    private void CloseParentFirst(Case c)
    {
        ScoutModel loaded = ScoutModel.Load("scout-tiny");
        using (Request request = loaded.Generate(c.Text("prompt")))
        {
            loaded.Dispose();
            Same("text", c.Text("text"), TextOf(ReadAll(request)));
        }
    }

    private void Loop(Case c)
    {
        long before = 0;
        for (int i = 0; i < c.Number("count"); i++)
        {
            if (i == c.Number("count") / 10)
            {
                Collect();
                before = ResidentBytes();
            }
            switch (c.One("what"))
            {
                case "chat":
                    using (Chat chat = model.CreateChat()) chat.User("Hello!");
                    break;
                case "request":
                    model.Generate("Hello!").Dispose();
                    break;
                default:
                    ScoutModel.Load("scout-tiny").Dispose();
                    break;
            }
        }
        Collect();
        long grown = ResidentBytes() - before;
        if (grown > long.Parse(c.One("growth_bytes"), CultureInfo.InvariantCulture)) throw new Mismatch("grew by " + grown + " bytes, at most " + c.One("growth_bytes"));
    }

    private void ErrorLoad(Case c)
    {
        string folder = Path.Combine(Path.GetTempPath(), "conformance-" + Guid.NewGuid().ToString("N"));
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, "model.gguf");
        if (c.Has("file"))
        {
            File.WriteAllBytes(path, Unescape(c.One("file")));
        }
        else if (c.Has("folder"))
        {
            path = folder;
            foreach (string[] part in c.All("folder").Select(line => line.Split(new[] { ' ' }, 2)))
                File.WriteAllBytes(Path.Combine(folder, part[0]), Unescape(part[1]));
        }
        else if (c.Has("model_head"))
        {
            File.WriteAllBytes(path, File.ReadAllBytes(modelFile).Take(c.Number("model_head")).ToArray());
        }
        else if (c.Has("model_fill"))
        {
            byte[] bytes = File.ReadAllBytes(modelFile);
            int[] fill = c.Ints("model_fill");
            for (int i = 0; i < fill[1]; i++) bytes[fill[0] + i] = (byte)fill[2];
            File.WriteAllBytes(path, bytes);
        }
        try
        {
            Fails(c, () => ScoutModel.Load(c.Has("path") ? c.One("path") : path, LoadOptions(c)));
        }
        finally
        {
            Directory.Delete(folder, true);
        }
    }

    private void ErrorEngine(Case c)
    {
        using (Engine engine = model.CreateEngine(EngineOptions(c)))
        using (Chat chat = model.CreateChat())
            Fails(c, () => engine.Submit(chat.User(c.Text("prompt"))));
    }

    private void ErrorFull(Case c)
    {
        EngineOptions options = EngineOptions(c);
        options.Mode = EngineMode.Stepped;
        using (Engine engine = model.CreateEngine(options))
        using (Chat chat = model.CreateChat())
        {
            chat.User(c.Text("prompt"));
            Fails(c, () =>
            {
                for (int i = 0; i < c.Number("most"); i++) engine.Submit(chat);
            });
        }
    }

    private void ErrorCall(Case c)
    {
        using (Engine engine = model.CreateEngine())
        using (Chat chat = model.CreateChat())
        using (ScoutModel other = ScoutModel.Load("scout-tiny"))
        using (Request request = model.Generate("Hello!", new RequestOptions { IgnoreEnd = true }))
        {
            var calls = new Dictionary<string, Action>
            {
                { "decode_past_vocabulary", () => model.Decode(c.Ints("ids")) },
                { "submit_past_vocabulary", () => engine.Submit(c.Ints("ids")) },
                { "submit_nothing", () => engine.Submit(c.Ints("ids")) },
                { "token_find_unknown", () => model.FindToken(c.Text("text")) },
                { "second_system_message", () => chat.User("Hi").System("Late.") },
                { "chat_text_without_begin", () => chat.AddText("Hi") },
                { "answer_of_unfinished_request", () => chat.User("Hi").AddAnswer(request) },
                { "step_of_threaded_engine", () => engine.Step(TimeSpan.Zero) },
                { "layer_past_the_last", () => model.GetLayer(c.Number("index")) },
                { "device_past_the_last", () => ScoutLibrary.GetDevice(c.Number("index")) },
                { "closed_model", () => { other.Dispose(); other.Generate("Hi"); } },
                { "closed_request", () => { request.Dispose(); request.Next(); } },
            };
            if (!calls.ContainsKey(c.One("call"))) throw new Mismatch("unknown call " + c.One("call"));
            Fails(c, calls[c.One("call")]);
        }
    }

    internal static int Main(string[] arguments)
    {
        var runner = new Conformance(arguments[1]);
        int good = 0, without = 0, failed = 0;
        using (new Collecting())
        {
            foreach (Case c in Read(arguments[0]))
            {
                try
                {
                    Action<Case> kind;
                    if (!runner.kinds.TryGetValue(c.One("kind"), out kind)) throw new Mismatch("unknown kind " + c.One("kind"));
                    kind(c);
                    Console.WriteLine("ok " + c.Name);
                    good++;
                }
                catch (NotApplicable why)
                {
                    Console.WriteLine("n/a " + c.Name + ": " + why.Message);
                    without++;
                }
                catch (Exception error)
                {
                    Console.WriteLine("FAILED " + c.Name + ": " + (error is Mismatch ? error.Message : error.ToString().Replace("\n", " | ")));
                    failed++;
                }
            }
        }
        Console.WriteLine("C#: " + good + " ok, " + without + " n/a, " + failed + " failed");
        return failed == 0 && good > 0 ? 0 : 1;
    }
}
