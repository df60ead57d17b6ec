package scout;

import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** An answer that is being made. One thread at a time reads it; any may cancel. */
public final class Request extends Handle implements Iterable<Event> {
  private final AtomicBoolean inside = new AtomicBoolean();
  private volatile boolean done;

  Request(long pointer) {
    super(pointer, "request", NativeJNI::scout_request_free, NativeJNI::scout_request_cancel);
  }

  /** The next event, waited for without end; null after the last. */
  public Event next() {
    return next(-1);
  }

  /**
   * The next event; null when the time is up or after the last (see {@link #done}). A request that failed is told by the event; iterating
   * throws it.
   */
  public Event next(long timeoutMs) {
    if (!inside.compareAndSet(false, true)) throw new ScoutException(Status.ERR_STATE, "another thread is inside this request");
    try {
      return call(pointer -> {
        Event[] event = new Event[1];
        if (done) return null;
        int status = NativeJNI.scout_request_next(pointer, timeoutMs, event);
        if (status == Status.DONE.code() || (event[0] != null && event[0].last())) done = true;
        return event[0];
      });
    } finally {
      inside.set(false);
    }
  }

  /** True once the last event was taken. */
  public boolean done() {
    return done;
  }

  /** The rest of the answer. A failed request throws; leaving the loop early keeps it running until it is closed. */
  @Override
  public Iterator<Event> iterator() {
    return new Iterator<>() {
      private Event ahead;

      @Override
      public boolean hasNext() {
        if (ahead == null) ahead = Request.this.next();
        if (ahead != null && ahead.stop() == Event.Stop.ERROR) throw new ScoutException(ahead.status(), ahead.message());
        return ahead != null;
      }

      @Override
      public Event next() {
        if (!hasNext()) throw new NoSuchElementException();
        Event event = ahead;
        ahead = null;
        return event;
      }
    };
  }

  /** The rest of the answer as a stream, which closes the request when it is closed. */
  public Stream<Event> stream() {
    return StreamSupport.stream(Spliterators.spliteratorUnknownSize(iterator(), Spliterator.ORDERED | Spliterator.NONNULL), false)
        .onClose(this::close);
  }

  /** Waits for the end and returns the rest of the answer as one text. */
  public String text() {
    StringBuilder text = new StringBuilder();
    for (Event event : this) text.append(event.text());
    return text.toString();
  }

  /** The token ids generated so far, as far as their events were taken. */
  public int[] ids() {
    return ids(NativeJNI::scout_request_ids);
  }

  /** Ends the request; its last event says CANCELLED. From any thread; harmless after the end and after {@link #close}. */
  public void cancel() {
    try {
      call(NativeJNI::scout_request_cancel);
    } catch (ScoutException error) {
      if (error.status() != Status.ERR_STATE) throw error;
    }
  }
}
