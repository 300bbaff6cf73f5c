/**
 * Guest images: where a stock kernel and a user space come from.
 *
 * <p>Start at {@link org.xenolith.image.DebianPackages} (kernels and busybox through the machine's own package manager,
 * checked and cached) and {@link org.xenolith.image.Initramfs} (a root file system in memory). {@link
 * org.xenolith.image.GuestSession} writes the first program of such a guest and {@link org.xenolith.image.GuestReport}
 * reads what it tells the host.
 *
 * <p>Uses the JDK and archive codecs only. Nothing here knows of domains, processors or consoles, and no code here loads a
 * kernel: it delivers files.
 */
package org.xenolith.image;
