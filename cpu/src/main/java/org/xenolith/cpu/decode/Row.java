package org.xenolith.cpu.decode;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** One line of the instruction table; its format is told at the top of {@code instructions/integer.txt}. */
public final class Row {
    /** Opcode maps: one-byte, 0F, 0F38, 0F3A. */
    public static final int MAP_1 = 0;

    public static final int MAP_0F = 1;
    public static final int MAP_0F38 = 2;
    public static final int MAP_0F3A = 3;

    /** Mandatory prefix: none asked. */
    public static final int ANY = -1;
    /** Mandatory prefix: 66, F2 and F3 must be absent. */
    public static final int NONE = 0;

    public final int map;
    public final int opcode;
    /** {@link #ANY}, {@link #NONE}, 0x66, 0xF3 or 0xF2. */
    public final int prefix;
    /** ModRM.reg as opcode extension, or -1. */
    public final int digit;
    /** The whole ModRM byte as opcode extension, or -1. */
    public final int modrm;
    /** 3: register forms only; 0: memory forms only; -1: both. */
    public final int mod;
    /** REX.W must be: -1 either, 0, 1. */
    public final int rexW;
    /** VEX-encoded, and VEX.L must be: -1 either, 0, 1. */
    public final boolean vex;

    public final int vexL;
    /** The low three opcode bits name a register. */
    public final boolean plusR;

    public final String mnemonic;
    public final List<OperandSpec> operands;
    /** {@code Family.method} or {@code Family.method#constant}. */
    public final String semantics;

    public final Set<String> attributes;
    /** Flags that are undefined afterwards, as an rflags mask. */
    public final long undefinedFlags;
    /** CPUID feature name that must be visible, or null. */
    public final String feature;
    /** The line. */
    public final String text;

    /** Frequent attributes, taken out of the set. */
    public final boolean lockable;

    public final boolean endsBlock;
    public final boolean beginsBlock;
    public final boolean default64;
    public final boolean force64;
    public final boolean only64;
    public final boolean not64;

    /** Owned by the binder: what the semantics name resolved to. */
    public volatile Object binding;

    /** Owned by the translator: how it emits the row, once it has thought about it. */
    public volatile Object translation;

