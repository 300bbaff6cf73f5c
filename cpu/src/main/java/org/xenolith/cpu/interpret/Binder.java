package org.xenolith.cpu.interpret;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.OperandSpec;
import org.xenolith.cpu.decode.Row;

/**
 * Makes operations from decoded instructions: finds the semantic method that the row names, works out the shape, and
 * takes or defines the hidden class for it. Shared by all processors; thread-safe.
 */
final class Binder {
    private static final String FAMILIES = "org.xenolith.cpu.semantics.";
    private static final MethodHandles.Lookup LOOKUP = MethodHandles.lookup();
    private static final MethodType CONSTRUCTOR =
            MethodType.methodType(Op.class, Insn.class, int.class, int.class, int.class, int.class, long.class);

    /** What a row's semantics resolved to, and the constructors of the shapes that it was seen in. */
    static final class Semantics {
        final MethodHandle method;
        final Style style;
        final boolean returns;
        /** Shape keys and constructors; a row has few shapes. Replaced as a whole, so readers need no lock. */
        private volatile Shapes shapes = new Shapes(new long[0], new MethodHandle[0]);

        private record Shapes(long[] keys, MethodHandle[] constructors) {}

        Semantics(MethodHandle method, Style style, boolean returns) {
            this.method = method;
            this.style = style;
            this.returns = returns;
        }

        private MethodHandle constructor(long key) {
            Shapes known = shapes;
            long[] keys = known.keys;
            for (int i = 0; i < keys.length; i++) {
                if (keys[i] == key) {
                    return known.constructors[i];
                }
            }
            return null;
        }

        private synchronized MethodHandle define(Class<? extends Op> template, Shape shape) {
            MethodHandle constructor = constructor(shape.key());
            if (constructor == null) {
                constructor = Binder.define(template, shape);
                Shapes known = shapes;
                int n = known.keys.length;
                long[] keys = Arrays.copyOf(known.keys, n + 1);
                MethodHandle[] constructors = Arrays.copyOf(known.constructors, n + 1);
                keys[n] = shape.key();
                constructors[n] = constructor;
                shapes = new Shapes(keys, constructors);
            }
            return constructor;
        }
    }

    /** How a semantic method is called: see the legend of the instruction table. */
    enum Style {
        VALUE,
        VECTOR,
        AVX,
        FREE
    }

    private static final Map<String, Map<String, Method>> FAMILY_METHODS = new ConcurrentHashMap<>();
    private static final Map<Class<?>, byte[]> TEMPLATES = new ConcurrentHashMap<>();

    private Binder() {}

    /** The operation for an instruction. */
    static Op bind(Insn insn) {
        Semantics semantics = semantics(insn.row);
        return switch (semantics.style) {
            case VALUE -> value(insn, semantics);
            case VECTOR -> vector(insn, semantics);
            case AVX -> avx(insn, semantics);
            case FREE -> make(FreeOp.class, semantics, free(semantics), insn, 0, 0, 0, 0, 0);
        };
    }

    /** Resolves the method that a row names. */
    static Semantics semantics(Row row) {
        Object bound = row.binding;
        if (bound == null) {
            bound = resolve(row);
            row.binding = bound;
        }
        return (Semantics) bound;
    }

    private static Semantics resolve(Row row) {
        String name = row.semantics;
        int hash = name.indexOf('#');
        String plain = hash < 0 ? name : name.substring(0, hash);
        int dot = plain.indexOf('.');
        Method method = FAMILY_METHODS
                .computeIfAbsent(plain.substring(0, dot), Binder::methods)
                .get(plain.substring(dot + 1));
        if (method == null) {
            throw new IllegalStateException("no semantics " + plain + " for: " + row);
        }
        Class<?>[] types = method.getParameterTypes();
        Style style = types.length == 1 || types[1] == int.class
                ? Style.VALUE
                : types[1] != long.class ? Style.FREE : row.vex ? Style.AVX : Style.VECTOR;
        MethodHandle handle;
        try {
            handle = LOOKUP.unreflect(method);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException("semantics " + plain + " are not public", e);
        }
        if (hash >= 0) {
            handle =
                    MethodHandles.insertArguments(handle, types.length - 1, Integer.parseInt(name.substring(hash + 1)));
        }
        return new Semantics(handle, style, method.getReturnType() == long.class);
    }

