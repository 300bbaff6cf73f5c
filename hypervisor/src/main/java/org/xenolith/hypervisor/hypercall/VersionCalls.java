package org.xenolith.hypervisor.hypercall;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.UUID;
import org.xenolith.abi.ConsoleIo;
import org.xenolith.abi.Errno;
import org.xenolith.abi.VmAssist;
import org.xenolith.abi.XenFeature;
import org.xenolith.abi.XenVersionOp;
import org.xenolith.hypervisor.HypervisorVersion;
import org.xenolith.memory.GuestPhysical;

/** xen_version, console_io and vm_assist. */
final class VersionCalls {
    /** What an unprivileged domain reads instead of things that are not its business. */
    private static final String DENIED = "<denied>";
    /** Bytes that console_io moves before the virtual CPU looks at its events again. */
    private static final int CONSOLE_CHUNK = 4096;

    private VersionCalls() {}

    static long xenVersion(Call call) {
        long out = call.argument(1);
        switch (call.intArgument(0)) {
            case XenVersionOp.VERSION -> {
                return HypervisorVersion.MAJOR << 16 | HypervisorVersion.MINOR;
            }
            case XenVersionOp.EXTRAVERSION -> writeString(call, out, HypervisorVersion.EXTRA, 16);
            case XenVersionOp.COMPILE_INFO -> {
                writeString(call, out, HypervisorVersion.COMPILER, 64);
                writeString(call, out + 64, HypervisorVersion.COMPILED_BY, 16);
                writeString(call, out + 80, HypervisorVersion.COMPILE_DOMAIN, 32);
                writeString(call, out + 112, HypervisorVersion.COMPILE_DATE, 32);
            }
            case XenVersionOp.CAPABILITIES -> writeString(call, out, HypervisorVersion.CAPABILITIES, 1024);
            case XenVersionOp.CHANGESET -> writeString(call, out, HypervisorVersion.CHANGESET, 64);
            case XenVersionOp.PLATFORM_PARAMETERS -> {
                Struct parameters = new Struct(call.width());
                parameters.putWord(0, call.width(), 0);
                call.write(out, parameters);
            }
            case XenVersionOp.GET_FEATURES -> {
                Struct info = call.read(out, 8);
                info.putU32(4, info.u32(0) == 0 ? XenFeature.PVH : 0);
                call.write(out, info, 4, 4);
            }
            case XenVersionOp.PAGESIZE -> {
                return GuestPhysical.FRAME_SIZE;
            }
            case XenVersionOp.GUEST_HANDLE -> {
                UUID uuid = call.domain().settings().uuid();
                byte[] bytes = ByteBuffer.allocate(16)
                        .putLong(uuid.getMostSignificantBits())
                        .putLong(uuid.getLeastSignificantBits())
                        .array();
                call.write(out, bytes, 0, bytes.length);
            }
            case XenVersionOp.COMMANDLINE -> writeString(call, out, DENIED, 1024);
            case XenVersionOp.BUILD_ID -> {
                return -Errno.EPERM;
            }
            default -> {
                return -Errno.ENOSYS;
            }
        }
        return 0;
    }

    private static void writeString(Call call, long pointer, String text, int size) {
        byte[] bytes = new byte[size];
        byte[] encoded = text.getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(encoded, 0, bytes, 0, Math.min(encoded.length, size - 1));
        call.write(pointer, bytes, 0, size);
    }

    static long consoleIo(Call call) {
        switch (call.intArgument(0)) {
            case ConsoleIo.WRITE -> {
                int count = call.intArgument(1);
                if (count < 0) {
                    return -Errno.EINVAL;
                }
                long pointer = call.argument(2);
                int chunk = Math.min(CONSOLE_CHUNK, count);
                byte[] bytes = call.read(pointer, chunk).bytes();
                call.domain().debugConsole().write(bytes, 0, chunk);
                return chunk == count ? 0 : call.again(call.argument(0), count - chunk, pointer + chunk);
            }
            case ConsoleIo.READ -> {
                // Nobody types at the debug console.
                return 0;
            }
            default -> {
                return -Errno.ENOSYS;
            }
        }
    }

    static long vmAssist(Call call) {
        int command = call.intArgument(0);
        if (call.argument(1) != VmAssist.RUNSTATE_UPDATE_FLAG) {
            return -Errno.EINVAL;
        }
        if (command != VmAssist.ENABLE && command != VmAssist.DISABLE) {
            return -Errno.ENOSYS;
        }
        call.domain().setRunstateUpdateFlag(command == VmAssist.ENABLE);
        return 0;
    }
}
