using System;
using System.Linq;
using System.Reflection;
using System.Threading;
using System.Threading.Tasks;
using Scout;
using static Suite;

// What C# users expect, and that nothing of it ends the process. Each static method of the classes that Main names is a test.
// Usage: ApiTests.exe abi.golden [PART_OF_A_NAME]
internal static class Shared
{
    internal const string Question = "What is 7 plus 5?", Answer = "7 + 5 = 12.";
    internal static ScoutModel Model;
    internal static string Golden;

    internal static RequestOptions Endless() => new RequestOptions { IgnoreEnd = true };

    // Runs what must end soon; a hang is a failure, not a hang of the test.
    internal static void Soon(string what, Action call)
    {
        var thread = new Thread(() => call()) { IsBackground = true };
        thread.Start();
        if (!thread.Join(TimeSpan.FromSeconds(60))) throw new Mismatch(what + " does not end");
    }

    internal static T Soon<T>(Task<T> task)
    {
        if (!Task.WhenAny(task, Task.Delay(TimeSpan.FromSeconds(60))).Result.Equals(task)) throw new Mismatch("a task does not end");
        return task.GetAwaiter().GetResult();
    }
}

internal static class ApiTests
{
    private static int Main(string[] arguments)
    {
        if (arguments[0] == "forget") return Forget();
        Shared.Golden = arguments[0];
        Shared.Model = ScoutModel.Load("scout-tiny");
        int failed = 0, good = 0;
        foreach (Type type in new[] { typeof(TextTests), typeof(ImageTests), typeof(VideoTests), typeof(Closing), typeof(Threads), typeof(Cancellation), typeof(Tasks) })
        {
            foreach (MethodInfo method in type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.DeclaredOnly))
            {
                string name = type.Name + "." + method.Name;
                if (arguments.Length > 1 && !name.Contains(arguments[1])) continue;
                try
                {
                    method.Invoke(null, null);
                    Console.WriteLine("ok " + name);
                    good++;
                }
                catch (TargetInvocationException error) when (error.InnerException is NotApplicable)
                {
                    Console.WriteLine("skipped " + name + ": " + error.InnerException.Message);
                }
                catch (TargetInvocationException error)
                {
                    Console.WriteLine("FAILED " + name + ": " + error.InnerException);
                    failed++;
                }
            }
        }
        Console.WriteLine(good + " ok, " + failed + " failed");
        Console.Out.Flush();
        End(failed == 0 && good > 0 ? 0 : 1);
        return 1;
    }

    // Mono's own end waits for a parked thread of its pool now and then, for up to a minute. "forget" ends as programs do.
    [System.Runtime.InteropServices.DllImport("libc", EntryPoint = "_exit")]
    private static extern void End(int code);

    // The end of a program that closes nothing, with threads inside.
    private static int Forget()
    {
        ScoutModel model = ScoutModel.Load("scout-tiny");
        Engine engine = model.CreateEngine();
        new Thread(() => engine.Next()) { IsBackground = true }.Start();
        model.Generate("Hi", Shared.Endless()).Next();
        Task<Event> waiting = model.CreateEngine().NextAsync();
        new Thread(() => model.Generate("Hi", Shared.Endless()).Count()) { IsBackground = true }.Start();
        model.CreateEngine().Score(new[] { 1, 2, 3 });
        Thread.Sleep(50);
        Console.WriteLine("forgotten");
        return waiting.IsCompleted ? 1 : 0;
    }
}
