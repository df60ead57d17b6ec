/**
 * Meta's Llama 4 in this process, by libscout. Begin at {@link scout.Model}.
 *
 * <p>Everything made here is {@link java.lang.AutoCloseable}: it may be closed twice, in any order and from any thread, and what is forgotten
 * goes with the garbage collector. Failures are {@link scout.ScoutException}.
 */
package scout;
