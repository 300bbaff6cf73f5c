/**
 * Side-by-side benchmarks: one kernel, one initramfs and one set of workloads under Xenolith, under QEMU's TCG and
 * natively.
 *
 * <p>Start reading at {@link org.xenolith.bench.BenchCommand} (the command {@code xeno bench}) and
 * {@link org.xenolith.bench.Workloads} (what is measured, and why). The guest programs are C sources in the resources
 * of this package; {@link org.xenolith.bench.Programs} compiles them with the machine's gcc.
 *
 * <p>Xenolith is started as a user starts it, as a child process: nothing here may call into the hypervisor. This room
 * is not shipped.
 */
package org.xenolith.bench;
