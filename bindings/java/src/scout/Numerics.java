package scout;

/** What the sums of a computation may depend on. */
public enum Numerics {
  /** The library's choice: INVARIANT. */
  DEFAULT,
  /** Same request, same bytes: whatever the batch, the prompt's cuts and the threads. */
  INVARIANT,
  /** A library may choose its blocking by the number of rows. */
  FAST,
  /** Device "ref" only: activations are never quantised. */
  FLOAT32
}
