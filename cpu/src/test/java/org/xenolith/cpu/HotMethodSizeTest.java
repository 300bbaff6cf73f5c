package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.MethodModel;
import java.lang.classfile.attribute.CodeAttribute;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.xenolith.memory.Raw;

/** HotSpot never compiles a method of more than 8,000 bytes of bytecode, so nothing of ours may be that big. */
class HotMethodSizeTest {
    private static final int HUGE_METHOD_LIMIT = 8000;

    /** Compiled main classes of this room, and of every other room that is built beside it. */
    private static List<Path> rooms() throws URISyntaxException, IOException {
        URI ours =
                Engine.class.getProtectionDomain().getCodeSource().getLocation().toURI();
        URI memory =
                Raw.class.getProtectionDomain().getCodeSource().getLocation().toURI();
        List<Path> roots = new ArrayList<>(List.of(Path.of(ours), Path.of(memory)));
        // <project>/cpu/target/classes
        Path project = Path.of(ours).resolve("../../..").normalize();
        if (Files.isRegularFile(project.resolve("pom.xml"))) {
            try (Stream<Path> modules = Files.list(project)) {
                modules.map(module -> module.resolve("target/classes"))
                        .filter(Files::isDirectory)
                        .forEach(roots::add);
            }
        }
        return roots.stream().filter(Files::isDirectory).distinct().toList();
    }

    @Test
    void noMethodIsTooBigForTheCompiler() throws IOException, URISyntaxException {
        List<String> tooBig = new ArrayList<>();
        int methods = 0;
        for (Path root : rooms()) {
            try (Stream<Path> files = Files.walk(root)) {
                for (Path file :
                        files.filter(f -> f.toString().endsWith(".class")).toList()) {
                    var model = ClassFile.of().parse(file);
                    for (MethodModel method : model.methods()) {
                        methods++;
                        if (method.code().orElse(null) instanceof CodeAttribute code
                                && code.codeLength() > HUGE_METHOD_LIMIT
                                && !method.methodName().equalsString("<clinit>")) {
                            tooBig.add(model.thisClass().asInternalName() + "."
                                    + method.methodName().stringValue() + ": " + code.codeLength() + " bytes");
                        }
                    }
                }
            }
        }
        assertThat(methods).isGreaterThan(500);
        assertThat(tooBig)
                .as("methods over %d bytes of bytecode", HUGE_METHOD_LIMIT)
                .isEmpty();
    }
}
