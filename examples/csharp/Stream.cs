using System;
using System.Globalization;
using System.Threading;
using Scout;

// Streaming that is cancelled after a while: the loop throws, as any cancelled operation. Usage: Stream [MODEL [MILLISECONDS]]
internal static class Stream
{
    private static void Main(string[] arguments)
    {
        var options = new RequestOptions { IgnoreEnd = true };
        using (var model = ScoutModel.Load(arguments.Length > 0 ? arguments[0] : "scout-tiny"))
        using (var source = new CancellationTokenSource(arguments.Length > 1 ? int.Parse(arguments[1], CultureInfo.InvariantCulture) : 500))
        using (var request = model.Generate("Tell me a story about a fox.", options, source.Token))
        {
            try
            {
                foreach (var e in request) Console.Write(e.Text);
            }
            catch (OperationCanceledException)
            {
                Console.WriteLine("\n(cancelled after {0} tokens)", request.Ids.Count);
            }
        }
    }
}
