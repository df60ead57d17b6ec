using System;
using System.Linq;
using System.Threading;
using Scout;
using static Suite;

// Texts, and what the library says of itself.
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

    public static void AModelMayLieOnTwoDevices()
    {
        var few = new RequestOptions { MaxTokens = 12 };
        using (ScoutModel placed = ScoutModel.Load("scout-tiny", new LoadOptions { Placement = "experts=ref; head=ref" }))
        using (Request one = Model.Generate("Who are you?", few))
        using (Request two = placed.Generate("Who are you?", few))
        {
            Same("text", one.ReadToEnd(), two.ReadToEnd());
            Same("devices", "cpu ref", string.Join(" ", placed.Devices.Select(device => device.Name)));
            True("bytes", placed.Devices.All(device => device.WeightBytes > 0));
            True("placement", placed.Info.Placement.EndsWith("head=ref", StringComparison.Ordinal));
        }
        Throws<ScoutException>(() => ScoutModel.Load("scout-tiny", new LoadOptions { Placement = "tail=ref" }));
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
