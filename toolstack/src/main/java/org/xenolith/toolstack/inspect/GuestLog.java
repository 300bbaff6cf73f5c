package org.xenolith.toolstack.inspect;

import java.util.List;
import org.xenolith.cpu.VcpuState;
import org.xenolith.services.dmesg.KernelLog;

/** The guest kernel's log, read from its memory. */
public final class GuestLog {
    private GuestLog() {}

    /** Its lines; one line in brackets that says why when there are none. */
    public static List<String> lines(VcpuState state, GuestView view) {
        return switch (KernelLog.read(view.kernelMemory(state), view.symbols())) {
            case KernelLog.Result.Messages messages -> messages.lines();
            case KernelLog.Result.Unavailable(String reason) -> List.of("(" + reason + ")");
        };
    }

    /** The last {@code count} lines. */
    public static List<String> last(VcpuState state, GuestView view, int count) {
        List<String> lines = lines(state, view);
        return lines.subList(Math.max(0, lines.size() - count), lines.size());
    }

    /** What a Linux kernel said when it panicked, or null. */
    public static String panicReason(VcpuState state, GuestView view) {
        List<String> lines = lines(state, view);
        for (int i = lines.size() - 1; i >= 0; i--) {
            int at = lines.get(i).indexOf("Kernel panic - ");
            if (at >= 0) {
                return lines.get(i).substring(at);
            }
        }
        return null;
    }
}