    private static Map<String, Method> methods(String family) {
        try {
            Map<String, Method> methods = new HashMap<>();
            for (Method method : Class.forName(FAMILIES + family).getDeclaredMethods()) {
                Class<?>[] types = method.getParameterTypes();
                if (Modifier.isPublic(method.getModifiers()) && types.length > 0 && types[0] == Cpu.class) {
                    methods.put(method.getName(), method);
                }
            }
            return methods;
        } catch (ClassNotFoundException e) {
            throw new IllegalStateException("no family of semantics " + family, e);
        }
    }

    private static Shape free(Semantics semantics) {
        return new Shape(semantics.method, 0, Shape.NONE, 0, false, false, 0, 0, 0, 0, 0, 0, 0, 0);
    }

    // ---------------------------------------------------------------- value style

    private static Op value(Insn insn, Semantics semantics) {
        List<OperandSpec> operands = insn.row.operands;
        int destinationKind = Shape.NONE;
        int destinationWidth = 0;
        boolean update = false;
        int destination = 0;
        int[] kinds = new int[3];
        int[] widths = new int[3];
        int[] registers = new int[3];
        int sources = 0;
        int width = operands.isEmpty() ? insn.operandSize : width(operands.getFirst(), insn);
        long immediate = insn.imm;
        for (int i = 0; i < operands.size(); i++) {
            OperandSpec spec = operands.get(i);
            boolean written = semantics.returns && i == 0 && spec.access() != OperandSpec.Access.READ;
            int kind = kind(spec, insn);
            if (written) {
                destinationKind = kind;
                destinationWidth = width(spec, insn);
                destination = register(spec, insn);
                update = spec.access() == OperandSpec.Access.UPDATE;
            } else {
                kinds[sources] = kind;
                widths[sources] = kind == Shape.IMMEDIATE || kind == Shape.ADDRESS ? 0 : width(spec, insn);
                registers[sources] = kind == Shape.REGISTER ? register(spec, insn) : 0;
                if (spec.kind() == OperandSpec.Kind.CONSTANT) {
                    immediate = spec.fixed();
                }
                sources++;
            }
        }
        Shape shape = new Shape(
                semantics.method,
                width,
                destinationKind,
                destinationWidth,
                update,
                insn.lock && destinationKind == Shape.MEMORY,
                kinds[0],
                widths[0],
                kinds[1],
                widths[1],
                kinds[2],
                widths[2],
                0,
                0);
        return make(
                ValueOp.class,
                semantics,
                shape,
                insn,
                destination,
                registers[0],
                registers[1],
                registers[2],
                immediate);
    }

    private static int width(OperandSpec spec, Insn insn) {
        return spec.size() == ' ' ? insn.operandSize : spec.width(insn.operandSize);
    }

    private static int kind(OperandSpec spec, Insn insn) {
        return switch (spec.kind()) {
            case RM -> insn.mem == null ? Shape.REGISTER : Shape.MEMORY;
            case MEM -> spec.size() == ' ' ? Shape.ADDRESS : Shape.MEMORY;
            case OFFSET -> Shape.MEMORY;
            case REG, RM_REG, VVVV, OPCODE_REG, FIXED -> Shape.REGISTER;
            case IMM, REL, CONSTANT -> Shape.IMMEDIATE;
            default -> throw new IllegalStateException("operand " + spec.text() + " has no value: " + insn.row);
        };
    }

    private static int register(OperandSpec spec, Insn insn) {
        if (insn.mem != null && (spec.kind() == OperandSpec.Kind.RM || spec.kind() == OperandSpec.Kind.OFFSET)) {
            return 0;
        }
        int number = switch (spec.kind()) {
            case RM, RM_REG, OPCODE_REG -> insn.rm;
            case REG -> insn.reg;
            case VVVV -> insn.vvvv;
            case FIXED -> spec.fixed();
            default -> 0;
        };
        return spec.size() == 'b' && spec.kind() != OperandSpec.Kind.FIXED
                ? insn.byteRegister(number)
                : VcpuState.GPR + number * 8;
    }

