using System;

namespace Scout
{
    /// <summary>A call of the library failed. The message is one line that names the field, the value and the limit.</summary>
    /// <remarks>A closed object says <see cref="ObjectDisposedException"/>, a cancelled token
    /// <see cref="OperationCanceledException"/>, a null <see cref="ArgumentNullException"/>.</remarks>
    public sealed class ScoutException : Exception
    {
        internal ScoutException(ScoutStatus status, string message) : base(message)
        {
            Status = status;
        }

        /// <summary>Which kind of failure it is; <see cref="ScoutStatus.Again"/> where the same call later may do.</summary>
        public ScoutStatus Status { get; }
    }
}
