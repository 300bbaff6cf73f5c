/**
 * Kernel files: bzImage and ELF, every compression that Linux uses, Xen's ELF notes, and a cache of unpacked kernels.
 *
 * <p>Start reading at {@link org.xenolith.services.loader.KernelImage}. Every file that is not a bootable kernel ends
 * in an {@link org.xenolith.services.loader.ImageFormatException} whose one line says what is wrong and what to do.
 * Nothing here touches guest memory; {@code builder} does.
 */
package org.xenolith.services.loader;
