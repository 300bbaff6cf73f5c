package org.xenolith.toolstack.xtf;

/**
 * The result of one test.
 *
 * @param detail the test's own last words before its result, or why there is none; one line, may be empty
 * @param log everything that it printed
 * @param millis time that it took
 */
public record XtfResult(XtfTest test, XtfStatus status, String detail, String log, long millis) {}
