package org.xenolith.cpu.decode;

import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Two spellings of one instruction, objdump's and ours, brought to one. */
final class ObjdumpText {
    private static final Map<String, String> SAME_NAMES = Map.ofEntries(
            Map.entry("movabs", "mov"),
            Map.entry("repz", "repe"),
            Map.entry("repnz", "repne"),
            Map.entry("iret", "iretd"),
            Map.entry("retfq", "retf"),
            Map.entry("sysretd", "sysret"),
            Map.entry("sysretl", "sysret"),
            Map.entry("sysexitd", "sysexit"),
            Map.entry("fwait", "wait"),
            Map.entry("pushf", "pushfq"),
            Map.entry("popf", "popfq"),
            Map.entry("xlat", "xlatb"),
            Map.entry("icebp", "int1"));

    private ObjdumpText() {}

    /** Null when objdump does not take the bytes for an instruction. */
    static String normalise(String text) {
        String s = text.toLowerCase();
        int comment = s.indexOf('#');
        if (comment >= 0) {
            s = s.substring(0, comment);
        }
        s = s.replaceAll("<[^>]*>", "").strip();
        if (s.contains("(bad)")) {
            return null;
        }
        // Prefixes without a meaning here.
        String old;
        do {
            old = s;
            s = s.replaceAll(
                    "^(data16|addr32|cs|ds|es|ss|bnd|notrack|rex\\.?[wrxb]*|xacquire|xrelease)\\s+(?=[a-z])", "");
        } while (!s.equals(old));
        s = s.replaceAll("\\s*,\\s*", ",").replaceAll("\\s+", " ");
        s = strings(s);
        String[] words = s.split(" ", 2);
        String name = SAME_NAMES.getOrDefault(words[0], words[0]);
        if ((name.equals("repe") || name.equals("rep")) && words.length > 1 && words[1].startsWith("ret")) {
            return words[1];
        }
        s = words.length > 1 ? name + " " + words[1] : name;
        if (name.equals("repe") || name.equals("rep")) {
            s = s.replace("repe movs", "rep movs").replace("repe stos", "rep stos");
        }
        s = s.replaceAll("\\b0x0+(?=[0-9a-f])", "0x");
        s = s.replaceAll("[+-]0x0\\]", "]").replace("+riz*1", "").replace("+eiz*1", "");
        s = s.replaceAll("cs:\\[", "[").replaceAll("(ds|es|ss):(?=\\[)", "");
        Matcher distance =
                Pattern.compile("\\[rip\\+0x([89a-f][0-9a-f]{15})\\]").matcher(s);
        if (distance.find()) {
            s = distance.replaceFirst(
                    "[rip-0x" + Long.toHexString(-Long.parseUnsignedLong(distance.group(1), 16)) + "]");
        }
        s = s.replace("[riz*1", "[").replace("oword ptr", "xmmword ptr");
        // Branch targets come without 0x.
        s = s.replaceAll("^(j\\w+|call|loop\\w*|xbegin) ([0-9a-f]+)$", "$1 0x$2");
        // A shift by one may be written without its count.
        s = s.replaceAll("^((?:ro|rc|sh|sa)[lr]) ([^,]+)$", "$1 $2,1");
        return s.strip();
    }

    /** {@code movs QWORD PTR es:[rdi],QWORD PTR ds:[rsi]} is movsq. */
    private static String strings(String s) {
        Matcher m = Pattern.compile("^(rep[a-z]* )?(movs|stos|lods|scas|cmps|ins|outs) (.*)$")
                .matcher(s);
        if (!m.matches() || m.group(3).contains("xmm")) {
            return s;
        }
        String rest = m.group(3);
        char size = rest.contains("byte") ? 'b' : rest.contains("dword") ? 'd' : rest.contains("qword") ? 'q' : 'w';
        return (m.group(1) == null ? "" : m.group(1)) + m.group(2) + size;
    }
}
