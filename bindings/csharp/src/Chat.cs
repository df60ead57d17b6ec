using global::System;
using System.Collections.Generic;
using global::System.Threading;

namespace Scout
{
    /// <summary>A conversation in the model's chat format. Text given here can never become control tokens. One thread at a time uses
    /// it. What adds returns the chat, so that it chains.</summary>
    public sealed class Chat : IDisposable
    {
        private readonly ChatHandle handle;

        internal Chat(ChatHandle handle)
        {
            this.handle = handle;
        }

        internal ChatHandle Handle => ScoutHandle.Open(handle, nameof(Chat));

        /// <summary>The number of messages.</summary>
        public int Count
        {
            get
            {
                ulong count;
                IntPtr message;
                Failure.Check(Native.scoutcs_chat_count(Handle, out count, out message), message);
                return checked((int)count);
            }
        }

        /// <summary>The token ids of the conversation, with the beginning of the assistant's answer.</summary>
        public IReadOnlyList<int> Tokens => Filled.Ids(Handle, Native.scoutcs_chat_tokens);

        /// <summary>Adds a message; a system message comes first or not at all.</summary>
        public Chat Add(Role role, string text) => Add(role, Utf8.Bytes(text, nameof(text)));

        /// <summary>Adds a message whose text is bytes, UTF-8 or not.</summary>
        public Chat Add(Role role, byte[] text)
        {
            if (text == null) throw new ArgumentNullException(nameof(text));
            IntPtr message;
            Failure.Check(Native.scoutcs_chat_add(Handle, (int)role, text, (ulong)text.Length, out message), message);
            return this;
        }

        /// <summary>Adds the system message, which comes first or not at all.</summary>
        public Chat System(string text) => Add(Role.System, text);

        /// <summary>Adds a user's message.</summary>
        public Chat User(string text) => Add(Role.User, text);

        /// <summary>Adds an assistant's message as text; <see cref="AddAnswer"/> keeps the exact tokens.</summary>
        public Chat Assistant(string text) => Add(Role.Assistant, text);

        /// <summary>Begins a message to which <see cref="AddText"/>, <see cref="AddImage"/>, <see cref="AddFrame"/>
        /// and <see cref="AddVideo"/> add parts.</summary>
        public Chat Begin(Role role)
        {
            IntPtr message;
            Failure.Check(Native.scoutcs_chat_begin(Handle, (int)role, out message), message);
            return this;
        }

        /// <summary>Adds text to the message that <see cref="Begin"/> began.</summary>
        public Chat AddText(string text)
        {
            byte[] bytes = Utf8.Bytes(text, nameof(text));
            IntPtr message;
            Failure.Check(Native.scoutcs_chat_add_text(Handle, bytes, (ulong)bytes.Length, out message), message);
            return this;
        }

        /// <summary>Adds a picture to the message that <see cref="Begin"/> began, at this place among its texts. The chat keeps what it needs:
        /// the picture may be closed. Any message but the system's may hold pictures.</summary>
        /// <exception cref="ScoutException"><see cref="ScoutStatus.Unsupported"/>, saying why, when the model was loaded without a vision
        /// tower: see <see cref="LoadOptions.Vision"/>.</exception>
        public Chat AddImage(ScoutImage image)
        {
            if (image == null) throw new ArgumentNullException(nameof(image));
            IntPtr message;
            Failure.Check(Native.scoutcs_chat_add_image(Handle, image.Handle, out message), message);
            return this;
        }

        /// <summary>Adds a frame to the message that <see cref="Begin"/> began: its time as text, "[1.0 s]", and directly behind it the
        /// picture.</summary>
        public Chat AddFrame(VideoFrame frame)
        {
            if (frame == null) throw new ArgumentNullException(nameof(frame));
            IntPtr message;
            int status = Native.scoutcs_chat_add_frame(Handle, frame.Image.Handle, Microseconds.Of(frame.Time), frame.MaxTiles, out message);
            Failure.Check(status, message);
            return this;
        }

        /// <summary>Adds the frames of a clip that were not taken yet to the message that <see cref="Begin"/> began, each with its time before
        /// it. After a failure the message is as before. When the token is cancelled so is the clip.</summary>
        public Chat AddVideo(ScoutVideo video, CancellationToken cancellation = default(CancellationToken))
        {
            if (video == null) throw new ArgumentNullException(nameof(video));
            using (video.CancelWith(cancellation))
            {
                return ScoutVideo.Ending(cancellation, () =>
                {
                    ulong frames;
                    IntPtr message;
                    Failure.Check(Native.scoutcs_chat_add_video(Handle, video.Handle, out frames, out message), message);
                    return this;
                });
            }
        }

        /// <summary>Adds a finished request's answer: exactly the tokens that were generated, so that the next turn finds the pages of this
        /// one.</summary>
        public Chat AddAnswer(Request request)
        {
            if (request == null) throw new ArgumentNullException(nameof(request));
            IntPtr message;
            Failure.Check(Native.scoutcs_chat_add_answer(Handle, request.Handle, out message), message);
            return this;
        }

        /// <summary>Frees the conversation. May be called twice.</summary>
        public void Dispose() => handle.End();
    }
}
