using System;
using System.Linq;
using Scout;

// A conversation with memory: each turn finds the pages of the turns before it. Usage: ChatTurns MODEL QUESTION...
internal static class ChatTurns
{
    private static void Main(string[] arguments)
    {
        using (var model = ScoutModel.Load(arguments[0]))
        using (var engine = model.CreateEngine())
        using (var chat = model.CreateChat())
        {
            foreach (string question in arguments.Skip(1))
            {
                Console.WriteLine("> " + question);
                using (var request = engine.Submit(chat.User(question))) // text can never become control tokens
                {
                    foreach (var e in request) Console.Write(e.Text);
                    Console.WriteLine("\n({0} tokens of the prompt, {1} of them remembered)", request.Last.PromptTokens, request.Last.CachedTokens);
                    chat.AddAnswer(request); // exactly the tokens that were generated
                }
            }
        }
    }
}
