package org.xenolith.cli;

/**
 * Every exit status of {@code xeno} that is its own. {@code xeno run -- COMMAND} ends with the command's status when the
 * command ran; the numbers here start at 64 so that they seldom meet one (2 is what a wrong option gives everywhere).
 */
public enum ExitStatus {
    /** The verb did its work; the guest powered itself off. */
    OK(0, "the guest powered off"),
    FAILED(1, "the host said no: no such domain, not in this state, a wrong configuration"),
    USAGE(2, "wrong options or values"),
    BAD_IMAGE(65, "not a kernel we can start: wrong format, damaged, or without a PVH entry"),
    NO_INPUT(66, "a file cannot be read"),
    UNAVAILABLE(69, "something is missing: network for the first download, a package, JDK, Maven"),
    INTERNAL(70, "a fault of Xenolith itself"),
    HOST(73, "the host refuses: cache not writable, not enough memory"),
    REBOOT(80, "the guest rebooted (and --on-reboot is exit)"),
    PANIC(81, "the guest's kernel panicked"),
    CRASH(82, "the guest crashed: triple fault, bad hypercall, a state it cannot leave"),
    LEFT(83, "left with Ctrl-]; the guest was stopped"),
    NO_STATUS(84, "the guest ended before its command reported a status"),
    HUNG(85, "the guest did not come up within --boot-timeout, or end within --timeout"),
    INTERRUPTED(130, "interrupted with Ctrl-C");

    private final int code;
    private final String meaning;

    ExitStatus(int code, String meaning) {
        this.code = code;
        this.meaning = meaning;
    }

    public int code() {
        return code;
    }

    public String meaning() {
        return meaning;
    }

    /** A section for {@code --help}. */
    static String[] help() {
        ExitStatus[] all = values();
        String[] lines = new String[all.length + 3];
        lines[0] = "";
        lines[1] = "Exit status:";
        lines[2] = "    N  of the guest's COMMAND, when there is one and it ran";
        for (int i = 0; i < all.length; i++) {
            String code = Integer.toString(all[i].code);
            lines[i + 3] = " ".repeat(5 - code.length()) + code + "  " + all[i].meaning;
        }
        return lines;
    }
}
