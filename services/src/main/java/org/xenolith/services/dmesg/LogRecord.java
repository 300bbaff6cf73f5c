package org.xenolith.services.dmesg;

import java.util.Locale;

/**
 * A message of the kernel log.
 *
 * @param sequence its number since boot
 * @param nanoseconds its time on the guest's boot clock
 * @param level 0 emergency … 7 debug
 * @param text its text, perhaps several lines
 */
public record LogRecord(long sequence, long nanoseconds, int level, String text) {
    /** The record as dmesg(1) prints it: each line with its time. */
    public String format() {
        long micros = nanoseconds / 1000;
        String prefix = String.format(Locale.ROOT, "[%5d.%06d] ", micros / 1_000_000, micros % 1_000_000);
        return prefix + text.replace("\n", "\n" + prefix);
    }
}
