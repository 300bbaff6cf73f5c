package org.xenolith.hypervisor;

import java.util.concurrent.ConcurrentHashMap;

/**
 * The I/O ports of a domain. An unclaimed port reads as all ones and drops what is written, as on hardware.
 *
 * <p>Devices may be attached while the domain runs; they must be safe to call from several virtual CPUs.
 */
public final class PortBus {
    private final ConcurrentHashMap<Integer, PortDevice> devices = new ConcurrentHashMap<>();

    /** Something behind one or more ports. */
    public interface PortDevice {
        /** IN of {@code bytes} (1, 2 or 4) at {@code offset} ports above the device's first. */
        int read(int offset, int bytes);

        /** OUT. */
        void write(int offset, int bytes, int value);
    }

    /** Receives bytes that a guest writes to a debug port. */
    @FunctionalInterface
    public interface ByteSink {
        void accept(int value);
    }

    /** Gives {@code count} ports from {@code first} to a device. */
    public void attach(int first, int count, PortDevice device) {
        for (int offset = 0; offset < count; offset++) {
            int at = offset;
            PortDevice shifted = at == 0
                    ? device
                    : new PortDevice() {
                        @Override
                        public int read(int ignored, int bytes) {
                            return device.read(at, bytes);
                        }

                        @Override
                        public void write(int ignored, int bytes, int value) {
                            device.write(at, bytes, value);
                        }
                    };
            if (devices.putIfAbsent(first + offset, shifted) != null) {
                throw new IllegalArgumentException("port 0x" + Integer.toHexString(first + offset) + " is taken");
            }
        }
    }

    /**
     * Makes a port a one-way channel for bytes, as the debug port 0xE9 of many emulators: it reads as its own number, by
     * which a guest can tell that it is there.
     */
    public void attachSink(int port, ByteSink sink) {
        attach(port, 1, new PortDevice() {
            @Override
            public int read(int offset, int bytes) {
                return port & 0xff;
            }

            @Override
            public void write(int offset, int bytes, int value) {
                for (int i = 0; i < bytes; i++) {
                    sink.accept(value >>> i * 8 & 0xff);
                }
            }
        });
    }

    /** IN. */
    public int read(int port, int bytes) {
        PortDevice device = devices.get(port);
        int mask = bytes == 4 ? -1 : (1 << bytes * 8) - 1;
        return device == null ? mask : device.read(0, bytes) & mask;
    }

    /** OUT. */
    public void write(int port, int bytes, int value) {
        PortDevice device = devices.get(port);
        if (device != null) {
            device.write(0, bytes, value);
        }
    }
}
