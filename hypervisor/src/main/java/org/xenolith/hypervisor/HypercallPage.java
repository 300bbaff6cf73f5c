package org.xenolith.hypervisor;

import java.util.Arrays;
import org.xenolith.abi.HypercallNumber;
import org.xenolith.memory.GuestPhysical;

/**
 * The page of stubs that a guest calls for hypercalls: for each number {@code mov eax, number; vmcall; ret}, with the
 * instruction of the vendor that CPUID shows.
 */
final class HypercallPage {
    private static final int VENDOR_AUTH = 0x68747541; // "Auth" of AuthenticAMD
    private static final int VENDOR_HYGO = 0x6F677948; // "Hygo" of HygonGenuine

    private HypercallPage() {}

    static byte[] content(CpuidSource policy) {
        int[] vendor = new int[4];
        policy.leaf(0, 0, vendor);
        boolean amd = vendor[1] == VENDOR_AUTH || vendor[1] == VENDOR_HYGO;
        byte[] page = new byte[GuestPhysical.FRAME_SIZE];
        Arrays.fill(page, (byte) 0xCC);
        for (int number = 0; number < HypercallNumber.PAGE_SLOTS; number++) {
            int at = number * HypercallNumber.PAGE_STRIDE;
            if (number == HypercallNumber.IRET) {
                // Not for hardware containers: UD2.
                page[at] = 0x0F;
                page[at + 1] = 0x0B;
                continue;
            }
            page[at] = (byte) 0xB8;
            page[at + 1] = (byte) number;
            page[at + 2] = 0;
            page[at + 3] = 0;
            page[at + 4] = 0;
            page[at + 5] = 0x0F;
            page[at + 6] = 0x01;
            page[at + 7] = (byte) (amd ? 0xD9 : 0xC1);
            page[at + 8] = (byte) 0xC3;
        }
        return page;
    }
}
