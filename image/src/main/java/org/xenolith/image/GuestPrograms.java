package org.xenolith.image;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Three programs of a few machine instructions that a guest of ours needs and busybox does not offer, made here as ELF
 * executables of one segment.
 */
final class GuestPrograms {
    /** Where the segment is mapped. */
    private static final long BASE = 0x400000;

    private static final int HEADERS = 64 + 56;

    private GuestPrograms() {}

    /**
     * {@code /xenolith/report TEXT} writes a line break, the text and a line break to I/O port 0xE9, then exits with 0, or
     * with 1 when the kernel refuses access to the port.
     *
     * <p>A stock cloud kernel has no {@code /dev/port}, and the console must carry nothing but the command's own bytes.
     */
    static byte[] report() {
        Code code = new Code();
        code.emit(0xB8, 173, 0, 0, 0); //           mov  eax, 173        ioperm(0xE9, 1, 1)
        code.emit(0xBF, GuestReport.PORT, 0, 0, 0); // mov edi, 0xE9
        code.emit(0xBE, 1, 0, 0, 0); //             mov  esi, 1
        code.emit(0xBA, 1, 0, 0, 0); //             mov  edx, 1
        code.emit(0x0F, 0x05); //                   syscall
        code.emit(0xBF, 1, 0, 0, 0); //             mov  edi, 1          exit status when refused
        code.emit(0x85, 0xC0); //                   test eax, eax
        code.emit(0x75, 0x1D); //                   jnz  exit
        code.emit(0x48, 0x8B, 0x74, 0x24, 0x10); // mov  rsi, [rsp+16]   argv[1]
        code.emit(0x48, 0x85, 0xF6); //             test rsi, rsi
        code.emit(0x74, 0x13); //                   jz   exit
        code.emit(0xB0, '\n'); //                   mov  al, 10
        code.emit(0xE6, GuestReport.PORT); //       out  0xE9, al
        code.emit(0xAC); //                   next: lodsb
        code.emit(0x84, 0xC0); //                   test al, al
        code.emit(0x74, 0x04); //                   jz   end
        code.emit(0xE6, GuestReport.PORT); //       out  0xE9, al
        code.emit(0xEB, 0xF7); //                   jmp  next
        code.emit(0xB0, '\n'); //              end: mov  al, 10
        code.emit(0xE6, GuestReport.PORT); //       out  0xE9, al
        code.emit(0x31, 0xFF); //                   xor  edi, edi
        code.emit(0xB8, 60, 0, 0, 0); //      exit: mov  eax, 60         exit(edi)
        code.emit(0x0F, 0x05); //                   syscall
        return code.elf();
    }

    /**
     * {@code /xenolith/leader PROGRAM ARGUMENT…} runs a program (absolute path) as the leader of a new session, with SIGINT
     * and SIGQUIT at their defaults; exits with 126 when the program cannot be run.
     *
     * <p>A shell starts its background jobs with both signals ignored, programs inherit that, and no command of a shell
     * undoes it: without this step Ctrl-C would do nothing.
     */
    static byte[] leader() {
        Code code = new Code();
        code.emit(0x6A, 0, 0x6A, 0, 0x6A, 0, 0x6A, 0); // push 0 (four times)  struct sigaction: SIG_DFL, no flags
        code.emit(0xBF, 2, 0, 0, 0); //             mov  edi, 2          SIGINT, then SIGQUIT
        code.emit(0xB8, 13, 0, 0, 0); //      next: mov  eax, 13         rt_sigaction(edi, rsp, 0, 8)
        code.emit(0x48, 0x89, 0xE6); //             mov  rsi, rsp
        code.emit(0x31, 0xD2); //                   xor  edx, edx
        code.emit(0x41, 0xBA, 8, 0, 0, 0); //       mov  r10d, 8
        code.emit(0x0F, 0x05); //                   syscall
        code.emit(0xFF, 0xC7); //                   inc  edi
        code.emit(0x83, 0xFF, 3); //                cmp  edi, 3
        code.emit(0x76, 0xE7); //                   jbe  next
        code.emit(0xB8, 112, 0, 0, 0); //           mov  eax, 112        setsid()
        code.emit(0x0F, 0x05); //                   syscall
        code.emit(0x48, 0x83, 0xC4, 32); //         add  rsp, 32
        code.emit(0x48, 0x8B, 0x0C, 0x24); //       mov  rcx, [rsp]      argc
        code.emit(0x48, 0x8D, 0x54, 0xCC, 0x10); // lea  rdx, [rsp+rcx*8+16]  environment
        code.emit(0x48, 0x8D, 0x74, 0x24, 0x10); // lea  rsi, [rsp+16]   argv + 1
        code.emit(0x48, 0x8B, 0x3E); //             mov  rdi, [rsi]
        code.emit(0x48, 0x85, 0xFF); //             test rdi, rdi
        code.emit(0x74, 0x07); //                   jz   fail
        code.emit(0xB8, 59, 0, 0, 0); //            mov  eax, 59         execve(rdi, rsi, rdx)
        code.emit(0x0F, 0x05); //                   syscall
        code.emit(0xBF, 126, 0, 0, 0); //     fail: mov  edi, 126
        code.emit(0xB8, 60, 0, 0, 0); //            mov  eax, 60         exit(edi)
        code.emit(0x0F, 0x05); //                   syscall
        return code.elf();
    }

