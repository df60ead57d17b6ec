using System;
using System.Collections;
using System.Collections.Generic;
using System.Threading;

namespace Scout
{
    /// <summary>Which frames are taken of a clip, and what it may cost. What is not set is the library's default: a frame a second.</summary>
    public sealed class VideoOptions
    {
        /// <summary>Frames in all, evenly from the beginning on; 0 is by <see cref="FramesPerSecond"/>.</summary>
        public int Count { get; set; }

        /// <summary>Up to 1000, not with <see cref="Count"/>; 0 is 1. A frame that is chosen twice is taken once.</summary>
        public double FramesPerSecond { get; set; }

        /// <summary>Only frames that differ from the last taken by at least so many percent of the most they could; 0 is all. A cut is often
        /// 10 and more.</summary>
        public double SceneChange { get; set; }

        /// <summary>Where the part to take begins, from the clip's start on.</summary>
        public TimeSpan Start { get; set; }

        /// <summary>Where it ends; zero is with the clip.</summary>
        public TimeSpan End { get; set; }

        /// <summary>Tiles of a frame in a chat, 1 to 256; 0 is 1.</summary>
        public int MaxTiles { get; set; }

        /// <summary>0 turns as the clip says, 1 leaves it as it is stored, 2 to 8 turn as EXIF means by that number.</summary>
        public int Orientation { get; set; }

        /// <summary>Of the decoder; 0 is as many as the process may use, at most 8. They change no pixel.</summary>
        public int Threads { get; set; }

        /// <summary>Refuses a choice of more; 0 is 256.</summary>
        public int MaxFrames { get; set; }

        /// <summary>Refuses a longer clip; zero is four hours.</summary>
        public TimeSpan MaxDuration { get; set; }

        /// <summary>Refuses a larger clip; 0 is 4294967296.</summary>
        public ulong MaxBytes { get; set; }

        /// <summary>Refuses a clip with larger frames, before one is decoded; 0 is 35389440.</summary>
        public ulong MaxPixels { get; set; }

        /// <summary>Pixels decoded in all, those of frames that are not taken included; 0 is 274877906944.</summary>
        public ulong MaxWork { get; set; }

        /// <summary>Where the plug-in that reads clips is looked for; null is beside the library.</summary>
        public string PluginDirectory { get; set; }

        internal unsafe void Fill(out scout_video_options native, Memory memory)
        {
            native = default(scout_video_options);
            IntPtr message;
            Failure.Check(Native.scoutcs_video_options_init(ref native, (ulong)sizeof(scout_video_options), out message), message);
            native.count = Count;
            native.fps = FramesPerSecond;
            native.scene_change = SceneChange;
            native.start_us = Microseconds.Of(Start);
            native.end_us = Microseconds.Of(End);
            native.max_tiles = MaxTiles;
            native.orientation = Orientation;
            native.threads = Threads;
            native.max_frames = MaxFrames;
            native.max_duration_us = Microseconds.Of(MaxDuration);
            native.max_bytes = MaxBytes;
            native.max_pixels = MaxPixels;
            native.max_work = MaxWork;
            if (PluginDirectory != null) native.plugin_dir = memory.Copy(Utf8.Terminated(PluginDirectory, nameof(PluginDirectory)));
        }
    }

    internal static class Microseconds
    {
        private const long Ticks = TimeSpan.TicksPerMillisecond / 1000;

        internal static long Of(TimeSpan time) => time.Ticks / Ticks;

        internal static TimeSpan Time(long microseconds) => TimeSpan.FromTicks(checked(microseconds * Ticks));
    }

    /// <summary>A picture with its time: a part of a message (<see cref="Chat.AddFrame"/>). Any picture will do; those of a
    /// <see cref="ScoutVideo"/> come with their times.</summary>
    public sealed class VideoFrame : IDisposable
    {
        /// <summary>Makes a frame, whose picture it then owns.</summary>
        /// <param name="image">Any picture.</param>
        /// <param name="time">When it is shown, from the clip's start on.</param>
        /// <param name="maxTiles">Of the picture in a chat, 1 to 256; 0 is 1.</param>
        public VideoFrame(ScoutImage image, TimeSpan time, int maxTiles = 0)
        {
            if (image == null) throw new ArgumentNullException(nameof(image));
            Image = image;
            Time = time;
            MaxTiles = maxTiles;
        }

        /// <summary>The picture.</summary>
        public ScoutImage Image { get; }

        /// <summary>When it is shown, from the clip's start on.</summary>
        public TimeSpan Time { get; }

        /// <summary>Tiles of the picture in a chat, 1 to 256; 0 is 1.</summary>
        public int MaxTiles { get; }

        /// <summary>Frees the picture. May be called twice; a chat keeps what it was given.</summary>
        public void Dispose() => Image.Dispose();
    }

