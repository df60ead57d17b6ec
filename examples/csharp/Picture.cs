using System;
using Scout;

// A question about a picture. Usage: Picture [MODEL [QUESTION [FILE]]]; without a file, about one that is drawn here.
internal static class Picture
{
    private const int Side = 96, Half = Side / 2, Reach = 18;

    // A red circle and a blue square on white.
    private static ScoutImage Drawn()
    {
        byte[] white = { 244, 244, 244 }, red = { 220, 30, 30 }, blue = { 40, 70, 225 };
        var pixels = new byte[Side * Side * 3];
        for (int y = 0; y < Side; y++)
        {
            for (int x = 0; x < Side; x++)
            {
                int across = x % Half - Half / 2, down = y - Half;
                bool circle = x < Half && across * across + down * down <= Reach * Reach;
                bool square = x >= Half && Math.Max(Math.Abs(across), Math.Abs(down)) <= Reach;
                (circle ? red : square ? blue : white).CopyTo(pixels, (y * Side + x) * 3);
            }
        }
        return ScoutImage.FromPixels(pixels, Side, Side, 3);
    }

    private static int Main(string[] arguments)
    {
        string name = arguments.Length > 0 ? arguments[0] : "scout-tiny";
        string question = arguments.Length > 1 ? arguments[1] : "What is in the picture?";
        try
        {
            using (var model = ScoutModel.Load(name, new LoadOptions { Vision = true })) // the tower that sees is loaded when it is asked for
            using (var image = arguments.Length > 2 ? ScoutImage.FromFile(arguments[2]) : Drawn()) // a file is a PNG, JPEG or WebP
            using (var engine = model.OpenDefaultEngine())
            using (var chat = model.CreateChat().Begin(Role.User).AddImage(image).AddText(question))
            using (var answer = engine.Submit(chat))
            {
                foreach (var e in answer) Console.Write(e.Text);
                Console.WriteLine();
            }
            return 0;
        }
        catch (ScoutException error)
        {
            Console.Error.WriteLine("picture: " + error.Message);
            return 1;
        }
    }
}
