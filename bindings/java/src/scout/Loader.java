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
  private static final String[] PLUGINS = {
    "libscout-media.so", "libscout-video.so", "libscout-onednn.so" // opened when first needed; not in every jar
  };
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
      if (!copy(name, file)) throw new IOException(name + " is not in the jar");
      System.load(file.toString());
    }
    // A loaded library needs no name any more; a plug-in is looked for beside the library, for as long as this process runs.
    for (String name : FILES) Files.delete(folder.resolve(name));
    Path plugins = folder.resolve("scout");
    Files.createDirectory(plugins);
    for (Path kept : new Path[] {folder, plugins}) kept.toFile().deleteOnExit(); // what came last goes first
    boolean any = false;
    for (String name : PLUGINS) {
      Path plugin = plugins.resolve(name);
      if (copy(name, plugin)) {
        plugin.toFile().deleteOnExit();
        any = true;
      }
    }
    if (!any) {
      Files.delete(plugins);
      Files.delete(folder);
    }
  }

  private static boolean copy(String name, Path file) throws IOException {
    try (InputStream in = Loader.class.getResourceAsStream(FOLDER + name)) {
      if (in != null) Files.copy(in, file, StandardCopyOption.REPLACE_EXISTING);
      return in != null;
    }
  }
}
