using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Scout;
using static Suite;

// The behaviours of clips (bindings/conformance).
internal sealed class Videos
{
    private readonly ScoutModel model;

    internal Videos(ScoutModel model, Dictionary<string, Action<Case>> kinds)
    {
        this.model = model;
        kinds.Add("video", Video);
        kinds.Add("error_video", c => Fails(c, () => Refused(c)));
    }

    private static VideoOptions OptionsOf(Case c)
    {
        var made = new VideoOptions();
        foreach (string[] part in c.All("video_option").Select(line => line.Split(' ')))
        {
            double value = double.Parse(part[1], CultureInfo.InvariantCulture);
            switch (part[0])
            {
                case "count": made.Count = (int)value; break;
                case "fps": made.FramesPerSecond = value; break;
                case "scene_change": made.SceneChange = value; break;
                case "start_us": made.Start = TimeSpan.FromTicks((long)value * 10); break;
                case "end_us": made.End = TimeSpan.FromTicks((long)value * 10); break;
                case "orientation": made.Orientation = (int)value; break;
                case "max_frames": made.MaxFrames = (int)value; break;
                case "max_bytes": made.MaxBytes = (ulong)value; break;
                case "max_work": made.MaxWork = (ulong)value; break;
                default: throw new Mismatch("unknown video option " + part[0]);
            }
        }
        return made;
    }

    // Nothing can be shown of a clip where the library has no plug-in for video.
    internal static ScoutVideo Opened(byte[] clip, VideoOptions options = null)
    {
        try
        {
            return ScoutVideo.FromBytes(clip, options);
        }
        catch (ScoutException error) when (error.Status == ScoutStatus.Unsupported && error.Message.Contains("plug-in"))
        {
            throw new NotApplicable(error.Message);
        }
    }

    private static ScoutVideo Opened(Case c) => Opened(Unescape(c.One("clip")), OptionsOf(c));

    private static void Video(Case c)
    {
        using (ScoutVideo video = Opened(c))
        {
            VideoInfo info = video.Info;
            Same("info", c.Ints("info"), new[] { (int)info.Width, (int)info.Height, info.Orientation, (int)info.DurationUs, (int)info.Frames });
            Near("frame rate", new[] { double.Parse(c.One("frame_rate"), CultureInfo.InvariantCulture) }, new[] { (float)info.FrameRate }, 1e-6);
            Same("container", c.One("container"), info.Container);
            Same("codec", c.One("codec"), info.Codec);
            List<VideoFrame> frames = video.ToList();
            Same("the end", 0, video.Count());
            True("the end stays", video.Next() == null);
            Same("times", c.Ints("times"), frames.Select(frame => (int)(frame.Time.Ticks / 10)));
            Same("format", "video", string.Join(" ", frames.Select(frame => frame.Image.Info.Format).Distinct()));
            Same("checksums", c.Ints("checksums"), frames.Select(frame => Pictures.Checksum(frame.Image.Tile(0, Pictures.TileOptionsOf(c)))));
            foreach (VideoFrame frame in frames) frame.Dispose();
        }
    }

    private void Refused(Case c)
    {
        if (c.One("call") == "file")
        {
            ScoutVideo.FromFile(c.One("path"), OptionsOf(c));
            return;
        }
        using (ScoutVideo video = Opened(c))
        using (Chat chat = model.CreateChat())
        {
            chat.Begin(Role.User);
            switch (c.One("call"))
            {
                case "bytes":
                    break;
                case "next":
                    video.ToList();
                    break;
                case "cancelled":
                    video.Cancel();
                    video.Next();
                    break;
                case "closed":
                    video.Dispose();
                    video.Next();
                    break;
                case "chat":
                    chat.AddVideo(video);
                    break;
                case "chat_frame":
                    using (VideoFrame frame = video.Next()) chat.AddFrame(frame);
                    break;
                default:
                    throw new Mismatch("unknown call " + c.One("call"));
            }
        }
    }
}
