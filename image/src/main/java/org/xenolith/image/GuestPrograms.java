package org.xenolith.image;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The program {@code /xenolith/report} of a guest: writes a line break, its argument and a line break to I/O port 0xE9, then
 * exits with 0, or with 1 when the kernel refuses access to the port.
 *
 * <p>A stock cloud kernel has no {@code /dev/port}, and the console must carry nothing but the command's own bytes; so the
 * guest brings these few machine instructions, made here, as an ELF executable of one segment.
 */
final class ReportProgram {
    /** Where the segment is mapped. */
    private static final long BASE = 0x400000;

    private static final int HEADERS = 64 + 56;

    private ReportProgram() {}

    /** The executable file. */
    static byte[] elf() {
        byte[] code = code();
        int size = HEADERS + code.length;
        ByteBuffer elf = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        // ELF header: 64-bit, little-endian, version 1, System V
        elf.put(new byte[] {0x7F, 'E', 'L', 'F', 2, 1, 1, 0}).putLong(0);
        elf.putShort((short) 2); // ET_EXEC
        elf.putShort((short) 62); // EM_X86_64
        elf.putInt(1);
        elf.putLong(BASE + HEADERS); // entry
        elf.putLong(64); // program headers
        elf.putLong(0); // section headers: none
        elf.putInt(0);
        elf.putShort((short) 64).putShort((short) 56).putShort((short) 1);
        elf.putShort((short) 64).putShort((short) 0).putShort((short) 0);
        // program header: PT_LOAD, readable and executable
        elf.putInt(1).putInt(5);
        elf.putLong(0).putLong(BASE).putLong(BASE);
        elf.putLong(size).putLong(size).putLong(0x1000);
        elf.put(code);
        return elf.array();
    }

    private static byte[] code() {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        emit(out, 0xB8, 173, 0, 0, 0); //        mov  eax, 173        ioperm(0xE9, 1, 1)
        emit(out, 0xBF, GuestReport.PORT, 0, 0, 0); //  mov  edi, 0xE9
        emit(out, 0xBE, 1, 0, 0, 0); //          mov  esi, 1
        emit(out, 0xBA, 1, 0, 0, 0); //          mov  edx, 1
        emit(out, 0x0F, 0x05); //                syscall
        emit(out, 0xBF, 1, 0, 0, 0); //          mov  edi, 1          exit status when refused
        emit(out, 0x85, 0xC0); //                test eax, eax
        emit(out, 0x75, 0x1D); //                jnz  exit
        emit(out, 0x48, 0x8B, 0x74, 0x24, 0x10); // mov rsi, [rsp+16]  argv[1]
        emit(out, 0x48, 0x85, 0xF6); //          test rsi, rsi
        emit(out, 0x74, 0x13); //                jz   exit
        emit(out, 0xB0, '\n'); //                mov  al, 10
        emit(out, 0xE6, GuestReport.PORT); //    out  0xE9, al
        emit(out, 0xAC); //                next: lodsb
        emit(out, 0x84, 0xC0); //                test al, al
        emit(out, 0x74, 0x04); //                jz   end
        emit(out, 0xE6, GuestReport.PORT); //    out  0xE9, al
        emit(out, 0xEB, 0xF7); //                jmp  next
        emit(out, 0xB0, '\n'); //           end: mov  al, 10
        emit(out, 0xE6, GuestReport.PORT); //    out  0xE9, al
        emit(out, 0x31, 0xFF); //                xor  edi, edi
        emit(out, 0xB8, 60, 0, 0, 0); //   exit: mov  eax, 60         exit(edi)
        emit(out, 0x0F, 0x05); //                syscall
        return out.toByteArray();
    }

    private static void emit(ByteArrayOutputStream out, int... bytes) {
        for (int b : bytes) {
            out.write(b);
        }
    }

}
