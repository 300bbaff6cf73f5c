package org.xenolith.services.loader;

/**
 * The header of a Linux bzImage (the x86 boot protocol, {@code Documentation/arch/x86/boot.rst}), as far as a loader
 * needs it that goes straight to the kernel inside.
 *
 * <pre>
 *   0x1F1  u8   setup_sects: 512-byte sectors of real-mode code after the boot sector (0 means 4)
 *   0x1FE  u16  0xAA55
 *   0x202  u32  "HdrS"
 *   0x206  u16  boot protocol version
 *   0x211  u8   loadflags: bit 0 loaded high (a bzImage, not a zImage)
 *   0x236  u16  xloadflags: bit 0 the kernel has a 64-bit entry point
 *   0x248  u32  payload_offset, from the start of the protected-mode code
 *   0x24C  u32  payload_length
 *   0x260  u32  init_size: memory that the kernel needs to unpack itself, so never less than the unpacked size
 * </pre>
 *
 * @param payloadOffset position of the compressed kernel in the file
 * @param payloadLength its length, with the trailing size
 * @param initSize init_size
 * @param has64BitEntry bit 0 of xloadflags
 */
record BzImage(int payloadOffset, int payloadLength, long initSize, boolean has64BitEntry) {
    private static final int HEADER_END = 0x264;
    private static final int FIRST_PROTOCOL_WITH_PAYLOAD = 0x208;
    private static final int SECTOR = 512;

    /** True when the file has the two magic numbers of a bzImage. */
    static boolean matches(ImageBytes file) {
        return file.startsWith(0x1fe, 0x55, 0xaa) && file.startsWith(0x202, 'H', 'd', 'r', 'S');
    }

    static BzImage parse(ImageBytes file) throws ImageFormatException {
        if (file.size() < HEADER_END) {
            throw new ImageFormatException(
                    "the kernel is truncated: it has only " + file.size() + " bytes; get the file again");
        }
        int version = file.u16(0x206);
        if (version < FIRST_PROTOCOL_WITH_PAYLOAD) {
            throw new ImageFormatException("the kernel is too old: boot protocol " + (version >> 8) + '.'
                    + String.format("%02d", version & 0xff)
                    + ", and 2.08 (Linux 2.6.26) is the first that can be unpacked;"
                    + " use a newer kernel or its vmlinux");
        }
        if ((file.u8(0x211) & 1) == 0) {
            throw new ImageFormatException("the kernel is a zImage; use a bzImage or its vmlinux");
        }
        int sectors = file.u8(0x1f1) == 0 ? 4 : file.u8(0x1f1);
        long offset = (sectors + 1L) * SECTOR + file.u32(0x248);
        long length = file.u32(0x24c);
        if (file.u32(0x248) == 0 || length == 0) {
            throw new ImageFormatException("the bzImage says that it has no kernel inside; get the file again");
        }
        if (offset + length > file.size()) {
            throw new ImageFormatException("the kernel is truncated: it should have at least " + (offset + length)
                    + " bytes and has " + file.size() + "; get the file again");
        }
        return new BzImage((int) offset, (int) length, file.u32(0x260), (file.u16(0x236) & 1) != 0);
    }
}
