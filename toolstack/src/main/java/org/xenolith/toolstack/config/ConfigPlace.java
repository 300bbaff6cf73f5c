package org.xenolith.toolstack.config;

/**
 * Where something stands.
 *
 * @param source the file's name, or what stands for one
 * @param line from 1; 0 when the whole source is meant
 * @param column from 1, in characters
 */
public record ConfigPlace(String source, int line, int column) {
    /** As compilers write it: {@code file:line:column}. */
    @Override
    public String toString() {
        return line == 0 ? source : source + ":" + line + ":" + column;
    }
}
