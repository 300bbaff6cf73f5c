package org.xenolith.translate;

import java.lang.foreign.Arena;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.memory.Raw;

/**
 * The guest's vector and x87 registers on their way to and from the host's.
 *
 * <p>Emitted code moves vector registers itself. The x87 goes through an image for FXRSTOR, made here, because the state
 * block keeps its registers in physical order and the image in stack order. Emitted code never lets the host raise an
 * exception: registers are loaded only while the guest masks all of them, and none is pending.
 */
final class HostFpu implements AutoCloseable {
    private static final int IMAGE_BYTES = 512;
    private static final int MXCSR_MASKS = 0x1F80;
    private static final int FCW_MASKS = 0x3F;
    private static final int ES = 0x80;
    private static final int ST = VcpuState.ST - VcpuState.FXSAVE;
    private static final int MXCSR = VcpuState.MXCSR - VcpuState.FXSAVE;
    private static final int MXCSR_MASK = MXCSR + 4;
    private static final int XMM = VcpuState.XMM - VcpuState.FXSAVE;
    private static final int FSW = VcpuState.FSW - VcpuState.FXSAVE;
    /** Bytes of the control, status and tag words. */
    private static final int WORDS = 5;

    private final Arena arena = Arena.ofShared();
    private final long image = arena.allocate(IMAGE_BYTES, 64).address();
    private final Cpu c;
    private final long area;

    HostFpu(Cpu c) {
        this.c = c;
        area = c.base + VcpuState.FXSAVE;
    }

    /** Address of the image. */
    long image() {
        return image;
    }

    /** What emitted code may load now, of {@link Context#SSE} and {@link Context#AVX}. */
    int loadable() {
        return c.sseBlocked || !maskedSse() ? 0 : Context.SSE;
    }

    private boolean maskedSse() {
        return (Raw.getInt(area + MXCSR) & MXCSR_MASKS) == MXCSR_MASKS;
    }

    private boolean maskedX87() {
        return (Raw.getShort(area) & FCW_MASKS) == FCW_MASKS && (Raw.getShort(area + FSW) & ES) == 0;
    }

    private int top() {
        return Raw.getShort(area + FSW) >>> 11 & 7;
    }

    /** Makes the image for x87 code; false when such code must go to the interpreter now. */
    boolean makeImage() {
        if (c.x87Blocked || c.sseBlocked || !maskedSse() || !maskedX87()) {
            return false;
        }
        Raw.copy(area, image, IMAGE_BYTES);
        int top = top();
        for (int n = 0; n < 8; n++) {
            Raw.copy(area + ST + (top + n & 7) * 16L, image + ST + n * 16L, 16);
        }
        // Reserved bytes of the state block are not an image's business.
        Raw.putInt(image + MXCSR_MASK, 0);
        return true;
    }

    /** Takes what an exit wrote into the image. Instruction and data pointers in it are the host's; emitted code notes the guest's. */
    void takeImage() {
        Raw.copy(image, area, WORDS);
        Raw.putInt(area + MXCSR, Raw.getInt(image + MXCSR));
        int top = top();
        for (int n = 0; n < 8; n++) {
            Raw.copy(image + ST + n * 16L, area + ST + (top + n & 7) * 16L, 10);
        }
        Raw.copy(image + XMM, area + XMM, 256);
    }

    @Override
    public void close() {
        arena.close();
    }
}
