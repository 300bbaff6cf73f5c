package org.xenolith.toolstack.inspect;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.Efer;
import org.xenolith.cpu.VcpuState;

class PageWalkTest {
    private final FakeMemory memory = new FakeMemory(8);
    private final VcpuState state = new VcpuState();

    @AfterEach
    void close() {
        state.close();
    }

    private PageWalk walk(long linear) {
        return PageWalk.of(state, memory, linear);
    }

    private void longMode() {
        state.setLong(VcpuState.CR0, 1L << 31 | 1);
        state.setLong(VcpuState.CR4, 0x20);
        state.setLong(VcpuState.EFER, Efer.LMA);
        state.setLong(VcpuState.CR3, 0x1000 | 5);
    }

    @Test
    void withoutPagingAddressesAreWhatTheyAre() {
        assertThat(walk(0x12345).physical()).isEqualTo(0x12345);
        assertThat(walk(0x12345).format(0x12345)).contains("no paging");
    }

    @Test
    void everyLevelOfAFourLevelWalkIsShown() {
        longMode();
        memory.put(0x1000 + 511 * 8, 0x2063);
        memory.put(0x2000 + 510 * 8, 0x3063);
        memory.put(0x3000 + 8 * 8, 0x4063);
        memory.put(0x4000 + 3 * 8, 1L << 63 | 0x5163);
        PageWalk walk = walk(0xffffffff81003123L);
        assertThat(walk.physical()).isEqualTo(0x5123);
        assertThat(walk.levels()).extracting(PageWalk.Level::name).containsExactly("PML4E", "PDPTE", "PDE", "PTE");
        assertThat(walk.format(0xffffffff81003123L))
                .contains("PTE  [  3] @ 0x4018 = 0x8000000000005163 -> 0x5000  P W S A D G NX")
                .contains("guest-physical 0x5123, 4 KiB page, rw-, kernel only");
    }

    @Test
    void bigPagesEndTheWalkEarly() {
        longMode();
        memory.put(0x1000, 0x2067);
        memory.put(0x2000, 0x3067);
        memory.put(0x2000 + 8, 0x400000e7L);
        memory.put(0x3000 + 8, 0x6000e7);
        assertThat(walk(0x234567).physical()).isEqualTo(0x634567);
        assertThat(walk(0x234567).format(0x234567)).contains("2 MiB page, rwx, user");
        assertThat(walk(0x41234567).physical()).isEqualTo(0x41234567);
        assertThat(walk(0x41234567).format(0x41234567)).contains("1 GiB page");
    }

    @Test
    void whatIsMissingIsNamed() {
        longMode();
        memory.put(0x1000, 0x2067);
        memory.put(0x1000 + 8, 0x100067);
        assertThat(walk(0x1000).problem()).isEqualTo("PDPTE not present");
        assertThat(walk(1L << 39).problem()).isEqualTo("no memory at 0x100000 for a page table");
        assertThat(walk(1L << 47).problem()).isEqualTo("not canonical");
        assertThat(walk(0x1000).isMapped()).isFalse();
    }

    @Test
    void theOldFormsOfPagingAreKnown() {
        state.setLong(VcpuState.CR0, 1L << 31 | 1);
        state.setLong(VcpuState.CR3, 0x1000);
        memory.write(0x1000, 4, 0x2007);
        memory.write(0x2000 + 4 * 5, 4, 0x3003);
        assertThat(walk(0x5678).physical()).isEqualTo(0x3678);
        state.setLong(VcpuState.CR4, 0x10);
        memory.write(0x1000 + 4, 4, 0x800083);
        assertThat(walk(0x412345).physical()).isEqualTo(0x812345);
        state.setLong(VcpuState.CR4, 0x20);
        memory.put(0x1000, 0x4001);
        memory.put(0x4000, 0x5063);
        memory.put(0x5000 + 8 * 7, 0x6063);
        assertThat(walk(0x7123).physical()).isEqualTo(0x6123);
    }
}
