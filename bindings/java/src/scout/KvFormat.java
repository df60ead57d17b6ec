package scout;

/** How keys and values are kept. */
public enum KvFormat {
  /** The library's choice: F16. */
  DEFAULT,
  /** Half precision floats. */
  F16,
  /** The upper half of floats. */
  BF16,
  /** Floats: twice the memory, for comparisons. */
  F32,
  /** Bytes with a scale for each 32 of them: 53 % of F16's memory. */
  Q8_0
}
