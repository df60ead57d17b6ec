using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using Scout;
using static Suite;

// Clips: of files, cancelled, closed under another thread, and in a chat with a model that sees. What is of every language is in Videos.cs.
internal static class VideoTests
{
    // 16 x 16 pixels, two seconds, two frames a second.
    private static byte[] Clip() =>
        Unescape(Read(Environment.GetEnvironmentVariable("SCOUT_LIST")).Single(c => c.Name == "video.a_frame_a_second").One("clip"));

    private static ScoutVideo Opened(VideoOptions options = null) => Videos.Opened(Clip(), options);

    private static VideoOptions Many() => new VideoOptions { FramesPerSecond = 1000, MaxFrames = 4000 };

    public static void AFileIsAClipWhateverItsName()
    {
        Opened().Dispose();
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, Clip());
            using (ScoutVideo video = ScoutVideo.FromFile(path, new VideoOptions { FramesPerSecond = 2, MaxTiles = 3 }))
            {
                List<VideoFrame> frames = video.ToList();
                Same("times", new[] { 0, 500, 1000, 1500 }, frames.Select(frame => (int)frame.Time.TotalMilliseconds));
                Same("tiles", 3, frames[0].MaxTiles);
                video.Dispose();
                Same("the picture remains", 16, (int)frames[3].Image.Info.Width);
            }
            ScoutException error = Throws<ScoutException>(() => ScoutVideo.FromFile(path, new VideoOptions { PluginDirectory = "no/such/folder" }));
            Same("status", ScoutStatus.Unsupported, error.Status);
            True(error.Message, error.Message.Contains("no/such/folder"));
        }
        finally
        {
            File.Delete(path);
        }
    }

    public static void ArgumentsAreCSharps()
    {
        Same("argument", "file", Throws<ArgumentNullException>(() => ScoutVideo.FromBytes(null)).ParamName);
        Same("argument", "path", Throws<ArgumentNullException>(() => ScoutVideo.FromFile(null)).ParamName);
        Same("argument", "path", Throws<ArgumentException>(() => ScoutVideo.FromFile("a\0b")).ParamName);
        Same("argument", "video", Throws<ArgumentNullException>(() => Shared.Model.CreateChat().AddVideo(null)).ParamName);
        Same("argument", "frame", Throws<ArgumentNullException>(() => Shared.Model.CreateChat().AddFrame(null)).ParamName);
        Same("argument", "image", Throws<ArgumentNullException>(() => new VideoFrame(null, TimeSpan.Zero)).ParamName);
    }

    public static void ClosedTwiceAndUsedAfterwards()
    {
        ScoutVideo video = Opened();
        video.Dispose();
        video.Dispose();
        video.Cancel();
        foreach (Action use in new Action[] { () => video.Next(), () => Same("nothing", null, video.Info), () => video.ToList(),
                     () => Shared.Model.CreateChat().Begin(Role.User).AddVideo(video) })
            Same("name", "ScoutVideo", Throws<ObjectDisposedException>(use).ObjectName);
    }

    public static void ALoopThatIsLeftGoesOnWhereItWas()
    {
        using (ScoutVideo video = Opened(new VideoOptions { FramesPerSecond = 2 }))
        {
            foreach (VideoFrame frame in video) break;
            Same("left", 3, video.Count());
        }
    }

    public static void ATokenEndsTheFrames()
    {
        using (var source = new CancellationTokenSource())
        using (ScoutVideo video = Opened(Many()))
        {
            source.Cancel();
            Same("token", source.Token, Throws<OperationCanceledException>(() => video.Frames(source.Token).ToList()).CancellationToken);
            Same("status", ScoutStatus.Cancelled, Throws<ScoutException>(() => video.Next()).Status);
        }
    }

    public static void ClosingUnderAReader()
    {
        for (int i = 0; i < 20; i++)
        {
            ScoutVideo video = Opened(Many());
            var closing = new Thread(video.Dispose);
            closing.Start();
            try
            {
                while (true) video.Next()?.Dispose();
            }
            catch (ObjectDisposedException)
            {
            }
            catch (ScoutException error) when (error.Status == ScoutStatus.Cancelled)
            {
            }
            closing.Join();
        }
    }

    public static void AClipIsItsFramesWithTheirTimes()
    {
        List<VideoFrame> frames = Opened().ToList();
        using (ScoutModel model = ScoutModel.Load(Environment.GetEnvironmentVariable("SCOUT_SEEING"), new LoadOptions { Vision = true }))
        using (Engine engine = model.CreateEngine())
        {
            var found = new List<string>();
            foreach (Action<Chat> add in new Action<Chat>[]
                     {
                         chat => chat.AddVideo(Opened()), chat => frames.ForEach(frame => chat.AddFrame(frame)),
                         chat => frames.ForEach(frame => chat.AddText("[" + (int)frame.Time.TotalSeconds + ".0 s]").AddImage(frame.Image)),
                     })
            {
                using (Chat chat = model.CreateChat().Begin(Role.User))
                {
                    add(chat);
                    chat.AddText("What moves?");
                    using (Request request = engine.Submit(chat, new RequestOptions { MaxTokens = 6, IgnoreEnd = true, Logprobs = true }))
                        found.Add(string.Join(" ", chat.Tokens) + ": " + string.Join(" ", request.SelectMany(e => e.Logprobs)));
                }
            }
            Same("frames", found[0], found[1]);
            Same("by hand", found[0], found[2]);
            using (Chat chat = model.CreateChat().Begin(Role.User).AddText("so"))
            {
                string before = string.Join(" ", chat.Tokens);
                ScoutVideo costly = Opened(new VideoOptions { FramesPerSecond = 2, MaxWork = 2 * 16 * 16 });
                Same("status", ScoutStatus.Limit, Throws<ScoutException>(() => chat.AddVideo(costly)).Status);
                Same("the message is as before", before, string.Join(" ", chat.Tokens));
                Same("status", ScoutStatus.Argument, Throws<ScoutException>(() => chat.AddFrame(new VideoFrame(frames[0].Image, TimeSpan.Zero, 257))).Status);
            }
        }
    }
}
