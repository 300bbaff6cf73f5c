package org.xenolith.toolstack.inspect;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.xenolith.cpu.VcpuState;
import org.xenolith.services.symbols.Symbol;
import org.xenolith.services.symbols.SymbolTable;

/**
 * Who called whom. Stock kernels keep no frame pointers and their unwind tables are private to each version, so this
 * reads the stack word by word and keeps what looks like a return address: it points into kernel code, behind a CALL.
 *
 * <p>A frame whose CALL goes to the function that was found before is certain; the others get a question mark, because
 * stacks are full of remains of earlier calls. Interrupt frames are recognised and followed.
 */
public final class Backtrace {
    private static final int STACK_SIZE = 16 << 10;
    private static final int MOST_FRAMES = 40;
    private static final int MOST_STACKS = 4;
    private static final long KERNEL_CS = 0x10;
    private static final long USER_BIT = 3;

    private final VcpuState state;
    private final GuestView view;
    private final List<String> lines = new ArrayList<>();
    /** Functions whose caller is looked for, by the address of their start. */
    private final Set<Long> wanted = new HashSet<>();

    private Backtrace(VcpuState state, GuestView view) {
        this.state = state;
        this.view = view;
    }

    /** The frames, innermost first, one a line; at most {@code most}. */
    public static List<String> of(VcpuState state, GuestView view, int most) {
        Backtrace trace = new Backtrace(state, view);
        trace.walk(Math.min(most, MOST_FRAMES));
        return trace.lines;
    }

    private void walk(int most) {
        long rip = Registers.linearRip(state);
        lines.add("  " + view.describe(rip));
        if (state.cpl() != 0 || !state.in64BitMode() || view.symbols().size() == 0) {
            lines.add(
                    view.symbols().size() == 0
                            ? "  (no symbols, so no return address can be told from data)"
                            : "  (not in a 64-bit kernel: no way to follow calls)");
            return;
        }
        want(rip);
        long stack = state.gpr(VcpuState.RSP);
        for (int i = 0; i < MOST_STACKS && stack != 0 && lines.size() < most; i++) {
            stack = scan(stack, most);
        }
    }

    private void want(long address) {
        SymbolTable.Place place = view.symbols().lookup(address);
        if (place != null) {
            wanted.add(place.symbol().address());
        }
    }

    /** Reads one stack to its end; returns the stack that an interrupt frame leads to, or 0. */
    private long scan(long from, int most) {
        long stack = from & -8L;
        int words = (int) ((STACK_SIZE - (stack & STACK_SIZE - 1)) / 8);
        byte[] bytes = new byte[words * 8];
        words = view.readKernel(state, stack, bytes, bytes.length) / 8;
        for (int i = 0; i < words && lines.size() < most; i++) {
            long value = word(bytes, i);
            if (i + 4 < words && isInterruptFrame(bytes, i)) {
                boolean user = (word(bytes, i + 1) & USER_BIT) != 0;
                if (user) {
                    lines.add("  --- entered from user mode at 0x" + Long.toHexString(value));
                    return 0;
                }
                lines.add("  --- interrupted here:");
                lines.add("  " + view.describe(value));
                wanted.clear();
                want(value);
                return word(bytes, i + 3);
            }
            if (view.isCode(value)) {
                frame(value);
            }
        }
        if (words == 0) {
            lines.add("  (the stack at 0x" + Long.toHexString(stack) + " is not mapped)");
        }
        return 0;
    }

    private void frame(long address) {
        byte[] before = new byte[7];
        if (view.readKernel(state, address - 7, before, 7) < 7) {
            return;
        }
        if ((before[2] & 0xff) == 0xE8) {
            int distance = before[3] & 0xff | (before[4] & 0xff) << 8 | (before[5] & 0xff) << 16 | before[6] << 24;
            Symbol called = symbol(address + distance);
            if (called == null) {
                return;
            }
            boolean certain = wanted.contains(called.address());
            if (certain) {
                wanted.clear();
            }
            add(address, certain);
        } else if (isIndirectCall(before)) {
            add(address, false);
        }
    }

    private void add(long address, boolean certain) {
        want(address);
        lines.add((certain ? "  " : "  ? ") + view.describe(address));
    }

    private Symbol symbol(long address) {
        SymbolTable.Place place = view.symbols().lookup(address);
        return place == null ? null : place.symbol();
    }

    /** FF /2 in any of its lengths up to seven bytes. */
    private static boolean isIndirectCall(byte[] before) {
        for (int at = 0; at <= 5; at++) {
            if ((before[at] & 0xff) == 0xFF && (before[at + 1] >> 3 & 7) == 2) {
                return true;
            }
        }
        return false;
    }

    /** rip, cs, rflags, rsp, ss as the processor pushes them. */
    private boolean isInterruptFrame(byte[] bytes, int i) {
        long cs = word(bytes, i + 1);
        long flags = word(bytes, i + 2);
        long stack = word(bytes, i + 3);
        long ss = word(bytes, i + 4);
        if ((flags & 2) == 0 || flags >>> 22 != 0 || (flags & 0x8028) != 0) {
            return false;
        }
        if (cs == KERNEL_CS) {
            return view.isCode(word(bytes, i)) && (ss == 0x18 || ss == 0) && stack < 0;
        }
        return (cs == 0x33 || cs == 0x23) && ss == 0x2b && word(bytes, i) >= 0 && stack >= 0;
    }

    private static long word(byte[] bytes, int i) {
        long value = 0;
        for (int n = 7; n >= 0; n--) {
            value = value << 8 | bytes[i * 8 + n] & 0xff;
        }
        return value;
    }
}