    /**
     * {@code /xenolith/settime} sets the guest's clock to the host's, which ports 0xE0 (low half, nanoseconds since 1970) and
     * 0xE4 (high half) tell. Without those ports they read as all ones, the kernel refuses that time, and nothing changes.
     *
     * <p>Linux reads the hypervisor's wall clock once, long before its own clock ticks reliably, and what a slow boot loses
     * in between is lost.
     */
    static byte[] settime() {
        Code code = new Code();
        code.emit(0xB8, 173, 0, 0, 0); //           mov  eax, 173        ioperm(0xE0, 8, 1)
        code.emit(0xBF, 0xE0, 0, 0, 0); //          mov  edi, 0xE0
        code.emit(0xBE, 8, 0, 0, 0); //             mov  esi, 8
        code.emit(0xBA, 1, 0, 0, 0); //             mov  edx, 1
        code.emit(0x0F, 0x05); //                   syscall
        code.emit(0x89, 0xC7); //                   mov  edi, eax        exit status when refused
        code.emit(0x85, 0xC0); //                   test eax, eax
        code.emit(0x75, 0x29); //                   jnz  exit
        code.emit(0xE5, 0xE0); //                   in   eax, 0xE0
        code.emit(0x89, 0xC3); //                   mov  ebx, eax
        code.emit(0xE5, 0xE4); //                   in   eax, 0xE4
        code.emit(0x48, 0xC1, 0xE0, 32); //         shl  rax, 32
        code.emit(0x48, 0x09, 0xD8); //             or   rax, rbx
        code.emit(0x31, 0xD2); //                   xor  edx, edx
        code.emit(0xB9, 0x00, 0xCA, 0x9A, 0x3B); // mov  ecx, 1000000000
        code.emit(0x48, 0xF7, 0xF1); //             div  rcx
        code.emit(0x52, 0x50); //                   push rdx; push rax   struct timespec
        code.emit(0x48, 0x89, 0xE6); //             mov  rsi, rsp
        code.emit(0x31, 0xFF); //                   xor  edi, edi
        code.emit(0xB8, 0xE3, 0, 0, 0); //          mov  eax, 227        clock_settime(CLOCK_REALTIME, rsi)
        code.emit(0x0F, 0x05); //                   syscall
        code.emit(0x89, 0xC7); //                   mov  edi, eax
        code.emit(0xF7, 0xDF); //                   neg  edi
        code.emit(0xB8, 60, 0, 0, 0); //      exit: mov  eax, 60         exit(edi)
        code.emit(0x0F, 0x05); //                   syscall
        return code.elf();
    }

    /** Machine code that starts at its first byte. */
    private static final class Code {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        void emit(int... values) {
            for (int value : values) {
                bytes.write(value);
            }
        }

        byte[] elf() {
            int size = HEADERS + bytes.size();
            ByteBuffer elf = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
            // ELF header: 64-bit, little-endian, version 1, System V
            elf.put(new byte[] {0x7F, 'E', 'L', 'F', 2, 1, 1, 0}).putLong(0);
            elf.putShort((short) 2); // ET_EXEC
            elf.putShort((short) 62); // EM_X86_64
            elf.putInt(1);
            elf.putLong(BASE + HEADERS); // entry
            elf.putLong(64); // program headers
            elf.putLong(0); // no section headers
            elf.putInt(0);
            elf.putShort((short) 64).putShort((short) 56).putShort((short) 1);
            elf.putShort((short) 64).putShort((short) 0).putShort((short) 0);
            // program header: PT_LOAD, readable and executable
            elf.putInt(1).putInt(5);
            elf.putLong(0).putLong(BASE).putLong(BASE);
            elf.putLong(size).putLong(size).putLong(0x1000);
            elf.put(bytes.toByteArray());
            return elf.array();
        }
    }
}
