package org.xenolith.services.builder;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * The ACPI tables of a PVH guest, as bytes: RSDP, XSDT, FADT, MADT and DSDT (ACPI specification 6.3, chapter 5.2).
 *
 * <p>Linux needs a MADT with a local APIC for each processor, or it registers no timer at all; the FADT says that there
 * is no PC hardware to look for. The identifier of a processor's local APIC is twice its number, as in Xen 4.17.
 *
 * @param tables XSDT and everything it points at, for {@link GuestLayout#ACPI_TABLES}
 * @param rsdpAddress guest-physical address of the RSDP, on the first page after the tables
 * @param rsdp the root pointer
 */
record AcpiTables(byte[] tables, long rsdpAddress, byte[] rsdp) {
    private static final int HEADER = 36;
    private static final int RSDP_SIZE = 36;
    /** FADT of ACPI 6.0 and later. */
    private static final int FADT_SIZE = 276;

    private static final int FADT_BOOT_NO_VGA = 1 << 2;
    private static final int FADT_BOOT_NO_CMOS_RTC = 1 << 5;
    private static final int FADT_FLAG_WBINVD = 1;
    private static final int FADT_FLAG_HW_REDUCED = 1 << 20;
    private static final int MADT_LOCAL_APIC = 0;
    private static final int MADT_LOCAL_X2APIC = 9;
    /** A local APIC identifier with 8 bits ends here; 255 is the broadcast. */
    private static final int LAST_XAPIC_ID = 254;

    /** {@code Scope (\_SB) {}}: a table without any code is legal, but nobody tests for it. */
    private static final byte[] AML = {0x10, 0x06, '\\', '_', 'S', 'B', '_'};

    static AcpiTables build(int vcpus, long base) {
        ByteBuffer out = ByteBuffer.allocate(GuestLayout.ACPI_TABLES_SIZE).order(ByteOrder.LITTLE_ENDIAN);
        int dsdt = dsdt(out);
        int fadt = fadt(out, base + dsdt);
        int madt = madt(out, vcpus);
        int xsdt = begin(out, "XSDT", 1);
        out.putLong(base + fadt);
        out.putLong(base + madt);
        end(out, xsdt);
        byte[] tables = new byte[out.position()];
        out.get(0, tables);
        long rsdpAddress = base + (tables.length + 4095 & -4096);
        return new AcpiTables(tables, rsdpAddress, rsdp(base + xsdt));
    }

    private static byte[] rsdp(long xsdt) {
        ByteBuffer out = ByteBuffer.allocate(RSDP_SIZE).order(ByteOrder.LITTLE_ENDIAN);
        out.put(ascii("RSD PTR ", 8));
        out.position(9);
        out.put(ascii("Xen", 6)).put((byte) 2).putInt(0).putInt(RSDP_SIZE).putLong(xsdt);
        out.put(8, checksum(out, 0, 20));
        out.put(32, checksum(out, 0, RSDP_SIZE));
        return out.array();
    }

    private static int dsdt(ByteBuffer out) {
        int start = begin(out, "DSDT", 2);
        out.put(AML);
        return end(out, start);
    }

    private static int fadt(ByteBuffer out, long dsdt) {
        int start = begin(out, "FACP", 6);
        out.putInt(start + 40, (int) dsdt);
        out.putShort(start + 109, (short) (FADT_BOOT_NO_VGA | FADT_BOOT_NO_CMOS_RTC));
        out.putInt(start + 112, FADT_FLAG_WBINVD | FADT_FLAG_HW_REDUCED);
        out.putLong(start + 140, dsdt);
        out.position(start + FADT_SIZE);
        return end(out, start);
    }

    private static int madt(ByteBuffer out, int vcpus) {
        int start = begin(out, "APIC", 4);
        // The flags word stays 0: there is no 8259 pair to mask.
        out.putInt((int) GuestLayout.LOCAL_APIC).putInt(0);
        for (int vcpu = 0; vcpu < vcpus; vcpu++) {
            int apicId = 2 * vcpu;
            if (apicId <= LAST_XAPIC_ID) {
                out.put((byte) MADT_LOCAL_APIC)
                        .put((byte) 8)
                        .put((byte) vcpu)
                        .put((byte) apicId)
                        .putInt(1);
            } else {
                out.put((byte) MADT_LOCAL_X2APIC).put((byte) 16).putShort((short) 0);
                out.putInt(apicId).putInt(1).putInt(vcpu);
            }
        }
        return end(out, start);
    }

    /** Writes a table header without its length and checksum; returns where the table starts. */
    private static int begin(ByteBuffer out, String signature, int revision) {
        int start = out.position() + 15 & -16;
        out.position(start);
        out.put(ascii(signature, 4)).putInt(0).put((byte) revision).put((byte) 0);
        out.put(ascii("Xen", 6))
                .put(ascii("HVM", 8))
                .putInt(0)
                .put(ascii("XENO", 4))
                .putInt(1);
        assert out.position() == start + HEADER;
        return start;
    }

    private static int end(ByteBuffer out, int start) {
        out.putInt(start + 4, out.position() - start);
        out.put(start + 9, checksum(out, start, out.position() - start));
        return start;
    }

    /** What makes the bytes sum to zero; the field itself must be zero before. */
    private static byte checksum(ByteBuffer bytes, int start, int length) {
        byte sum = 0;
        for (int i = start; i < start + length; i++) {
            sum += bytes.get(i);
        }
        return (byte) -sum;
    }

    private static byte[] ascii(String text, int length) {
        byte[] bytes = new byte[length];
        byte[] from = text.getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(from, 0, bytes, 0, Math.min(from.length, length));
        return bytes;
    }
}
