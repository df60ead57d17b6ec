using System;
using Scout;

// The shortest program. Usage: Hello [MODEL]
internal static class Hello
{
    private static void Main(string[] arguments)
    {
        using (var model = ScoutModel.Load(arguments.Length > 0 ? arguments[0] : "scout-tiny"))
        {
            foreach (var e in model.Generate("Tell me a story about a fox.")) Console.Write(e.Text);
            Console.WriteLine();
        }
    }
}
