/**
 * The CPU scheduler: which virtual CPU may execute guest code on which physical CPU, and for how long.
 *
 * <p>A physical CPU is a token here. The thread of a virtual CPU enters its engine only while its
 * {@link org.xenolith.hypervisor.schedule.SchedUnit} holds one. Start reading at
 * {@link org.xenolith.hypervisor.schedule.Scheduler}, which is what tools use; then
 * {@link org.xenolith.hypervisor.schedule.CpuPool}, the state machine that all policies share; then {@code Credit2} and
 * {@code Rtds}. No class here knows domains, engines or guest memory: a virtual CPU is a unit with callbacks, so that tests
 * drive the algorithms with a simulated clock.
 *
 * <p>Lock order: the monitor of the scheduler (changes of pools, affinities and parameters), then the lock of a pool (lower
 * identifier first). Callbacks run with a pool's lock held and must be short.
 */
package org.xenolith.hypervisor.schedule;