    // ---------------------------------------------------------------- vector style

    private static Op vector(Insn insn, Semantics semantics) {
        List<OperandSpec> operands = insn.row.operands;
        OperandSpec to = operands.get(0);
        OperandSpec from = operands.size() > 1 ? operands.get(1) : to;
        int checks = insn.row.has("align") ? Shape.ALIGNED : 0;
        boolean immediate = false;
        for (OperandSpec spec : operands) {
            switch (spec.kind()) {
                case MMX, MMX_RM_REG -> checks |= Shape.MMX;
                case MMX_RM -> checks |= insn.mem == null ? Shape.MMX : 0;
                case XMM, XMM_RM, XMM_RM_REG -> checks |= Shape.SSE;
                case IMM -> immediate = true;
                default -> {}
            }
        }
        if (from.kind() == OperandSpec.Kind.IMM) {
            from = to;
        }
        boolean written = to.access() != OperandSpec.Access.READ;
        int destinationKind = Shape.REGISTER;
        int destinationBytes = 0;
        int width = 0;
        if (written && isMemory(to, insn)) {
            destinationKind = Shape.MEMORY;
            destinationBytes = vectorBytes(to, insn);
        } else if (written && isGeneral(to)) {
            destinationKind = Shape.ADDRESS;
            width = to.width(insn.operandSize);
        } else if (written
                && (to.kind() == OperandSpec.Kind.MMX
                        || to.kind() == OperandSpec.Kind.MMX_RM
                        || to.kind() == OperandSpec.Kind.MMX_RM_REG)) {
            checks |= Shape.MMX_RESULT;
        }
        boolean fromMemory = isMemory(from, insn) && from != to;
        Shape shape = new Shape(
                semantics.method,
                width,
                destinationKind,
                destinationBytes,
                false,
                false,
                fromMemory ? Shape.MEMORY : Shape.REGISTER,
                fromMemory ? vectorBytes(from, insn) : 0,
                immediate ? Shape.IMMEDIATE : Shape.NONE,
                0,
                0,
                0,
                checks,
                0);
        return make(
                VectorOp.class,
                semantics,
                shape,
                insn,
                vectorRegister(to, insn),
                vectorRegister(from, insn),
                0,
                0,
                insn.imm);
    }

    private static boolean isMemory(OperandSpec spec, Insn insn) {
        return insn.mem != null
                && switch (spec.kind()) {
                    case RM, MEM, MMX_RM, XMM_RM -> true;
                    default -> false;
                };
    }

    private static boolean isGeneral(OperandSpec spec) {
        return switch (spec.kind()) {
            case RM, REG, RM_REG -> true;
            default -> false;
        };
    }

    private static int vectorBytes(OperandSpec spec, Insn insn) {
        return switch (spec.size()) {
            case 'y', 'v', 'z' -> 1 << spec.width(insn.operandSize);
            default -> spec.bytes(insn.vexL);
        };
    }

    private static int vectorRegister(OperandSpec spec, Insn insn) {
        if (isMemory(spec, insn)) {
            return 0;
        }
        return switch (spec.kind()) {
            case XMM -> VcpuState.XMM + insn.reg * 16;
            case XMM_RM, XMM_RM_REG -> VcpuState.XMM + insn.rm * 16;
            case XMM_VVVV -> VcpuState.XMM + insn.vvvv * 16;
            case XMM_IS4 -> VcpuState.XMM + insn.is4() * 16;
            case MMX -> VcpuState.ST + (insn.reg & 7) * 16;
            case MMX_RM, MMX_RM_REG -> VcpuState.ST + (insn.rm & 7) * 16;
            case REG -> VcpuState.GPR + insn.reg * 8;
            case RM, RM_REG -> VcpuState.GPR + insn.rm * 8;
            default -> throw new IllegalStateException("operand " + spec.text() + " is no vector: " + insn.row);
        };
    }

    // ---------------------------------------------------------------- VEX style

