using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;

namespace Scout
{
    /// <summary>How a picture is read. What is not set is the library's default.</summary>
    public sealed class ImageOptions
    {
        /// <summary>What becomes of pixels that are not opaque.</summary>
        public Alpha Alpha { get; set; }

        /// <summary>0 turns as the file's EXIF says, 1 leaves it as it is stored, 2 to 8 turn as EXIF means by that number.</summary>
        public int Orientation { get; set; }

        /// <summary>Refuses a picture with more, before it is decoded; 0 is 134217728.</summary>
        public ulong MaxPixels { get; set; }

        /// <summary>Refuses a file with more; 0 is 268435456.</summary>
        public ulong MaxBytes { get; set; }

        /// <summary>Where the plug-in that reads files is looked for; null is beside the library.</summary>
        public string PluginDirectory { get; set; }

        internal unsafe void Fill(out scout_image_options native, Memory memory)
        {
            native = default(scout_image_options);
            IntPtr message;
            Failure.Check(Native.scoutcs_image_options_init(ref native, (ulong)sizeof(scout_image_options), out message), message);
            native.alpha = (int)Alpha;
            native.orientation = Orientation;
            native.max_pixels = MaxPixels;
            native.max_bytes = MaxBytes;
            if (PluginDirectory != null) native.plugin_dir = memory.Copy(Utf8.Terminated(PluginDirectory, nameof(PluginDirectory)));
        }
    }

    /// <summary>How a picture is cut into tiles: as the released Llama 4 models take it, unless said otherwise.
    /// <see cref="ScoutModel.GetTileOptions"/> has a model's.</summary>
    public sealed class TileOptions
    {
        /// <summary>The defaults.</summary>
        public TileOptions()
        {
        }

        internal TileOptions(scout_tile_options native)
        {
            TileSide = native.tile_side;
            MaxTiles = native.max_tiles;
            PatchTokens = native.patch_tokens;
            Resize = (Resize)native.resize;
            Threads = native.threads;
        }

        /// <summary>Pixels, 1 to 4096; 0 is 336.</summary>
        public int TileSide { get; set; }

        /// <summary>Of a grid, 1 to 256; 0 is 16, 1 is always one tile.</summary>
        public int MaxTiles { get; set; }

        /// <summary>Tokens that a tile becomes, 1 to 65536; 0 is 144.</summary>
        public int PatchTokens { get; set; }

        /// <summary>By whose rule.</summary>
        public Resize Resize { get; set; }

        /// <summary>0 is as many as the process may use; they change no pixel.</summary>
        public int Threads { get; set; }

        internal static unsafe void Fill(TileOptions options, out scout_tile_options native)
        {
            native = default(scout_tile_options);
            IntPtr message;
            Failure.Check(Native.scoutcs_tile_options_init(ref native, (ulong)sizeof(scout_tile_options), out message), message);
            if (options == null) return;
            native.tile_side = options.TileSide;
            native.max_tiles = options.MaxTiles;
            native.patch_tokens = options.PatchTokens;
            native.resize = (int)options.Resize;
            native.threads = options.Threads;
        }
    }

#if NETSTANDARD2_1_OR_GREATER || NETCOREAPP3_0_OR_GREATER
    internal static unsafe partial class Native
    {
        // Of a span: the declarations that are generated take arrays.
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int scoutcs_image_from_pixels(byte* pixels, ulong pixels_size, ulong width, ulong height, ulong stride,
            int channels, scout_image_options* options, out ImageHandle image, out IntPtr message);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        internal static extern int scoutcs_image_from_bytes(byte* bytes, ulong bytes_size, scout_image_options* options,
            out ImageHandle image, out IntPtr message);
    }
#endif

    /// <summary>A picture: for a question about it (<see cref="Chat.AddImage"/>), and for looking at what a vision model takes of it. It needs
    /// no model. Any number of threads may use it.</summary>
    /// <example><code>
    /// using (var model = ScoutModel.Load("Llama-4-Scout.gguf", new LoadOptions { Vision = true }))
    /// using (var image = ScoutImage.FromFile("photo.jpg"))
    /// using (var chat = model.CreateChat().Begin(Role.User).AddImage(image).AddText("What is this?")) ...
    /// </code></example>
    public sealed class ScoutImage : IDisposable
    {
        private readonly ImageHandle handle;

