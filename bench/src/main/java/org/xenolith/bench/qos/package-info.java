/**
 * {@code xeno bench --qos}: what the CPU scheduler promises, measured with bare-metal guests of a few instructions.
 *
 * <p>Start reading at {@link org.xenolith.bench.qos.QosRun}. Several guests share one scheduler in this JVM; no kernel is needed,
 * so that nothing but the scheduler and the engines is measured.
 */
package org.xenolith.bench.qos;