    /**
     * The first source is what the result starts from: the destination where it is read too, or the first of several
     * sources; a shift by an immediate, whose destination VEX.vvvv names, has no other.
     */
    private static Op avx(Insn insn, Semantics semantics) {
        OperandSpec to = insn.row.operands.getFirst();
        List<OperandSpec> sources = new ArrayList<>();
        boolean immediate = false;
        boolean wide = to.isYmm(insn.vexL);
        for (OperandSpec spec : insn.row.operands.subList(1, insn.row.operands.size())) {
            if (spec.kind() == OperandSpec.Kind.IMM) {
                immediate = true;
            } else {
                sources.add(spec);
                wide |= spec.isYmm(insn.vexL);
            }
        }
        OperandSpec first = null;
        if (to.access() != OperandSpec.Access.WRITE) {
            first = to;
        } else if (sources.size() > 1 || to.kind() == OperandSpec.Kind.XMM_VVVV) {
            first = sources.removeFirst();
        }
        OperandSpec source = sources.isEmpty() ? first : sources.getFirst();
        OperandSpec other = sources.size() > 1 ? sources.get(1) : null;
        int destinationKind = Shape.NONE;
        if (to.access() != OperandSpec.Access.READ) {
            destinationKind = isMemory(to, insn) ? Shape.MEMORY : isGeneral(to) ? Shape.ADDRESS : Shape.REGISTER;
        }
        boolean general = destinationKind == Shape.ADDRESS;
        int stride = !wide
                ? 0
                : switch (source.size()) {
                    case 'l' -> 16;
                    case 'h' -> 8;
                    case 'f' -> 4;
                    case 'g' -> 2;
                    default -> 0;
                };
        Shape shape = new Shape(
                semantics.method,
                general ? to.width(insn.operandSize) : 0,
                destinationKind,
                general ? 0 : vectorBytes(to, insn),
                first != null,
                false,
                isMemory(source, insn) ? Shape.MEMORY : Shape.REGISTER,
                vectorBytes(source, insn),
                other == null ? Shape.NONE : isMemory(other, insn) ? Shape.MEMORY : Shape.REGISTER,
                other == null ? 0 : vectorBytes(other, insn),
                immediate ? Shape.IMMEDIATE : Shape.NONE,
                0,
                (wide ? Shape.WIDE : 0)
                        | (insn.row.has("whole") ? Shape.WHOLE : 0)
                        | (insn.row.has("align") ? Shape.ALIGNED : 0),
                stride);
        return make(
                AvxOp.class,
                semantics,
                shape,
                insn,
                vectorRegister(to, insn),
                first == null ? 0 : vectorRegister(first, insn),
                vectorRegister(source, insn),
                other == null ? 0 : vectorRegister(other, insn),
                insn.imm);
    }

    // ---------------------------------------------------------------- hidden classes

    private static Op make(
            Class<? extends Op> template,
            Semantics semantics,
            Shape shape,
            Insn insn,
            int a,
            int b,
            int c,
            int d,
            long immediate) {
        MethodHandle constructor = semantics.constructor(shape.key());
        if (constructor == null) {
            constructor = semantics.define(template, shape);
        }
        try {
            return (Op) constructor.invokeExact(insn, a, b, c, d, immediate);
        } catch (Throwable e) {
            throw new IllegalStateException("cannot make an operation for: " + insn.row, e);
        }
    }

    private static MethodHandle define(Class<? extends Op> template, Shape shape) {
        try {
            MethodHandles.Lookup hidden = LOOKUP.defineHiddenClassWithClassData(
                    TEMPLATES.computeIfAbsent(template, Binder::bytes), shape, true);
            return hidden.findConstructor(hidden.lookupClass(), CONSTRUCTOR.changeReturnType(void.class))
                    .asType(CONSTRUCTOR);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("cannot specialise " + template.getSimpleName() + " for " + shape, e);
        }
    }

    private static byte[] bytes(Class<?> template) {
        String file = template.getSimpleName() + ".class";
        try (InputStream in = template.getResourceAsStream(file)) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + file, e);
        }
    }
}
