package org.xenolith.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageCacheTest {
    @TempDir
    private Path directory;

    private final AtomicInteger fills = new AtomicInteger();
    private final List<String> notes = new ArrayList<>();

    private ImageCache cache(boolean verify) {
        return cache(directory.resolve("cache"), verify);
    }

    private ImageCache cache(Path preferred, boolean verify) {
        return new ImageCache(preferred, directory.resolve("fallback"), verify, new Progress() {
            @Override
            public void update(String what, long done, long total) {}

            @Override
            public void done(String what) {}

            @Override
            public void note(String line) {
                notes.add(line);
            }
        });
    }

    private String fill(Path into) throws IOException {
        fills.incrementAndGet();
        Files.writeString(into.resolve("thing"), "contents");
        return "a test";
    }

    @Test
    void anEntryIsFilledOnceAndFoundAgain() throws Exception {
        assertThat(cache(false).get("key", this::fill).file("thing")).hasContent("contents");
        ImageCache.Entry again = cache(true).get("key", this::fill);
        assertThat(again.source()).isEqualTo("a test");
        assertThat(fills).hasValue(1);
        assertThat(notes).isEmpty();
    }

    @Test
    void aChangedFileIsFetchedAgain() throws Exception {
        Path thing = cache(false).get("key", this::fill).file("thing");
        Files.writeString(thing, "CONTENTS");
        Files.setLastModifiedTime(thing, FileTime.fromMillis(1000));
        assertThat(cache(false).get("key", this::fill).file("thing")).hasContent("contents");
        assertThat(fills).hasValue(2);
        assertThat(notes).singleElement().asString().contains("does not match its checksum");
    }

    @Test
    void damageThatKeepsSizeAndTimeIsFoundWhenAskedToVerify() throws Exception {
        Path thing = cache(false).get("key", this::fill).file("thing");
        FileTime time = Files.getLastModifiedTime(thing);
        Files.writeString(thing, "CONTENTS");
        Files.setLastModifiedTime(thing, time);
        assertThat(cache(true).get("key", this::fill).file("thing")).hasContent("contents");
        assertThat(fills).hasValue(2);
    }

    @Test
    void aFileThatWasOnlyTouchedStays() throws Exception {
        Path thing = cache(false).get("key", this::fill).file("thing");
        Files.setLastModifiedTime(thing, FileTime.fromMillis(1000));
        cache(false).get("key", this::fill);
        assertThat(fills).hasValue(1);
        assertThat(notes).isEmpty();
    }

    @Test
    void aFillThatFailsLeavesNothing() throws Exception {
        ImageCache cache = cache(false);
        assertThatThrownBy(() -> cache.get("key", into -> {
                    Files.writeString(into.resolve("half"), "x");
                    throw new IOException("disk full");
                }))
                .isInstanceOf(ImageException.class)
                .hasMessageContaining("disk full")
                .hasMessageContaining("XENOLITH_CACHE");
        try (Stream<Path> left = Files.list(directory.resolve("cache"))) {
            assertThat(left).isEmpty();
        }
    }

    @Test
    void aCacheThatCannotBeMadeFallsBackAndSaysSo() throws Exception {
        Path blocked = Files.writeString(directory.resolve("file"), "").resolve("cache");
        assertThat(cache(blocked, false).get("key", this::fill).file("thing")).hasContent("contents");
        assertThat(notes).singleElement().asString().contains("cannot be written; using");
        cache(blocked, false).get("key", this::fill);
        assertThat(fills).hasValue(1);
    }

    @Test
    void aManifestOfNonsenseIsNoEntry() throws Exception {
        Path entry = cache(false).get("key", this::fill).directory();
        Files.writeString(entry.resolve("manifest"), "file\tthing\tmany\n");
        cache(false).get("key", this::fill);
        assertThat(fills).hasValue(2);
    }

    @Test
    void theEnvironmentChoosesTheDirectory() {
        assertThat(ImageCache.defaultDirectory(Map.of("XENOLITH_CACHE", "/a", "XDG_CACHE_HOME", "/b")::get))
                .isEqualTo(Path.of("/a"));
        assertThat(ImageCache.defaultDirectory(Map.of("XDG_CACHE_HOME", "/b")::get))
                .isEqualTo(Path.of("/b/xenolith"));
        assertThat(ImageCache.defaultDirectory(Map.of("XDG_CACHE_HOME", "relative")::get))
                .isEqualTo(Path.of(System.getProperty("user.home"), ".cache", "xenolith"));
    }
}