        internal ScoutImage(ImageHandle handle)
        {
            this.handle = handle;
        }

        internal ImageHandle Handle => ScoutHandle.Open(handle, nameof(ScoutImage));

        private unsafe delegate int Making(scout_image_options* options, out ImageHandle image, out IntPtr message);

        private static unsafe ScoutImage Made(ImageOptions options, Making call)
        {
            using (var memory = new Memory())
            {
                scout_image_options native;
                (options ?? new ImageOptions()).Fill(out native, memory);
                ImageHandle image;
                IntPtr message;
                Failure.CheckMade(call(&native, out image, out message), message);
                return new ScoutImage(image);
            }
        }

        private static ulong Size(int value, string name)
        {
            if (value < 0) throw new ArgumentOutOfRangeException(name, value, name + " must not be negative");
            return (ulong)value;
        }

        /// <summary>Makes a picture of pixels, which are copied.</summary>
        /// <param name="pixels">Rows of samples of 8 bits, channel by channel.</param>
        /// <param name="width">Pixels.</param>
        /// <param name="height">Pixels.</param>
        /// <param name="channels">1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.</param>
        /// <param name="options">Null are the defaults.</param>
        /// <param name="stride">Bytes from a row to the next; 0 is width * channels.</param>
        public static unsafe ScoutImage FromPixels(byte[] pixels, int width, int height, int channels, ImageOptions options = null, int stride = 0)
        {
            if (pixels == null) throw new ArgumentNullException(nameof(pixels));
            ulong columns = Size(width, nameof(width)), rows = Size(height, nameof(height)), step = Size(stride, nameof(stride));
            return Made(options, (scout_image_options* native, out ImageHandle image, out IntPtr message) => Native.scoutcs_image_from_pixels(
                pixels, (ulong)pixels.Length, columns, rows, step, channels, native, out image, out message));
        }

        /// <summary>Makes a picture of a PNG, JPEG or WebP file's bytes, which are not needed afterwards.</summary>
        public static unsafe ScoutImage FromBytes(byte[] file, ImageOptions options = null)
        {
            if (file == null) throw new ArgumentNullException(nameof(file));
            return Made(options, (scout_image_options* native, out ImageHandle image, out IntPtr message) => Native.scoutcs_image_from_bytes(
                file, (ulong)file.Length, native, out image, out message));
        }

#if NETSTANDARD2_1_OR_GREATER || NETCOREAPP3_0_OR_GREATER
        /// <summary>Makes a picture of pixels, which are copied.</summary>
        /// <param name="pixels">Rows of samples of 8 bits, channel by channel.</param>
        /// <param name="width">Pixels.</param>
        /// <param name="height">Pixels.</param>
        /// <param name="channels">1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.</param>
        /// <param name="options">Null are the defaults.</param>
        /// <param name="stride">Bytes from a row to the next; 0 is width * channels.</param>
        public static unsafe ScoutImage FromPixels(ReadOnlySpan<byte> pixels, int width, int height, int channels, ImageOptions options = null,
            int stride = 0)
        {
            ulong size = (ulong)pixels.Length, columns = Size(width, nameof(width)), rows = Size(height, nameof(height));
            ulong step = Size(stride, nameof(stride));
            fixed (byte* data = &MemoryMarshal.GetReference(pixels))
            {
                byte none = 0;
                byte* begin = data != null ? data : &none; // an empty span is nowhere
                return Made(options, (scout_image_options* native, out ImageHandle image, out IntPtr message) =>
                    Native.scoutcs_image_from_pixels(begin, size, columns, rows, step, channels, native, out image, out message));
            }
        }

