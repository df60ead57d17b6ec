using System;
using System.Linq;
using System.Threading.Tasks;
using Scout;

// Many requests at once: they share the engine's steps, and no thread waits for any of them. Usage: Many MODEL QUESTION...
internal static class Many
{
    private static async Task Ask(ScoutModel model, Engine engine, string question)
    {
        using (var chat = model.CreateChat().User(question))
        using (var request = engine.Submit(chat, new RequestOptions { MaxTokens = 200 }))
        {
            string text = await request.ReadToEndAsync();
            Event last = request.Last;
            Console.WriteLine("{0}\n  {1}\n  ({2} tokens, waited {3:0} ms, answered in {4:0} ms)", question, text, last.GeneratedTokens,
                last.QueueTime.TotalMilliseconds, (last.PrefillTime + last.DecodeTime).TotalMilliseconds);
        }
    }

    private static async Task Run(string path, string[] questions)
    {
        using (var model = await ScoutModel.LoadAsync(path))
        using (var engine = model.CreateEngine())
            await Task.WhenAll(questions.Select(question => Ask(model, engine, question)));
    }

    private static void Main(string[] arguments) => Run(arguments[0], arguments.Skip(1).ToArray()).Wait();
}
