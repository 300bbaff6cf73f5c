package org.xenolith.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class MemorySizeTest {
    @Test
    void sizesAreReadAsPeopleWriteThem() {
        assertThat(MemorySize.parse("512M").bytes()).isEqualTo(512L << 20);
        assertThat(MemorySize.parse("2g").bytes()).isEqualTo(2L << 30);
        assertThat(MemorySize.parse("65536K").bytes()).isEqualTo(64L << 20);
        assertThat(MemorySize.parse("1GiB").bytes()).isEqualTo(1L << 30);
        assertThat(MemorySize.parse("256").bytes()).as("a bare number is MiB").isEqualTo(256L << 20);
    }

    @Test
    void whatIsNoSizeIsRefusedWithAnExample() {
        for (String text : List.of("", "M", "-1M", "1.5G", "12Q", "0x10", "1 G", "９M")) {
            assertThatThrownBy(() -> MemorySize.parse(text))
                    .as(text)
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("512M");
        }
        assertThatThrownBy(() -> MemorySize.parse("999999999999T"))
                .hasMessageContaining("more memory than any machine");
    }

    @Test
    void absurdSizesAreRefusedWithTheLimit() {
        assertThatThrownBy(() -> MemorySize.parse("1M").check(1L << 34)).hasMessageContaining("at least 32M");
        assertThatThrownBy(() -> MemorySize.parse("0").check(1L << 34)).hasMessageContaining("at least 32M");
        assertThatThrownBy(() -> MemorySize.parse("64G").check(1L << 34)).hasMessageContaining("16G");
        assertThat(MemorySize.parse("65537K").check(1L << 34).bytes() % 4096).isZero();
    }

    @Test
    void sizesPrintAsTheyAreRead() {
        for (String text : List.of("512M", "2G", "33K")) {
            assertThat(MemorySize.parse(text)).hasToString(text);
        }
    }
}
