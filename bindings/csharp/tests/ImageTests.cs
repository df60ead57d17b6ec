using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading;
using Scout;
using static Suite;

// Pictures: closed, forgotten, shared by threads, and in a chat with a model that sees. What is of every language is in Pictures.cs.
internal static class ImageTests
{
    private static readonly int[] Numbers = { 40, 30, 3, 1 };

    private static readonly TileOptions Small = new TileOptions { TileSide = 16 };

    public static void ClosedTwiceAndUsedAfterwards()
    {
        ScoutImage image = Pictures.Picture(Numbers);
        image.Dispose();
        image.Dispose();
        foreach (Action use in new Action[] { () => image.GetTiling(), () => Same("nothing", null, image.Info), () => image.Tile(0),
                     () => image.Tokens(Shared.Model), () => Shared.Model.CreateChat().Begin(Role.User).AddImage(image) })
            Same("name", "ScoutImage", Throws<ObjectDisposedException>(use).ObjectName);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Forget()
    {
        ScoutImage.FromPixels(new byte[3 << 20], 1024, 1024, 3).GetTiling();
    }

    public static void ForgottenPicturesAreFreed()
    {
        for (int i = 0; i < 50; i++) Forget();
        Collect();
        long before = ResidentBytes();
        for (int i = 0; i < 200; i++)
        {
            Forget();
            if (i % 20 == 0) Collect();
        }
        Collect();
        long grown = ResidentBytes() - before;
        True("grew by " + grown + " bytes, of 600 MB", grown < 256 << 20);
    }

    public static void ThreadsShareOne()
    {
        using (ScoutImage image = Pictures.Picture(Numbers))
        {
            byte[] expected = image.Tile(0, Small);
            var wrong = new List<string>();
            Thread[] threads = Enumerable.Range(0, 8).Select(n => new Thread(() =>
            {
                for (int i = 0; i < 20; i++)
                {
                    int side = i % 2 == 0 ? 16 : 32;
                    byte[] tile = image.Tile(0, new TileOptions { TileSide = side });
                    if (tile.Length != 3 * side * side || (side == 16 && !tile.SequenceEqual(expected))) lock (wrong) wrong.Add("tile of " + side);
                }
            })).ToArray();
            foreach (Thread thread in threads) thread.Start();
            foreach (Thread thread in threads) thread.Join();
            Same("wrong", new string[0], wrong);
        }
    }

    public static void ClosingUnderAReader()
    {
        for (int i = 0; i < 20; i++)
        {
            ScoutImage image = Pictures.Picture(new[] { 300, 200, 3, i });
            var closing = new Thread(image.Dispose);
            closing.Start();
            try
            {
                for (int side = 8; ; side = side % 40 + 8) image.Tile(0, new TileOptions { TileSide = side });
            }
            catch (ObjectDisposedException)
            {
                closing.Join();
            }
        }
    }

    public static void ArgumentsAreCSharps()
    {
        Same("argument", "pixels", Throws<ArgumentNullException>(() => ScoutImage.FromPixels(null, 1, 1, 3)).ParamName);
        Same("argument", "file", Throws<ArgumentNullException>(() => ScoutImage.FromBytes(null)).ParamName);
        Same("argument", "path", Throws<ArgumentNullException>(() => ScoutImage.FromFile(null)).ParamName);
        Same("argument", "path", Throws<ArgumentException>(() => ScoutImage.FromFile("a\0b")).ParamName);
        Same("argument", "width", Throws<ArgumentOutOfRangeException>(() => ScoutImage.FromPixels(new byte[3], -1, 1, 3)).ParamName);
        Same("argument", "index", Throws<ArgumentOutOfRangeException>(() => Pictures.Picture(Numbers).Tile(-1)).ParamName);
        Same("argument", "image", Throws<ArgumentNullException>(() => Shared.Model.CreateChat().AddImage(null)).ParamName);
        Same("argument", "model", Throws<ArgumentNullException>(() => Pictures.Picture(Numbers).Tokens(null)).ParamName);
    }

    public static void ASpanIsAnArray()
    {
        byte[] pixels = Pictures.Samples(20 * 10 * 3 + 7, 1);
        using (ScoutImage whole = ScoutImage.FromPixels(pixels.Skip(7).ToArray(), 20, 10, 3))
        using (ScoutImage part = ScoutImage.FromPixels(new ReadOnlySpan<byte>(pixels, 7, 600), 20, 10, 3))
            Same("tile", whole.Tile(0, Small), part.Tile(0, Small));
        Same("status", ScoutStatus.Truncated, Throws<ScoutException>(() => ScoutImage.FromBytes(ReadOnlySpan<byte>.Empty)).Status);
    }

    // A model of random numbers with a vision tower, which the tests write.
    public static void AModelThatSeesAnswers()
    {
        string path = Environment.GetEnvironmentVariable("SCOUT_SEEING");
        using (ScoutModel model = ScoutModel.Load(path, new LoadOptions { Vision = true }))
        using (Engine engine = model.CreateEngine())
        {
            TileOptions options = model.GetTileOptions();
            var answers = new List<string>();
            foreach (int seed in new[] { 1, 2, 1 })
            {
                using (Chat chat = model.CreateChat())
                {
                    int[] shown;
                    using (ScoutImage image = Pictures.Picture(new[] { 3 * options.TileSide, options.TileSide, 3, seed }))
                    {
                        chat.Begin(Role.User).AddImage(image).AddText("what?");
                        shown = image.Tokens(model, options).ToArray();
                    }
                    string ids = string.Join(" ", chat.Tokens);
                    True("the picture's tokens are in the prompt", ids.Contains(string.Join(" ", shown)));
                    using (Request request = engine.Submit(chat, new RequestOptions { MaxTokens = 8, IgnoreEnd = true, Logprobs = true }))
                        answers.Add(string.Join(" ", request.SelectMany(e => e.Logprobs)));
                }
            }
            Same("the same picture", answers[0], answers[2]);
            True("another picture is another answer", answers[0] != answers[1]);
        }
        using (ScoutModel blind = ScoutModel.Load(path))
        using (ScoutImage image = Pictures.Picture(Numbers))
        {
            ScoutException error = Throws<ScoutException>(() => blind.CreateChat().Begin(Role.User).AddImage(image));
            Same("status", ScoutStatus.Unsupported, error.Status);
            True(error.Message, error.Message.Contains("without its vision tower"));
            Same("status", ScoutStatus.State, Throws<ScoutException>(() => blind.GetTileOptions()).Status);
        }
    }

    public static void TextsAndIdsHavePicturesToo()
    {
        using (ScoutModel model = ScoutModel.Load(Environment.GetEnvironmentVariable("SCOUT_SEEING"), new LoadOptions { Vision = true }))
        using (Engine engine = model.CreateEngine())
        {
            ScoutImage image = Pictures.Picture(new[] { 16, 16, 3, 1 });
            IReadOnlyList<int> shown = image.Tokens(model, model.GetTileOptions());
            int token = model.FindToken("<|image|>");
            Same("expanded", shown, model.ExpandPrompt(new[] { token }, image));
            var options = new RequestOptions { Raw = true, MaxTokens = 4, IgnoreEnd = true, Images = { image } };
            int count = model.PromptTokens("a<|image|>", options).Count;
            for (int i = 0; i < 2; i++)
            {
                using (Request request = engine.Submit("a<|image|>", options))
                {
                    request.ReadToEnd();
                    Same("prompt tokens", count, request.Last.PromptTokens);
                }
            }
            Same("encoded", new[] { 1, 1 }, new[] { engine.Stats.PicturesEncoded, engine.Stats.PictureCacheMisses });
            using (Scores scores = engine.Score(new[] { 65, token }, new[] { image }))
                Same("rows", shown.Count + 1, scores.Sum(block => block.Positions.Count));
            Same("status", ScoutStatus.Argument, Throws<ScoutException>(() => model.PromptTokens("a", options)).Status);
            image.Dispose();
            Throws<ObjectDisposedException>(() => model.Generate("what?", options));
            using (Engine forgetful = model.CreateEngine(new EngineOptions { NoPictureCache = true }))
            using (Engine small = model.CreateEngine(new EngineOptions { PictureCacheBytes = 1000 }))
                Same("limit", new[] { 0, 1000 }, new[] { forgetful.Stats.PictureCacheLimitBytes, small.Stats.PictureCacheLimitBytes });
        }
    }

    public static void FilesAreRead()
    {
        string path = Path.Combine(Environment.GetEnvironmentVariable("SCOUT_PICTURES") ?? "", "exif6.png");
        ScoutImage image;
        try
        {
            image = ScoutImage.FromFile(path);
        }
        catch (ScoutException error) when (error.Status == ScoutStatus.Unsupported && error.Message.Contains("plug-in"))
        {
            Console.WriteLine("skipped: " + error.Message);
            return;
        }
        using (image)
        using (ScoutImage same = ScoutImage.FromBytes(File.ReadAllBytes(path)))
        using (ScoutImage stored = ScoutImage.FromFile(path, new ImageOptions { Orientation = 1 }))
        {
            Same("format", "PNG", image.Info.Format);
            Same("orientation", 6, image.Info.Orientation);
            Same("turned", new[] { stored.Info.Height, stored.Info.Width }, new[] { image.Info.Width, image.Info.Height });
            Same("tile", image.Tile(0, Small), same.Tile(0, Small));
            True("not turned is another tile", !image.Tile(0, Small).SequenceEqual(stored.Tile(0, Small)));
        }
    }
}