    /// <summary>A clip: the frames that its options choose, in the order of their times, once. It needs no model. One thread at a time takes
    /// frames; any may cancel or dispose.</summary>
    /// <example><code>
    /// using (var video = ScoutVideo.FromFile("clip.mp4", new VideoOptions { FramesPerSecond = 2 }))
    ///     foreach (VideoFrame frame in video)
    ///         using (frame) Console.WriteLine(frame.Time + " " + frame.Image.Info.Width);
    ///
    /// using (var video = ScoutVideo.FromFile("clip.mp4"))
    /// using (var chat = model.CreateChat().Begin(Role.User).AddVideo(video).AddText("What happens here?")) ...
    /// </code></example>
    public sealed class ScoutVideo : IDisposable, IEnumerable<VideoFrame>
    {
        private readonly VideoHandle handle;
        private readonly int maxTiles;

        private ScoutVideo(VideoHandle handle, int maxTiles)
        {
            this.handle = handle;
            this.maxTiles = maxTiles;
        }

        internal VideoHandle Handle => ScoutHandle.Open(handle, nameof(ScoutVideo));

        private unsafe delegate int Making(scout_video_options* options, out VideoHandle video, out IntPtr message);

        private static unsafe ScoutVideo Made(VideoOptions options, Making call)
        {
            using (var memory = new Memory())
            {
                scout_video_options native;
                (options ?? new VideoOptions()).Fill(out native, memory);
                VideoHandle video;
                IntPtr message;
                Failure.CheckMade(call(&native, out video, out message), message);
                return new ScoutVideo(video, native.max_tiles);
            }
        }

        /// <summary>Opens an MP4, QuickTime, Matroska or WebM file, which stays open until it is disposed. Its name does not matter; null are
        /// the default options.</summary>
        /// <exception cref="ScoutException"><see cref="ScoutStatus.Unsupported"/> names another container or codec, and says when the library's
        /// plug-in for video is missing.</exception>
        public static unsafe ScoutVideo FromFile(string path, VideoOptions options = null)
        {
            byte[] bytes = Utf8.Terminated(path, nameof(path));
            return Made(options, (scout_video_options* native, out VideoHandle video, out IntPtr message) => Native.scoutcs_video_open(
                bytes, native, out video, out message));
        }

        /// <summary>Opens the bytes of such a file, which are copied; null are the default options.</summary>
        public static unsafe ScoutVideo FromBytes(byte[] file, VideoOptions options = null)
        {
            if (file == null) throw new ArgumentNullException(nameof(file));
            return Made(options, (scout_video_options* native, out VideoHandle video, out IntPtr message) => Native.scoutcs_video_from_bytes(
                file, (ulong)file.Length, native, out video, out message));
        }

        /// <summary>What the clip is.</summary>
        public unsafe VideoInfo Info
        {
            get
            {
                using (var held = new Hold(handle, nameof(ScoutVideo)))
                {
                    var info = default(scout_video_info);
                    info.struct_size = (uint)sizeof(scout_video_info);
                    IntPtr message;
                    Failure.Check(Native.scoutcs_video_get_info(held.Pointer, ref info, out message), message);
                    return new VideoInfo(&info);
                }
            }
        }

        /// <summary>The next frame, whose picture is the caller's to dispose; null at the end. After a failure every further call fails as the
        /// first did.</summary>
        public VideoFrame Next()
        {
            ImageHandle image;
            long time;
            IntPtr message;
            int status = Native.scoutcs_video_next(Handle, out image, out time, out message);
            Failure.Check(status, message);
            return status == (int)ScoutStatus.Done ? null : new VideoFrame(new ScoutImage(image), Microseconds.Time(time), maxTiles);
        }

        /// <summary>The frames that were not taken yet. When the token is cancelled so is the clip.</summary>
        public IEnumerable<VideoFrame> Frames(CancellationToken cancellation = default(CancellationToken))
        {
            using (CancelWith(cancellation))
            {
                while (true)
                {
                    VideoFrame frame = Ending(cancellation, Next);
                    if (frame == null) yield break;
                    yield return frame;
                }
            }
        }

        /// <summary>The frames that were not taken yet.</summary>
        public IEnumerator<VideoFrame> GetEnumerator() => Frames().GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

        internal CancellationTokenRegistration CancelWith(CancellationToken token) =>
            token.CanBeCanceled ? token.Register(Cancel, false) : default(CancellationTokenRegistration);

        // A call whose failure is the token's when that was cancelled.
        internal static T Ending<T>(CancellationToken token, Func<T> call)
        {
            try
            {
                return call();
            }
            catch (ScoutException error) when (error.Status == ScoutStatus.Cancelled && token.IsCancellationRequested)
            {
                throw new OperationCanceledException(error.Message, error, token);
            }
        }

        /// <summary>Ends the call under way in another thread, soon, and those that follow, with <see cref="ScoutStatus.Cancelled"/>.</summary>
        public void Cancel() => ScoutHandle.Tell(handle, Native.scoutcs_video_cancel);

        /// <summary>Frees the clip; the pictures that it gave remain. May be called twice, and ends another thread's call.</summary>
        public void Dispose()
        {
            Cancel();
            handle.End();
        }
    }
}
