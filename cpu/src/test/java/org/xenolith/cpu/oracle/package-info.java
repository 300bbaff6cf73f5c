/**
 * The differential harness: every instruction form of the table, run on the real processor and on the interpreter
 * with the same inputs.
 *
 * <p>Start reading at {@link org.xenolith.cpu.oracle.OracleMain}. {@link org.xenolith.cpu.oracle.CaseGenerator} makes
 * inputs from the instruction table; {@link org.xenolith.cpu.oracle.NativeProcessor} runs them natively in a child
 * process ({@link org.xenolith.cpu.oracle.OracleChild}, {@link org.xenolith.cpu.oracle.OracleProcess});
 * {@link org.xenolith.cpu.oracle.EngineProcessor} runs them on an engine;
 * {@link org.xenolith.cpu.oracle.Comparison} compares. Fixtures recorded from hardware keep the tests meaningful on
 * other hosts.
 */
package org.xenolith.cpu.oracle;
