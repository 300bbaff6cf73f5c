package org.xenolith.image;

/** Hears of work that a person waits for. Implementations print; calls come from one thread. */
public interface Progress {
    /** Says nothing. */
    Progress SILENT = new Progress() {
        @Override
        public void update(String what, long done, long total) {}

        @Override
        public void done(String what) {}

        @Override
        public void note(String line) {}
    };

    /**
     * Work goes on.
     *
     * @param what names the work, for example {@code "downloading linux-image"}
     * @param done bytes done
     * @param total bytes in all, 0 when unknown
     */
    void update(String what, long done, long total);

    /** The work last updated is finished; {@code what} tells the result. */
    void done(String what);

    /** One line that a person should see once, for example that another cache directory is used. */
    void note(String line);
}