        /// <summary>Makes a picture of a PNG, JPEG or WebP file's bytes, which are not needed afterwards.</summary>
        public static unsafe ScoutImage FromBytes(ReadOnlySpan<byte> file, ImageOptions options = null)
        {
            ulong size = (ulong)file.Length;
            fixed (byte* data = &MemoryMarshal.GetReference(file))
            {
                byte none = 0;
                byte* begin = data != null ? data : &none; // an empty span is nowhere
                return Made(options, (scout_image_options* native, out ImageHandle image, out IntPtr message) =>
                    Native.scoutcs_image_from_bytes(begin, size, native, out image, out message));
            }
        }
#endif

        /// <summary>Makes a picture of a PNG, JPEG or WebP file. Its name does not matter.</summary>
        public static unsafe ScoutImage FromFile(string path, ImageOptions options = null)
        {
            byte[] bytes = Utf8.Terminated(path, nameof(path));
            return Made(options, (scout_image_options* native, out ImageHandle image, out IntPtr message) => Native.scoutcs_image_from_file(
                bytes, native, out image, out message));
        }

        /// <summary>What the picture is.</summary>
        public unsafe ImageInfo Info
        {
            get
            {
                using (var held = new Hold(handle, nameof(ScoutImage)))
                {
                    var info = default(scout_image_info);
                    info.struct_size = (uint)sizeof(scout_image_info);
                    IntPtr message;
                    Failure.Check(Native.scoutcs_image_get_info(held.Pointer, ref info, out message), message);
                    return new ImageInfo(&info);
                }
            }
        }

        /// <summary>What a picture of a size, once turned, becomes, without its pixels; null are the defaults.</summary>
        public static unsafe Tiling TilingOfSize(int width, int height, TileOptions options = null)
        {
            scout_tile_options native;
            TileOptions.Fill(options, out native);
            var tiling = default(scout_tiling);
            tiling.struct_size = (uint)sizeof(scout_tiling);
            IntPtr message;
            int status = Native.scoutcs_tiling_of_size(Size(width, nameof(width)), Size(height, nameof(height)), &native, ref tiling, out message);
            Failure.Check(status, message);
            return new Tiling(&tiling);
        }

        /// <summary>What the picture becomes; null are the defaults. Nothing is computed of its pixels.</summary>
        public unsafe Tiling GetTiling(TileOptions options = null)
        {
            scout_tile_options native;
            TileOptions.Fill(options, out native);
            using (var held = new Hold(handle, nameof(ScoutImage)))
            {
                var tiling = default(scout_tiling);
                tiling.struct_size = (uint)sizeof(scout_tiling);
                IntPtr message;
                Failure.Check(Native.scoutcs_image_get_tiling(held.Pointer, &native, ref tiling, out message), message);
                return new Tiling(&tiling);
            }
        }

        /// <summary>What a model sees of a tile: TileSide rows of TileSide pixels of red, green and blue. The grid's tiles come row by row,
        /// the whole picture last. All tiles are made by the first call and kept until other options ask for others.</summary>
        public unsafe byte[] Tile(int index, TileOptions options = null)
        {
            ulong at = Size(index, nameof(index)), needed;
            scout_tile_options native;
            TileOptions.Fill(options, out native);
            var pixels = new byte[checked((int)GetTiling(options).TileBytes)];
            IntPtr message;
            Failure.Check(Native.scoutcs_image_tile(Handle, &native, at, pixels, (ulong)pixels.Length, out needed, out message), message);
            return pixels;
        }

        /// <summary>The ids that stand for the picture in a prompt of a model; null are the default options.</summary>
        public unsafe IReadOnlyList<int> Tokens(ScoutModel model, TileOptions options = null)
        {
            if (model == null) throw new ArgumentNullException(nameof(model));
            return Filled.Ids<ImageHandle>(Handle, (ImageHandle image, int[] room, ulong capacity, out ulong needed, out IntPtr message) =>
            {
                scout_tile_options native;
                TileOptions.Fill(options, out native);
                return Native.scoutcs_image_tokens(image, model.Handle, &native, room, capacity, out needed, out message);
            });
        }

        /// <summary>Frees the picture. May be called twice; a chat keeps what it was given.</summary>
        public void Dispose() => handle.End();
    }
}