    Row(String line) {
        text = line.strip();
        String[] columns = line.split("\\|", -1);
        if (columns.length != 5) {
            throw new IllegalArgumentException("instruction table: 5 columns wanted: " + text);
        }
        int map = MAP_1;
        int opcode = -1;
        int prefix = ANY;
        int digit = -1;
        int modrm = -1;
        int rexW = -1;
        boolean vex = false;
        int vexL = -1;
        boolean plusR = false;
        String[] tokens = columns[0].strip().split("\\s+");
        for (int i = 0; i < tokens.length; i++) {
            String token = tokens[i];
            switch (token) {
                case "NP" -> prefix = NONE;
                case "W0" -> rexW = 0;
                case "W1" -> rexW = 1;
                case "VEX" -> {
                    vex = true;
                    prefix = NONE;
                }
                case "L0" -> vexL = 0;
                case "L1" -> vexL = 1;
                case "/r" -> {}
                default -> {
                    if (token.startsWith("/")) {
                        digit = Integer.parseInt(token.substring(1));
                    } else if (token.startsWith("=")) {
                        modrm = Integer.parseInt(token.substring(1), 16);
                    } else if (opcode < 0 && i < tokens.length - 1 && isPrefix(token, tokens[i + 1])) {
                        prefix = Integer.parseInt(token, 16);
                    } else if (opcode < 0 && map == MAP_1 && token.equals("0F") && i < tokens.length - 1) {
                        map = MAP_0F;
                    } else if (map == MAP_0F
                            && opcode < 0
                            && token.equals("38")
                            && i < tokens.length - 1
                            && isHex(tokens[i + 1])) {
                        map = MAP_0F38;
                    } else if (map == MAP_0F
                            && opcode < 0
                            && token.equals("3A")
                            && i < tokens.length - 1
                            && isHex(tokens[i + 1])) {
                        map = MAP_0F3A;
                    } else {
                        if (token.endsWith("+r")) {
                            plusR = true;
                            token = token.substring(0, token.length() - 2);
                        }
                        opcode = Integer.parseInt(token, 16);
                    }
                }
            }
        }
        if (opcode < 0) {
            throw new IllegalArgumentException("instruction table: no opcode: " + text);
        }
        mnemonic = columns[1].strip();
        List<OperandSpec> specs = new ArrayList<>();
        int mod = -1;
        String operandText = columns[2].strip();
        if (!operandText.isEmpty()) {
            for (String part : operandText.split(",")) {
                OperandSpec spec = OperandSpec.parse(part.strip());
                specs.add(spec);
                switch (spec.kind()) {
                    case RM_REG, MMX_RM_REG, XMM_RM_REG, ST -> mod = 3;
                    case MEM -> mod = 0;
                    default -> {}
                }
            }
        }
        semantics = columns[3].strip();
        Set<String> attributes = new HashSet<>();
        long undefined = 0;
        String feature = null;
        String attributeText = columns[4].strip();
        if (!attributeText.isEmpty()) {
            for (String attribute : attributeText.split("\\s+")) {
                if (attribute.startsWith("undef:")) {
                    undefined = flagMask(attribute.substring(6));
                } else if (attribute.startsWith("feat:")) {
                    feature = attribute.substring(5);
                } else if (attribute.equals("mod3")) {
                    mod = 3;
                } else {
                    attributes.add(attribute);
                }
            }
        }
        this.map = map;
        this.opcode = opcode;
        this.prefix = prefix;
        this.digit = digit;
        this.modrm = modrm;
        this.mod = mod;
        this.rexW = rexW;
        this.vex = vex;
        this.vexL = vexL;
        this.plusR = plusR;
        operands = List.copyOf(specs);
        this.attributes = Set.copyOf(attributes);
        undefinedFlags = undefined;
        this.feature = feature;
        lockable = attributes.contains("lock");
        endsBlock = attributes.contains("end");
        beginsBlock = attributes.contains("begin");
        default64 = attributes.contains("d64");
        force64 = attributes.contains("f64");
        only64 = attributes.contains("o64");
        not64 = attributes.contains("i64");
    }

    private static boolean isPrefix(String token, String following) {
        return (token.equals("66") || token.equals("F3") || token.equals("F2")) && isHex(following);
    }

    private static boolean isHex(String token) {
        return token.matches("[0-9A-F]{2}(\\+r)?");
    }

    private static long flagMask(String letters) {
        long mask = 0;
        for (char letter : letters.toCharArray()) {
            mask |= switch (letter) {
                case 'C' -> 1;
                case 'P' -> 4;
                case 'A' -> 0x10;
                case 'Z' -> 0x40;
                case 'S' -> 0x80;
                case 'O' -> 0x800;
                default -> throw new IllegalArgumentException("flag letter " + letter);
            };
        }
        return mask;
    }

    /** True when an attribute stands in the last column. */
    public boolean has(String attribute) {
        return attributes.contains(attribute);
    }

    /** True when the encoding has a ModRM byte. */
    public boolean hasModRm() {
        if (digit >= 0 || modrm >= 0 || mod >= 0 || attributes.contains("modrm")) {
            return true;
        }
        for (OperandSpec spec : operands) {
            switch (spec.kind()) {
                case RM,
                        REG,
                        RM_REG,
                        MEM,
                        SEGMENT,
                        CONTROL,
                        DEBUG,
                        MMX,
                        MMX_RM,
                        MMX_RM_REG,
                        XMM,
                        XMM_RM,
                        XMM_RM_REG,
                        ST -> {
                    return true;
                }
                default -> {}
            }
        }
        return false;
    }

    /** How specific the row is: rows of one opcode are tried from the most specific down. */
    int specificity() {
        return (prefix > 0 ? 8 : prefix == NONE ? 4 : 0)
                + (modrm >= 0 ? 16 : 0)
                + (rexW >= 0 ? 2 : 0)
                + (only64 || not64 ? 1 : 0);
    }

    @Override
    public String toString() {
        return text;
    }
}
