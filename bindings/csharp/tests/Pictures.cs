using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Scout;
using static Suite;

// Pictures made of numbers, and the behaviours of pictures (bindings/conformance).
internal sealed class Pictures
{
    private readonly ScoutModel model;

    internal Pictures(ScoutModel model, Dictionary<string, Action<Case>> kinds)
    {
        this.model = model;
        kinds.Add("image", Image);
        kinds.Add("tiling", c => Same("grid", c.Ints("grid"), Grid(ScoutImage.TilingOfSize(c.Ints("size")[0], c.Ints("size")[1], TileOptionsOf(c)))));
        kinds.Add("image_tokens", Tokens);
        kinds.Add("chat_image", ChatImage);
        kinds.Add("error_image", c => Fails(c, () => Refused(c)));
    }

    // The high bytes of a linear congruential generator.
    internal static byte[] Samples(int count, uint seed)
    {
        var made = new byte[count];
        for (int i = 0; i < count; i++)
        {
            seed = unchecked(seed * 1664525 + 1013904223);
            made[i] = (byte)(seed >> 24);
        }
        return made;
    }

    // Of width, height, channels and seed.
    internal static ScoutImage Picture(int[] p, ImageOptions options = null) =>
        ScoutImage.FromPixels(Samples(p[0] * p[1] * p[2], (uint)p[3]), p[0], p[1], p[2], options);

    internal static int Checksum(byte[] data)
    {
        uint sum = 2166136261;
        foreach (byte b in data) sum = unchecked((sum ^ b) * 16777619);
        return (int)(sum & 0x7fffffff);
    }

    private static int[] Grid(Tiling t) => new[] { t.Rows, t.Columns, t.Tiles, t.DrawnWidth, t.DrawnHeight, (int)t.Tokens };

    private static IEnumerable<KeyValuePair<string, int>> Pairs(Case c, string key) => c.All(key).Select(line => line.Split(' '))
        .Select(part => new KeyValuePair<string, int>(part[0], int.Parse(part[1], CultureInfo.InvariantCulture)));

    private static ImageOptions ImageOptionsOf(Case c)
    {
        var made = new ImageOptions();
        foreach (KeyValuePair<string, int> pair in Pairs(c, "image_option"))
        {
            switch (pair.Key)
            {
                case "alpha": made.Alpha = (Alpha)pair.Value; break;
                case "orientation": made.Orientation = pair.Value; break;
                case "max_pixels": made.MaxPixels = (ulong)pair.Value; break;
                case "max_bytes": made.MaxBytes = (ulong)pair.Value; break;
                default: throw new Mismatch("unknown image option " + pair.Key);
            }
        }
        return made;
    }

    internal static TileOptions TileOptionsOf(Case c)
    {
        var made = new TileOptions();
        foreach (KeyValuePair<string, int> pair in Pairs(c, "tile_option"))
        {
            switch (pair.Key)
            {
                case "tile_side": made.TileSide = pair.Value; break;
                case "max_tiles": made.MaxTiles = pair.Value; break;
                case "patch_tokens": made.PatchTokens = pair.Value; break;
                case "resize": made.Resize = (Resize)pair.Value; break;
                case "threads": made.Threads = pair.Value; break;
                default: throw new Mismatch("unknown tile option " + pair.Key);
            }
        }
        return made;
    }

    private static void Image(Case c)
    {
        using (ScoutImage image = Picture(c.Ints("picture"), ImageOptionsOf(c)))
        {
            Same("info", c.Ints("info"), new[] { (int)image.Info.Width, (int)image.Info.Height, image.Info.Orientation });
            Same("format", c.One("format"), image.Info.Format);
            TileOptions options = TileOptionsOf(c);
            Tiling tiling = image.GetTiling(options);
            Same("grid", c.Ints("grid"), Grid(tiling));
            List<byte[]> tiles = Enumerable.Range(0, tiling.Tiles).Select(index => image.Tile(index, options)).ToList();
            foreach (byte[] tile in tiles) Same("bytes", tiling.TileBytes, tile.Length);
            Same("checksums", c.Ints("checksums"), tiles.Select(Checksum));
        }
    }

    private void Tokens(Case c)
    {
        using (ScoutImage image = Picture(c.Ints("picture"))) Same("ids", c.Ints("ids"), image.Tokens(model, TileOptionsOf(c)));
    }

    private static void Add(Chat chat, Case c)
    {
        chat.Begin(Role.User);
        foreach (string[] part in c.All("part").Select(line => line.Split(new[] { ' ' }, 2)))
        {
            if (part[0] == "text") chat.AddText(Utf8(Unescape(part[1])));
            else using (ScoutImage image = Picture(part[1].Split(' ').Select(int.Parse).ToArray())) chat.AddImage(image); // the chat keeps what it needs
        }
    }

    private static void ChatImage(Case c)
    {
        using (ScoutModel seeing = ScoutModel.Load("scout-tiny", new LoadOptions { Vision = true }))
        using (Chat chat = seeing.CreateChat())
        {
            if (c.Has("status"))
            {
                Fails(c, () => Add(chat, c));
                return;
            }
            Add(chat, c);
            Same("prompt_ids", c.Ints("prompt_ids"), chat.Tokens);
        }
    }

    private void Refused(Case c)
    {
        switch (c.One("call"))
        {
            case "pixels":
                int[] p = c.Ints("picture");
                byte[] pixels = Samples(p[0] * p[1] * p[2], (uint)p[3]);
                if (c.Has("count")) Array.Resize(ref pixels, c.Number("count"));
                ScoutImage.FromPixels(pixels, p[0], p[1], p[2], ImageOptionsOf(c), c.Has("stride") ? c.Number("stride") : 0);
                break;
            case "bytes":
                ScoutImage.FromBytes(Unescape(c.One("bytes")), ImageOptionsOf(c));
                break;
            case "file":
                ScoutImage.FromFile(c.One("path"));
                break;
            case "tiling":
                ScoutImage.TilingOfSize(c.Ints("size")[0], c.Ints("size")[1], TileOptionsOf(c));
                break;
            case "tile":
                Picture(c.Ints("picture")).Tile(c.Number("index"));
                break;
            case "closed":
                ScoutImage closed = Picture(c.Ints("picture"));
                closed.Dispose();
                closed.GetTiling();
                break;
            case "chat":
                using (Chat chat = model.CreateChat())
                using (ScoutImage image = Picture(c.Ints("picture"))) chat.Begin(Role.User).AddImage(image);
                break;
            default:
                throw new Mismatch("unknown call " + c.One("call"));
        }
    }
}
