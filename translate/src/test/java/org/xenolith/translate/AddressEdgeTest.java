package org.xenolith.translate;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuState;

/**
 * Accesses at the edges of what a probe proves, where emitted code would leave guest memory if the probe were wrong: each
 * would kill the JVM, or write to memory of the host.
 */
class AddressEdgeTest {
    private static final long CR4_PAE_OSFXSR = 0x220;

    private static String run(boolean translate, String code, long rax) {
        try (Machines m = new Machines(translate)) {
            byte[] bytes = HexFormat.of().parseHex(code.replace(" ", ""));
            m.load(bytes, bytes.length);
            m.state.setLong(VcpuState.CR4, CR4_PAE_OSFXSR);
            m.state.setGpr(VcpuState.RAX, rax);
            String exit = m.run(100).toString();
            return exit + " " + m.registers(true) + " cr2=" + Long.toHexString(m.state.getLong(VcpuState.CR2)) + " "
                    + HexFormat.of().formatHex(m.data());
        }
    }

    private static void same(String code, long rax) {
        assertThat(run(true, code, rax)).isEqualTo(run(false, code, rax));
    }

    @Test
    void displacementsAtBothEndsOfTheirRangeAreNotNeighbours() {
        // mov [rax+0x7ffffffc],rcx; mov [rax-0x80000000],ecx; hlt
        String code = "48 89 88 FC FF FF 7F  89 88 00 00 00 80  F4";
        same(code, Machines.DATA + 0x8000_0000L);
        same(code, Machines.DATA - 0x7fff_fffcL);
    }

    @Test
    void aStackPointerThatMovesOnceAroundFourGigabytesIsNotWhereItWas() {
        // mov [rsp-8],rax; four times sub rsp,0x40000000; mov [rsp-16],rax; hlt
        same("48 89 44 24 F8" + "48 81 EC 00 00 00 40".repeat(4) + "48 89 44 24 F0 F4", 5);
        // The same by lea, upwards, and with a push.
        same("50" + "48 8D A4 24 00 00 00 40".repeat(4) + "50 F4", 5);
    }

    @Test
    void aMisalignedStoreToAPageWithCodeRaisesAnExceptionOfTheGuest() {
        // mov [0x10fff],al fills the TLB for a watched page; movaps [0x10f00+n],xmm0; hlt
        for (int n = 0; n < 16; n++) {
            same(String.format("88 04 25 FF 0F 01 00  0F 29 04 25 %02X 0F 01 00  F4", n), 0);
        }
    }

    @Test
    void aMisalignedAccessToPageZeroRaisesAnExceptionOfTheGuest() {
        for (int n = 0; n < 16; n++) {
            // movaps xmm0,[0x10+n]; hlt, with an empty TLB
            same(String.format("0F 28 04 25 %02X 00 00 00 F4", 0x10 + n), 0);
            // movaps [rax+0x10],xmm0; mov [rax+0x14],ecx; hlt share a probe
            same("0F 29 40 10 89 48 14 F4", n);
        }
    }
}
