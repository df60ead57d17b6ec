package scout;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * Finds the native library: the file that the system property {@code scout.library} names, or else the copy in this jar, or else the one
 * on {@code java.library.path}.
 */
final class Loader {
  private static final String FOLDER = "/scout/natives/linux-x86_64/";
  private static final String[] FILES = {"libscout.so.0", "libscoutjava.so"}; // in the order of loading
  private static boolean loaded;

  private Loader() {}

  static synchronized void load() {
    if (loaded) return;
    String named = System.getProperty("scout.library");
    if (named != null) {
      System.load(Path.of(named).toAbsolutePath().toString());
    } else if (Loader.class.getResource(FOLDER + FILES[1]) != null) {
      try {
        unpack();
      } catch (IOException error) {
        throw new UnsatisfiedLinkError("the native library cannot be unpacked: " + error.getMessage());
      }
    } else {
      System.loadLibrary("scoutjava");
    }
    loaded = true;
  }

  private static void unpack() throws IOException {
    Path folder = Files.createTempDirectory("scout");
    for (String name : FILES) {
      Path file = folder.resolve(name);
      try (InputStream in = Loader.class.getResourceAsStream(FOLDER + name)) {
        if (in == null) throw new IOException(name + " is not in the jar");
        Files.copy(in, file, StandardCopyOption.REPLACE_EXISTING);
      }
      System.load(file.toString());
    }
    // A loaded library needs no name any more.
    for (String name : FILES) Files.delete(folder.resolve(name));
    Files.delete(folder);
  }
}
